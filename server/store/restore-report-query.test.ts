/** The report of a restore, on two real databases: the one that was restored, and what the server went on to. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { InvocationState } from "../machine/invocation.ts";
import type { Transactor } from "../machine/tx.ts";
import {
  appendMessage,
  idOf,
  type MessageName,
  newInvocation,
  NOW_MS,
  RUNNING,
  SUSPENDED,
} from "./fixtures.suite.ts";
import { ranSince, type RanSince, type SinceThen } from "./restore-report-query.ts";
import { openSqliteStore, type SqliteStore } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();
const COMPLETED: InvocationState = { status: "completed", completedAtMs: NOW_MS, outputIndex: 4 };

/** `then` makes the state that is restored, `later` goes on from it to the latest. */
async function reportOf(
  then: (tx: Transactor) => void,
  later: (tx: Transactor) => void,
): Promise<SinceThen> {
  const where = path.join(directory(), "it's here");
  const copy = path.join(directory(), "it's the past.db");
  let store = openSqliteStore(where, { durability: "none" });
  store.transact(then);
  await store.close();
  fs.copyFileSync(store.file, copy);
  store = openSqliteStore(where, { durability: "none" });
  store.transact(later);
  await store.close();
  const before = [fs.readFileSync(copy), fs.readFileSync(store.file)];
  const report = ranSince(copy, store.file);
  assert.deepEqual([fs.readFileSync(copy), fs.readFileSync(store.file)], before, "neither changes");
  for (const file of [copy, store.file]) assert(!fs.existsSync(`${file}-wal`), "nothing is left");
  return report;
}

/** Inserts an invocation with these entries. Its number is its seq. */
function begin(
  tx: Transactor,
  number: number,
  entries: readonly MessageName[] = ["input"],
  state: InvocationState = RUNNING,
): void {
  const made = tx.insertInvocation(newInvocation(number, { state }));
  for (const name of entries) appendMessage(tx, made, name);
  tx.save(made);
}

function goOn(
  tx: Transactor,
  number: number,
  entries: readonly MessageName[],
  state?: InvocationState,
): void {
  const found = tx.findInvocation(idOf(number));
  assert(found !== undefined);
  for (const name of entries) appendMessage(tx, found, name);
  if (state !== undefined) found.state = state;
  tx.save(found);
}

const idText = (number: number): string => invocationIdToString(idOf(number));
const shown = ({ id, ...rest }: RanSince) => [id, ...Object.values(rest)];

describe("the report of what ran since", () => {
  it("names open invocations whose later steps have run, in the order of their creation", async () => {
    const report = await reportOf(
      (tx) => {
        begin(tx, 1, ["input", "run1"]);
        begin(tx, 2, ["input", "run1"], SUSPENDED);
        begin(tx, 3);
      },
      (tx) => {
        goOn(tx, 3, ["run1", "ran1", "output"], COMPLETED);
        goOn(tx, 1, ["ran1", "run2"]);
      },
    );
    assert.deepEqual(report.invocations.map(shown), [
      [idText(1), "Greeter/greet", "running", 2, "running", 4],
      [idText(3), "Greeter/greet", "running", 1, "completed", 4],
    ]);
    assert.deepEqual([report.total, report.unknownCount], [2, 0]);
  });

  it("names what is over and forgotten since, and what ended without another entry", async () => {
    const report = await reportOf(
      (tx) => {
        begin(tx, 1);
        begin(tx, 2);
        begin(tx, 3, []);
      },
      (tx) => {
        tx.deleteInvocation(1);
        tx.deleteInvocation(3);
        goOn(tx, 2, [], COMPLETED);
      },
    );
    assert.deepEqual(report.invocations.map(shown), [
      [idText(1), "Greeter/greet", "running", 1, "gone", 0],
      [idText(2), "Greeter/greet", "running", 1, "completed", 1],
      [idText(3), "Greeter/greet", "running", 0, "gone", 0],
    ]);
  });

  it("leaves out what was over then, and what has another status alone", async () => {
    const report = await reportOf(
      (tx) => {
        begin(tx, 1, ["input", "output"], COMPLETED);
        begin(tx, 2, ["input"], { status: "scheduled", startAtMs: NOW_MS });
        begin(tx, 3, ["input"], { status: "queued", position: 1 });
      },
      (tx) => {
        tx.deleteInvocation(1);
        goOn(tx, 2, [], RUNNING);
        goOn(tx, 3, [], RUNNING);
      },
    );
    assert.deepEqual(report, { invocations: [], total: 0, unknownCount: 0 });
  });

  it("counts those that began since, and does not take one for another of its number", async () => {
    const past = path.join(directory(), "past");
    const latest = path.join(directory(), "latest");
    const stores: SqliteStore[] = [past, latest].map((where) =>
      openSqliteStore(where, { durability: "none" }),
    );
    // The same number was given twice: the restored history went another way.
    stores[0]?.transact((tx) => begin(tx, 1));
    stores[1]?.transact((tx) => {
      begin(tx, 7, ["input", "run1"]);
      begin(tx, 8);
    });
    for (const store of stores) await store.close();
    const [one, other] = stores.map(({ file }) => file);
    const report = ranSince(one ?? "", other ?? "");
    assert.deepEqual(report.invocations.map(shown), [
      [idText(1), "Greeter/greet", "running", 1, "gone", 0],
    ]);
    assert.equal(report.unknownCount, 2);
  });

  it("shows a thousand and counts all", async () => {
    const report = await reportOf(
      (tx) => {
        for (let number = 1; number <= 1100; number += 1) begin(tx, number);
      },
      (tx) => {
        for (let number = 1; number <= 1100; number += 1) goOn(tx, number, ["run1"]);
        begin(tx, 2000);
      },
    );
    assert.deepEqual(
      [report.invocations.length, report.total, report.unknownCount],
      [1000, 1100, 1],
    );
    assert.equal(report.invocations[999]?.id, idText(1000));
  });

  it("names the key of an object", async () => {
    const target = { service: "Cart", handler: "add", key: "a/b" };
    const report = await reportOf(
      (tx) => {
        const made = tx.insertInvocation(newInvocation(1, { target, kind: "exclusive" }));
        tx.save(made);
      },
      (tx) => goOn(tx, 1, ["input"]),
    );
    assert.deepEqual(report.invocations.map(shown), [
      [idText(1), "Cart/a/b/add", "running", 0, "running", 1],
    ]);
  });
});
