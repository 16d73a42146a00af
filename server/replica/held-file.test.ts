import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import {
  type HeldReport,
  readHeldFile,
  removeHeldFile,
  reportOf,
  writeHeldFile,
} from "./held-file.ts";
import { directories } from "./made-history.suite.ts";

const directory = directories();

const REPORT: HeldReport = {
  restoredTo: { seq: 41, atIso: "2026-11-26T09:00:00.000Z" },
  latest: { seq: 97, atIso: "2026-11-26T09:10:00.000Z" },
  problem: null,
  total: 1,
  unknownCount: 2,
  invocations: [
    {
      id: "inv_1a",
      target: "Cart/a/add",
      statusThen: "running",
      entriesThen: 3,
      statusLatest: "completed",
      entriesLatest: 9,
    },
  ],
};

/** As operators see it: names as everywhere in the admin API. */
const DOCUMENT = {
  restored_to: { segment: 41, at: "2026-11-26T09:00:00.000Z" },
  latest: { segment: 97, at: "2026-11-26T09:10:00.000Z" },
  problem: null,
  total: 1,
  unknown_count: 2,
  invocations: [
    {
      id: "inv_1a",
      target: "Cart/a/add",
      status_then: "running",
      entries_then: 3,
      status_latest: "completed",
      entries_latest: 9,
    },
  ],
};

describe("held.json", () => {
  it("holds its directory until it is removed, and tells the report", () => {
    const where = directory();
    assert.equal(readHeldFile(where), null);
    writeHeldFile(where, REPORT);
    assert.deepEqual(readHeldFile(where), DOCUMENT);
    assert.deepEqual(JSON.parse(fs.readFileSync(path.join(where, "held.json"), "utf8")), DOCUMENT);
    removeHeldFile(where);
    assert.equal(readHeldFile(where), null);
    removeHeldFile(where);
  });

  it("comes back as it was written, with and without a latest state", () => {
    const where = directory();
    for (const report of [REPORT, { ...REPORT, latest: null, problem: "segment 42 is missing" }]) {
      writeHeldFile(where, report);
      assert.deepEqual(reportOf(readHeldFile(where)), report);
    }
  });

  it("is for its owner alone: names of targets are in it", () => {
    const where = directory();
    writeHeldFile(where, REPORT);
    assert.equal(fs.statSync(path.join(where, "held.json")).mode & 0o777, 0o600);
  });

  const whole = JSON.stringify(DOCUMENT);
  const damaged: Record<string, string> = {
    "is empty": "",
    "is cut": whole.slice(0, -20),
    "is no JSON": "held",
    "is no object": "null",
    "lacks the restored moment": whole.replace("restored_to", "restored"),
    "has a number that is none": whole.replace('"total":1', '"total":"1"'),
    "has an invocation without an id": whole.replace('"id":"inv_1a",', ""),
  };
  for (const [how, text] of Object.entries(damaged)) {
    it(`holds, too, where it ${how}`, () => {
      const where = directory();
      fs.writeFileSync(path.join(where, "held.json"), text);
      const problem = `${path.join(where, "held.json")} cannot be read`;
      assert.deepEqual(readHeldFile(where), { problem });
      assert.equal(reportOf(readHeldFile(where)), null);
    });
  }

  it("does not let go where it cannot be looked at", () => {
    const where = directory();
    fs.mkdirSync(path.join(where, "held.json"));
    assert.throws(() => readHeldFile(where), /EISDIR/);
  });
});
