import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, describe, it } from "node:test";
import { Held } from "./held.ts";
import { writeHeldFile } from "./replica/held-file.ts";

const MOMENT = { seq: 3, atIso: "2026-11-26T09:00:00.000Z" };
const REPORT = {
  restoredTo: MOMENT,
  latest: null,
  problem: "it is gone",
  invocations: [],
  total: 0,
  unknownCount: 0,
};

describe("held work", () => {
  const made: string[] = [];
  afterEach(() => {
    for (const each of made.splice(0)) fs.rmSync(each, { recursive: true, force: true });
  });
  const directory = (isHeld: boolean): string => {
    const where = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-held-"));
    made.push(where);
    if (isHeld) writeHeldFile(where, REPORT);
    return where;
  };

  it("is none in an ordinary directory", () => {
    let letGo = 0;
    const held = new Held(directory(false), () => (letGo += 1));
    assert.equal(held.report(), null);
    held.release();
    assert.equal(letGo, 0);
    assert.deepEqual(held.health({ status: "ok" }), { status: "ok" });
  });

  it("goes when it is released, once, after that is on the disk", () => {
    const where = directory(true);
    const seen: boolean[] = [];
    const held = new Held(where, () => seen.push(fs.existsSync(path.join(where, "held.json"))));
    assert.equal(held.report()?.["problem"], "it is gone");
    const health = held.health({ status: "ok", replica: { state: "shipping" } });
    assert.deepEqual(health, { status: "degraded", replica: { state: "shipping" }, held: true });
    held.release();
    assert.deepEqual(seen, [false]);
    assert.equal(held.report(), null);
    assert.deepEqual(held.health({ status: "ok" }), { status: "ok" });
    held.release();
    assert.deepEqual(seen, [false]);
    assert.equal(new Held(where, () => {}).report(), null);
  });

  it("stays where the disk says no", () => {
    const where = directory(true);
    const held = new Held(where, () => assert.fail("it was not durable"));
    fs.rmSync(where, { recursive: true });
    assert.throws(() => held.release(), /ENOENT/);
    assert.notEqual(held.report(), null);
    fs.mkdirSync(where);
    writeHeldFile(where, REPORT);
  });
});
