import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { StorageError } from "../base/storage-error.ts";
import type { Store } from "../processor/ports.ts";
import { dump, newInvocation, NOW_MS } from "./fixtures.suite.ts";
import { MemoryStore } from "./memory-store.ts";
import { openDatabase } from "./open.ts";
import { Chance, type Plan, randomPlan } from "./random-transactions.suite.ts";
import { SEQ_BLOCK } from "./seq-rows.ts";
import { openSqliteStore, SqliteStore } from "./sqlite-store.ts";
import { storeSuite } from "./store.suite.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();
const open = (where: string) => openSqliteStore(where, { durability: "none" });

storeSuite("the store over SQLite", () => {
  const store = open(directory());
  return { store, cleanUp: () => store.close() };
});

const insert = (store: Store, number: number): number =>
  store.transact((tx) => tx.insertInvocation(newInvocation(number)).seq);

describe("the store over SQLite", () => {
  it("does to the letter what the store over Maps does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const chance = new Chance(seed);
        const stores = [new MemoryStore(), open(directory())] as const;
        for (let number = 1; number <= 60; number++) {
          const plan = randomPlan(chance, number, 1 + (number >> 1));
          const aborted = chance.below(8) === 0;
          for (const store of stores) run(store, plan, aborted);
        }
        const [memory, sqlite] = stores;
        assert.equal(dump(sqlite, 200), dump(memory, 200));
        await sqlite.close();
      }),
      { numRuns: 50 },
    );
  });

  it("holds the same after it was opened again", async () => {
    const where = directory();
    const chance = new Chance(7);
    let store = open(where);
    for (let number = 1; number <= 200; number++) {
      run(store, randomPlan(chance, number, 40), chance.below(8) === 0);
      if (number % 40 !== 0) continue;
      const before = dump(store, 500);
      await store.close();
      store = open(where);
      assert.equal(dump(store, 500), before);
    }
    assert.ok(dump(store, 500).length > 1000);
    await store.close();
  });

  it("never gives a seq twice, not after a purge, a restart or a rolled back transaction", async () => {
    const where = directory();
    const seen = new Set<number>();
    let highest = 0;
    let number = 0;
    for (let start = 0; start < 3; start++) {
      const store = open(where);
      for (let block = 0; block < 3; block++) {
        const inserted = store.transact((tx) =>
          Array.from(
            { length: SEQ_BLOCK / 2 + 1 },
            () => tx.insertInvocation(newInvocation(number++)).seq,
          ),
        );
        assert.throws(() => run(store, (tx) => void insertMany(tx, number, SEQ_BLOCK), true, Error));
        for (const seq of inserted) {
          assert.ok(seq > highest, `${seq} after ${highest}`);
          seen.add((highest = seq));
        }
        store.transact((tx) => inserted.forEach((seq) => tx.deleteInvocation(seq)));
      }
      await store.close();
    }
    assert.equal(seen.size, 9 * (SEQ_BLOCK / 2 + 1));
  });
});
