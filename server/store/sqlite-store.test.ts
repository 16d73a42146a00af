import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import fc from "fast-check";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { StorageError } from "../base/storage-error.ts";
import type { Store } from "../processor/ports.ts";
import { appendMessage, dump, newInvocation, NOW_MS, PAUSED, SUSPENDED } from "./fixtures.suite.ts";
import { MemoryStore } from "./memory-store.ts";
import { openDatabase } from "./open.ts";
import { Chance, type Plan, randomPlan } from "./random-transactions.suite.ts";
import { SEQ_BLOCK } from "./seq-rows.ts";
import { openSqliteStore, SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
import { storeSuite } from "./store.suite.ts";
import { StoredInvocation } from "./stored-invocation.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();
const open = (where: string, more: Partial<SqliteStoreOptions> = {}) =>
  openSqliteStore(where, { durability: "none", ...more });

storeSuite("the store over SQLite", () => {
  const store = open(directory());
  return { store, cleanUp: () => store.close() };
});

storeSuite("the store over SQLite with every value beside the database", () => {
  const store = open(directory(), { blobThresholdBytes: 1 });
  return { store, cleanUp: () => store.close() };
});

const insert = (store: Store, number: number): number =>
  store.transact((tx) => tx.insertInvocation(newInvocation(number)).seq);

describe("the store over SQLite", () => {
  it("does to the letter what the store over Maps does", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const chance = new Chance(seed);
        const blobThresholdBytes = chance.pick([1, 3, 1000, 1_000_000]) ?? 1;
        const stores = [new MemoryStore(), open(directory(), { blobThresholdBytes })] as const;
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
    const some = { blobThresholdBytes: 300 };
    let store = open(where, some);
    for (let number = 1; number <= 200; number++) {
      run(store, randomPlan(chance, number, 40), chance.below(8) === 0);
      if (number % 40 !== 0) continue;
      const before = dump(store, 500);
      await store.close();
      store = open(where, some);
      assert.equal(dump(store, 500), before);
    }
    assert.ok(dump(store, 500).length > 1000);
    await store.close();
  });

  it("never gives a seq twice, not after a purge, a restart or a rolled back transaction", async () => {
    const where = directory();
    const count = SEQ_BLOCK / 2 + 1;
    let highest = 0;
    let number = 0;
    for (let start = 0; start < 3; start++) {
      const store = open(where);
      for (let round = 0; round < 3; round++) {
        const inserted = store.transact((tx) =>
          Array.from({ length: count }, () => tx.insertInvocation(newInvocation(number++)).seq),
        );
        for (const seq of inserted) {
          assert.ok(seq > highest, `${seq} after ${highest}`);
          highest = seq;
        }
        const wasted: Plan = (tx) => {
          for (let i = 0; i < count; i++) tx.insertInvocation(newInvocation(number + i));
        };
        run(store, wasted, true);
        store.transact((tx) => inserted.forEach((seq) => tx.deleteInvocation(seq)));
      }
      await store.close();
    }
    assert.ok(highest >= 9 * count);
  });

  it("refuses everything once the disk is full, and keeps what it had", async () => {
    const where = directory();
    const database = openDatabase(where, "disk");
    const store = new SqliteStore(database, { durability: "disk" });
    const seq = insert(store, 1);
    database.db.pragma(
      `max_page_count = ${String(database.db.pragma("page_count", { simple: true }))}`,
    );
    const fill = () =>
      store.transact((tx) => {
        const made = tx.insertInvocation(newInvocation(2));
        tx.append(made, MessageType.CallCommand, new Uint8Array(100_000), NOW_MS);
      });
    assert.throws(
      fill,
      (error) => error instanceof StorageError && /SQLITE_FULL/.test(error.message),
    );
    assert.throws(() => store.transact(() => undefined), StorageError);
    assert.throws(() => store.read(() => undefined), StorageError);
    assert.ok((await barrierOf(store)) instanceof StorageError);
    await store.close();

    const again = open(where);
    assert.deepEqual(
      again.read((reader) => reader.running(0, 9).map((each) => each.seq)),
      [seq],
    );
    await again.close();
  });

  it("refuses everything after a failed sync, however the next one would go", async () => {
    let syncs = 0;
    const store = openSqliteStore(directory(), {
      durability: "disk",
      fdatasync: (_, done) => setImmediate(() => done(syncs++ === 0 ? new Error("EIO") : null)),
    });
    insert(store, 1);
    const errors = await Promise.all([barrierOf(store), barrierOf(store)]);
    assert.ok(errors.every((error) => error instanceof StorageError && /EIO/.test(error.message)));
    assert.throws(() => insert(store, 2), StorageError);
    assert.ok((await barrierOf(store)) instanceof StorageError);
    assert.equal(syncs, 1);
    await store.close();
  });

  it("keeps a defect of a transaction apart from a failure of the medium", async () => {
    const store = open(directory());
    insert(store, 1);
    assert.throws(
      () => insert(store, 1),
      (error) => !(error instanceof StorageError),
    );
    insert(store, 2);
    assert.equal(await barrierOf(store), null);
    await store.close();
  });

  it("does not take back what is committed when a checkpoint cannot begin, and refuses everything after", async () => {
    const noThread = (): never => {
      throw new Error("no thread to be had");
    };
    const passes = { run: noThread, close: () => Promise.resolve() };
    const store = openSqliteStore(directory(), { durability: "none", walBytesMax: 1, passes });
    const seqs: number[] = [];
    assert.throws(() => {
      for (let number = 1; number <= 100; number += 1) seqs.push(insert(store, number));
    }, StorageError);
    const db = new Database(store.file, { readonly: true });
    const stored = db.prepare("SELECT seq FROM invocation ORDER BY seq").pluck().all();
    assert.deepEqual(stored, seqs, "a transaction that throws has stored nothing");
    db.close();
    assert.ok((await barrierOf(store)) instanceof StorageError);
    await store.close();
  });

  it("calls back after a sync that began after the commit, and shares it among many", async () => {
    let begun = 0;
    let underWay = 0;
    const store = openSqliteStore(directory(), {
      durability: "disk",
      fdatasync: (fd, done) => {
        assert.equal(underWay, 0, "never two at once");
        begun += 1;
        underWay += 1;
        fs.fdatasync(fd, (error) => {
          underWay -= 1;
          done(error);
        });
      },
    });
    const waits: Promise<unknown>[] = [];
    for (let number = 0; number < 300; number++) {
      const before = begun;
      insert(store, number);
      waits.push(barrierOf(store).then((error) => assert.ok(error === null && begun > before)));
      // Every tenth commit sees what the disk did meanwhile.
      if (number % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(waits);
    assert.ok(begun >= 2 && begun <= 62, `${begun} syncs for 300 commits in 30 turns`);
    const settled = begun;
    assert.equal(await barrierOf(store), null);
    store.transact((tx) => tx.running(0, 1));
    assert.equal(await barrierOf(store), null);
    assert.equal(begun, settled, "nothing new: no sync");
    await store.close();
  });

  it("makes everything durable before it closes", async () => {
    const finished: string[] = [];
    const store = openSqliteStore(directory(), {
      durability: "disk",
      fdatasync: (_, done) => {
        setTimeout(() => {
          finished.push("sync");
          done(null);
        }, 20);
      },
    });
    insert(store, 1);
    const waiting = barrierOf(store).then(() => finished.push("barrier"));
    insert(store, 2);
    await store.close();
    await waiting;
    assert.deepEqual(finished, ["sync", "barrier", "sync"]);
  });

  it("syncs nothing where durability is none", async () => {
    const store = openSqliteStore(directory(), {
      durability: "none",
      fdatasync: () => assert.fail("a sync"),
    });
    insert(store, 1);
    assert.equal(await barrierOf(store), null);
    await store.close();
  });

  it("names its file, where another connection reads what was committed", async () => {
    const store = open(directory());
    insert(store, 1);
    const reader = new Database(store.file, { readonly: true });
    const count = reader.prepare("SELECT count(*) FROM invocation").pluck();
    assert.equal(count.get(), 1);
    store.transact((tx) => {
      tx.insertInvocation(newInvocation(2));
      assert.equal(count.get(), 1);
    });
    assert.equal(count.get(), 2);
    reader.close();
    await store.close();
  });

  it("keeps nothing in memory of what does not run", async () => {
    const where = directory();
    const database = openDatabase(where, "none");
    const store = new SqliteStore(database, { durability: "none" });
    const seqs = [1, 2].map((number) => insert(store, number));
    store.transact((tx) => {
      const [, suspended] = tx.running(0, 2);
      assert.ok(suspended !== undefined);
      suspended.state = PAUSED;
      tx.save(suspended);
    });
    // Behind the store's back: what it reads again is new, what it remembers is old.
    database.db.exec("UPDATE invocation SET epoch = 40");
    const epochs = store.read((reader) => seqs.map((seq) => reader.invocation(seq)?.epoch));
    assert.deepEqual(epochs, [0, 40]);
    await store.close();
  });
});

describe("a result for an invocation that does not run", () => {
  it("is appended without reading its journal, and is in the summary when that is asked for", async () => {
    const store = open(directory());
    const seq = store.transact((tx) => {
      const made = tx.insertInvocation(newInvocation(1, { state: SUSPENDED }));
      for (const name of ["input", "run1", "run2"] as const) appendMessage(tx, made, name);
      return made.seq;
    });
    store.transact((tx) => {
      const suspended = tx.invocation(seq);
      assert.ok(suspended instanceof StoredInvocation);
      assert.equal(appendMessage(tx, suspended, "ran1"), 3);
      assert.equal(suspended.foldedJournal, undefined);
      assert.deepEqual([suspended.journal.length, ...suspended.journal.openRuns], [4, 2]);
      assert.equal(appendMessage(tx, suspended, "slept"), 4);
      assert.equal(suspended.journal.length, 5);
    });
    await store.close();
  });
});

class Aborted extends Error {}

/** Runs a plan in a transaction, or shows that one that is aborted throws. */
function run(store: Store, plan: Plan, aborted: boolean): void {
  const transact = () =>
    store.transact((tx) => {
      plan(tx);
      if (aborted) throw new Aborted();
    });
  if (aborted) assert.throws(transact, Aborted);
  else transact();
}

const barrierOf = (store: Store): Promise<Error | null> =>
  new Promise((resolve) => store.barrier(resolve));
