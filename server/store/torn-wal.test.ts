/**
 * The promise of the barrier, tried: transactions at random, barriers, checkpoints that end or are cut short, and at random
 * moments the power goes. Whatever part of the unsynced bytes reached the disk, a start finds every transaction that a barrier
 * has covered, and of the later ones a prefix, each whole, its large values in their files included.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { Deferred } from "../base/deferred.ts";
import type { BarrierDone } from "./barrier.ts";
import { BlobDiskModel } from "./blob-disk-model.suite.ts";
import type { Passes, PassResult } from "./checkpoint-worker.ts";
import { DATABASE_FILE } from "./data-directory.ts";
import { DiskModel } from "./disk-model.suite.ts";
import { dump, newInvocation, NOW_MS } from "./fixtures.suite.ts";
import { MemoryStore } from "./memory-store.ts";
import { openDatabase } from "./open.ts";
import { Chance, type Plan, randomPlan } from "./random-transactions.suite.ts";
import { openSqliteStore, SqliteStore } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

const SEQ_END = 80;
/** Most values of random transactions are as large; and few are. */
const BLOB_THRESHOLDS_BYTES = [10, 5000];
const directory = tempDirectories();

/** Runs a pass when the test says so, on the thread of the test. */
class SteppedPasses implements Passes {
  readonly #disk: () => DiskModel;
  readonly #db: Database.Database;
  #asked: ((error: Error | null, result: PassResult) => void) | null = null;
  ended = 0;
  cutShort = 0;

  constructor(file: string, disk: () => DiskModel) {
    this.#disk = disk;
    this.#db = new Database(file);
    this.#db.pragma("wal_autocheckpoint = 0");
    this.#db.pragma("synchronous = NORMAL");
  }

  run(done: (error: Error | null, result: PassResult) => void): void {
    this.#asked = done;
  }

  step(): void {
    const done = this.#asked;
    if (done === null) return;
    this.#asked = null;
    // SQLite syncs the log before it copies a page, and the database only when the whole log is in it.
    this.#disk().beginWalSync()();
    const row = this.#db.prepare("PRAGMA wal_checkpoint(PASSIVE)").raw().get();
    assert.ok(Array.isArray(row));
    const [frames, checkpointed] = [Number(row[1]), Number(row[2])];
    if (frames === checkpointed) {
      this.ended += 1;
      this.#disk().beginDatabaseSync()();
    } else {
      this.cutShort += 1;
    }
    done(null, { frames, checkpointed });
  }

  async close(): Promise<void> {
    this.#db.close();
  }
}

class Run {
  readonly chance: Chance;
  readonly #file: string;
  readonly #memory = new MemoryStore();
  readonly #store: SqliteStore;
  readonly #disk: DiskModel;
  readonly #passes: SteppedPasses;
  readonly #reader: Database.Database;
  readonly #syncs: (() => void)[] = [];
  /** What the store holds after so many commits. */
  readonly #dumps: string[] = [];
  readonly #blobs: BlobDiskModel;
  /** A transaction whose large values are on their way to the disk. */
  #deferred: { readonly plan: Plan; isReady: boolean } | null = null;
  #durable = 0;
  tears = 0;
  deferrals = 0;
  restarts = 0;

  constructor(seed: number) {
    this.chance = new Chance(seed);
    const where = directory();
    const database = openDatabase(where, "disk");
    this.#file = path.join(where, DATABASE_FILE);
    this.#passes = new SteppedPasses(this.#file, () => this.#disk);
    this.#blobs = new BlobDiskModel(where);
    this.#store = new SqliteStore(database, {
      durability: "disk",
      blobThresholdBytes: BLOB_THRESHOLDS_BYTES[seed % 2] ?? 0,
      blobDisk: this.#blobs,
      walBytesMax: 24 * 4120,
      passes: this.#passes,
      fdatasync: (fd, done) => this.#onSync(fd === database.walFd, done),
    });
    this.#disk = new DiskModel(this.#file);
    this.#reader = new Database(this.#file, { readonly: true });
    this.#dumps.push(dump(this.#memory, SEQ_END));
  }

  get blobSyncs(): number {
    return this.#blobs.syncs.now + this.#blobs.syncs.later;
  }

  get checkpoints(): readonly [ended: number, cutShort: number] {
    return [this.#passes.ended, this.#passes.cutShort];
  }

  #onSync(wal: boolean, done: BarrierDone): void {
    // The store's own transactions, and their syncs, begin within the one that the test makes.
    if (wal && this.#disk.afterCommit()) this.restarts += 1;
    const end = wal ? this.#disk.beginWalSync() : this.#disk.beginDatabaseSync();
    this.#syncs.push(() => {
      end();
      done(null);
    });
  }

  /** One random event. */
  step(number: number): void {
    this.#blobs.step(this.chance);
    // What nothing refers to any more is forgotten in transactions of the store's own.
    if (this.#disk.afterCommit()) this.restarts += 1;
    switch (this.chance.below(12)) {
      case 0:
      case 1:
        return this.#syncs.shift()?.();
      case 2:
      case 3:
        return this.#passes.step();
      case 4:
        if (this.#reader.inTransaction) this.#reader.exec("COMMIT");
        return undefined;
      case 5:
        // A foreign reader: checkpoints end at what it sees.
        if (!this.#reader.inTransaction && this.chance.below(4) === 0) {
          this.#reader.exec("BEGIN");
          this.#reader.prepare("SELECT count(*) FROM journal").get();
        }
        return undefined;
      case 6:
        return this.#losePower();
      default:
        // Most of the time the writer honours the gate; it need not.
        if (this.#store.commitGate === null || this.chance.below(8) === 0) this.#commit(number);
        return undefined;
    }
  }

  #commit(number: number): void {
    if (this.#deferred !== null && !this.#deferred.isReady) return;
    const plan = this.#deferred?.plan ?? this.#newPlan(number);
    const mayDefer = this.#deferred === null && this.chance.below(2) === 0;
    this.#deferred = null;
    try {
      this.#store.transact(plan, { mayDefer });
    } catch (error) {
      if (!(error instanceof Deferred)) throw error;
      this.#defer(plan, error.until);
      return;
    }
    this.#memory.transact(plan);
    if (this.#disk.afterCommit()) this.restarts += 1;
    this.#dumps.push(dump(this.#memory, SEQ_END));
    const commits = this.#dumps.length - 1;
    if (this.chance.below(3) === 0) {
      this.#store.barrier((error) => {
        assert.equal(error, null);
        this.#durable = Math.max(this.#durable, commits);
      });
    }
  }

  #newPlan(number: number): Plan {
    const plan = randomPlan(this.chance, number, 30);
    return (tx) => {
      const marker = tx.invocation(1) ?? tx.insertInvocation(newInvocation(0));
      marker.modifiedAtMs = NOW_MS + number;
      tx.save(marker);
      plan(tx);
    };
  }

  #defer(plan: Plan, until: Promise<void>): void {
    this.deferrals += 1;
    const deferred = { plan, isReady: false };
    this.#deferred = deferred;
    void until.then(() => (deferred.isReady = true));
  }

  #losePower(): void {
    this.tears += 1;
    const where = directory();
    this.#blobs.loseInto(where, this.chance);
    this.#disk.loseInto(path.join(where, DATABASE_FILE), this.chance);
    const found = openSqliteStore(where, { durability: "none" });
    const dumped = dump(found, SEQ_END);
    void found.close();
    const survived = this.#dumps.lastIndexOf(dumped);
    assert.ok(survived >= 0, "what is found is no state that ever was");
    assert.ok(
      survived >= this.#durable,
      `${survived} of ${this.#dumps.length - 1} commits survived, ${this.#durable} were durable`,
    );
  }

  async close(): Promise<void> {
    this.#reader.close();
    const closed = this.#store.close();
    for (let turn = 0; turn < 20; turn++) {
      this.#syncs.shift()?.();
      this.#passes.step();
      this.#blobs.step(this.chance);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
  }
}

describe("after a loss of power", () => {
  it("every durable transaction is there, and of the others a prefix, each whole", async () => {
    let [tears, restarts, ended, cutShort, deferrals, blobSyncs] = [0, 0, 0, 0, 0, 0];
    for (let seed = 1; seed <= 9; seed++) {
      const run = new Run(seed);
      for (let number = 1; number <= 500; number++) {
        run.step(number);
        // Barriers that need no sync answer in a microtask.
        if (number % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      tears += run.tears;
      restarts += run.restarts;
      deferrals += run.deferrals;
      blobSyncs += run.blobSyncs;
      ended += run.checkpoints[0];
      cutShort += run.checkpoints[1];
      await run.close();
    }
    const seen = JSON.stringify({ tears, restarts, ended, cutShort, deferrals, blobSyncs });
    assert.ok(tears >= 300 && restarts >= 30 && ended >= 30 && cutShort >= 3, seen);
    assert.ok(deferrals >= 20 && blobSyncs >= 150, seen);
  });
});
