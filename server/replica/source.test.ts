/**
 * The store as a source: transactions at random, with checkpoints of its own and of others, readers, refusals and `kill -9`. A copier
 * follows by cuts; its image is always the database, page by page, and the log starts over only when it says so.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { newInvocation } from "../store/fixtures.suite.ts";
import { Chance, randomPlan } from "../store/random-transactions.suite.ts";
import { openSqliteStore, type SqliteStore } from "../store/sqlite-store.ts";
import { cut, locate } from "./pages-of-wal.ts";
import type { WalPosition } from "./segment.ts";
import { durable, type Source } from "./source.ts";
import { frameOffset } from "./wal.ts";
import { WalFile } from "./wal-file.ts";
import { WalThread } from "./wal-thread.ts";
import { assertCut, Image, recovered, salt1Of, tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();
const WAL_BYTES_MAX = 40 * 4120;

const open = (where: string, durability: "disk" | "none" = "none"): SqliteStore =>
  openSqliteStore(where, { durability, walBytesMax: WAL_BYTES_MAX, keepWal: true });

/** Follows a source by cuts. */
class Copier {
  readonly #source: Source;
  readonly image: Image;
  position: WalPosition;
  /** The log may have started over at `position`. */
  mayHaveStartedOver = false;

  /** With the image and position of one before it, or from what is there. */
  constructor(source: Source, directoryOfImage: string, before?: Copier) {
    this.#source = source;
    const { frames } = source.head();
    const commit = WalFile.with(source.file, (wal) => wal?.commitAt(frames) ?? null);
    const position = before?.position ?? commit?.position;
    assert.ok(position !== undefined);
    this.position = position;
    this.mayHaveStartedOver = before?.mayHaveStartedOver === true;
    const begin = recovered(source.file, path.dirname(source.file));
    this.image = before?.image ?? new Image(path.join(directoryOfImage, "image.db"), begin);
  }

  cut(rawBytesMax = Number.MAX_SAFE_INTEGER): void {
    const { frames, salt1 } = this.#source.head();
    const restarted = this.mayHaveStartedOver;
    const request = { from: this.position, restarted, toFrame: frames, toSalt1: salt1 };
    const result = cut(this.#source.file, { ...request, rawBytesMax, blobs: [] });
    assertCut(result);
    if (result.frames === 0) return;
    this.position = result.position;
    this.mayHaveStartedOver = false;
    this.image.apply(result);
  }

  cutAll(): void {
    this.cut();
    const { frames, salt1 } = this.#source.head();
    assert.equal(this.position.frame, frames);
    assert.equal(this.position.salt1, salt1);
    this.image.assertEquals(recovered(this.#source.file, path.dirname(this.#source.file)));
  }

  grant(): void {
    this.cut();
    this.mayHaveStartedOver = true;
  }
}

class World {
  readonly #chance: Chance;
  #store: SqliteStore;
  #copier: Copier;
  #foreign: Database.Database;
  #reader: Database.Database;
  #salt1: number;
  #isGranted = false;
  #number = 0;
  readonly counts = { restarts: 0, refused: 0, asked: 0, kills: 0, cuts: 0, ungated: 0 };

  constructor(seed: number) {
    this.#chance = new Chance(seed);
    const where = directory();
    this.#store = open(where);
    this.#copier = this.#replicate();
    [this.#foreign, this.#reader] = this.#outsiders();
    this.#salt1 = salt1Of(this.#store.file);
  }

  async step(): Promise<void> {
    switch (this.#chance.below(12)) {
      case 0:
        this.#checkpoint();
        break;
      case 1:
        if (this.#reader.inTransaction) this.#reader.exec("COMMIT");
        else if (this.#chance.below(3) === 0) {
          this.#reader.exec("BEGIN");
          this.#reader.prepare("SELECT count(*) FROM journal").get();
        }
        break;
      case 2:
        this.#copier.cut(4096 * (1 + this.#chance.below(40)));
        break;
      case 3:
        this.#copier.cutAll();
        this.counts.cuts += 1;
        break;
      case 4:
        if (this.#chance.below(15) === 0) await this.#kill();
        break;
      case 5:
        await new Promise((resolve) => setTimeout(resolve, 1));
        break;
      default:
        this.#commit();
    }
    this.#look();
  }

  async close(): Promise<void> {
    this.#copier.cutAll();
    this.#copier.image.close();
    this.#foreign.close();
    this.#reader.close();
    await this.#store.close();
  }

  #outsiders(): [Database.Database, Database.Database] {
    return [
      new Database(this.#store.file, { timeout: 0 }),
      new Database(this.#store.file, { readonly: true }),
    ];
  }

  #replicate(before?: Copier): Copier {
    const store = this.#store;
    store.replicate({
      commitGate: () => null,
      mayStartOver: (done) => {
        this.counts.asked += 1;
        const answer = (): void => {
          if (this.#store !== store) return done(false);
          const ok = this.#chance.below(2) === 0;
          if (ok) {
            this.#copier.grant();
            this.#isGranted = true;
          } else {
            this.counts.refused += 1;
          }
          return done(ok);
        };
        if (this.#chance.below(2) === 0) answer();
        else setTimeout(answer, this.#chance.below(3));
      },
    });
    return new Copier(store, path.dirname(store.file), before);
  }

  /** Of another program; any kind may be refused, none may take the log away. */
  #checkpoint(): void {
    const modes = ["PASSIVE", "FULL", "RESTART", "TRUNCATE"];
    this.#foreign.exec(`PRAGMA wal_checkpoint(${this.#chance.pick(modes) ?? ""})`);
  }

  #commit(): void {
    // Most of the time the writer honours the gate; it need not.
    if (this.#store.commitGate !== null) {
      if (this.#chance.below(6) !== 0) return;
      this.counts.ungated += 1;
    }
    this.#number += 1;
    const before = this.#store.head().commits;
    this.#store.transact(randomPlan(this.#chance, this.#number, 30));
    assert.ok(this.#store.head().commits - before <= 2);
  }

  /** The log has started over only if that was granted since the last time. */
  #look(): void {
    const salt1 = salt1Of(this.#store.file);
    if (salt1 === this.#salt1) return;
    assert.equal(salt1, (this.#salt1 + 1) >>> 0);
    assert.ok(this.#isGranted, "the log started over unasked");
    this.#isGranted = false;
    this.#salt1 = salt1;
    this.counts.restarts += 1;
  }

  /** The process is gone; of what is not shipped, something may be missing at the log's end. */
  async #kill(): Promise<void> {
    this.counts.kills += 1;
    this.#look();
    const where = directory();
    const log = path.join(where, "holdfast.db-wal");
    const { position } = this.#copier;
    const { frames } = this.#store.head();
    fs.copyFileSync(this.#store.file, path.join(where, "holdfast.db"));
    for (let more = this.#chance.below(4); more > 0; more -= 1) this.#commit();
    fs.copyFileSync(`${this.#store.file}-wal`, log);
    if (position.salt1 === this.#salt1) {
      // A checkpoint copies what is synced: of the frames that were there when the database was copied, none is missing.
      const [end, { size }] = [frameOffset(frames + 1), fs.statSync(log)];
      fs.truncateSync(log, end + this.#chance.below(size - end + 1));
      if (this.#chance.below(2) === 0) fs.appendFileSync(log, Buffer.alloc(5000, 7));
    }
    const [before, old] = [this.#copier, this.#store];
    for (const db of [this.#foreign, this.#reader]) db.close();
    this.#store = open(where);
    await old.close();
    const expected = position.salt1 === this.#salt1 ? "here" : "ended";
    assert.equal(locate(this.#store.file, position), expected);
    this.#copier = this.#replicate(before);
    [this.#foreign, this.#reader] = this.#outsiders();
    this.#copier.cutAll();
  }
}

describe("a store with a replica", () => {
  it("can be followed by cuts, and its log starts over only with leave", async () => {
    const total = { restarts: 0, refused: 0, asked: 0, kills: 0, cuts: 0, ungated: 0 };
    for (let seed = 1; seed <= 12; seed += 1) {
      const world = new World(seed);
      try {
        for (let step = 0; step < 400; step += 1) await world.step();
        await world.close();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const name of ["restarts", "refused", "asked", "kills", "cuts", "ungated"] as const) {
        total[name] += world.counts[name];
      }
    }
    const { restarts, refused, kills, ungated } = total;
    assert.ok(restarts > 10 && refused > 10 && kills > 10 && ungated > 0, JSON.stringify(total));
  });

  it("keeps its log as it is while all of it is in the database, nothing happens, and somebody else tries", async () => {
    const store = open(directory());
    store.replicate({ commitGate: () => null, mayStartOver: (done) => done(false) });
    const salt1 = salt1Of(store.file);
    const insert = inserter(store);
    const foreign = new Database(store.file, { timeout: 0 });
    for (let round = 0; round < 30; round += 1) {
      insert(10);
      // The guard goes on before a pass; until then no checkpoint gets beyond it.
      await new Promise((resolve) => setTimeout(resolve, 5));
      for (const mode of ["PASSIVE", "RESTART", "TRUNCATE"]) {
        foreign.exec(`PRAGMA wal_checkpoint(${mode})`);
      }
    }
    assert.equal(salt1Of(store.file), salt1);
    assert.equal(store.head().salt1, salt1);
    foreign.close();
    await store.close();
  });

  it("keeps its log and its locks from other processes that come and go, whatever the replica reads", async () => {
    const where = directory();
    const store = open(where);
    store.replicate({ commitGate: () => null, mayStartOver: (done) => done(false) });
    const insert = inserter(store);
    insert(20);
    const pages = new WalThread(store);
    const locks = locksOn(store.file);
    const { salt1 } = store.head();
    const program = `
      const Database = require(${JSON.stringify(createRequire(import.meta.url).resolve("better-sqlite3"))});
      const db = new Database(${JSON.stringify(store.file)}, { timeout: 0 });
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      db.close();`;
    const ids = { replicaId: new Uint8Array(16), segmentHash: new Uint8Array(32) };
    for (let round = 0; round < 3; round += 1) {
      await pages.pin();
      const file = path.join(where, "snapshot");
      await pages.write({ file, seq: 1, epoch: 1, timeMs: 0, ...ids });
      await pages.release();
      assert.equal(locksOn(store.file), locks);
      insert(5);
      execFileSync(process.execPath, ["-e", program]);
      insert(5);
      const { frames } = store.head();
      const request = { restarted: false, rawBytesMax: Number.MAX_SAFE_INTEGER, blobs: [] };
      const result = await pages.cut({
        from: "start",
        toFrame: frames,
        toSalt1: salt1,
        ...request,
      });
      assertCut(result);
    }
    assert.equal(store.head().salt1, salt1);
    assert.equal(salt1Of(store.file), salt1);
    await pages.close();
    await store.close();
  });

  it("starts its log over at once when it may, by a commit that is told and shipped like any other", async () => {
    const store = open(directory(), "disk");
    let told = 0;
    const asked: ((ok: boolean) => void)[] = [];
    store.onCommit(() => (told += 1));
    store.replicate({ commitGate: () => null, mayStartOver: (done) => asked.push(done) });
    const insert = inserter(store);
    insert(200);
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const [gate, before] = [store.commitGate, store.head()];
    assert.ok(gate !== null);
    const copier = new Copier(store, directory());
    copier.grant();
    assert.equal(before.commits, told);
    asked[0]?.(true);
    await gate;
    const after = store.head();
    assert.deepEqual(after, { commits: before.commits + 1, frames: 1, salt1: before.salt1 + 1 });
    assert.equal(told, after.commits);
    assert.equal(store.isDurable, false);
    await durable(store);
    assert.equal(store.isDurable, true);
    copier.cutAll();
    insert(3);
    copier.cutAll();
    copier.image.close();
    await store.close();
  });

  it("does not start its log over with a commit in it that nobody waited with", async () => {
    const store = open(directory());
    const asked: ((ok: boolean) => void)[] = [];
    store.replicate({ commitGate: () => null, mayStartOver: (done) => asked.push(done) });
    const insert = inserter(store);
    insert(200);
    while (asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    const { salt1, frames } = store.head();
    insert(1);
    asked[0]?.(true);
    insert(1);
    assert.equal(store.head().salt1, salt1);
    assert.ok(store.head().frames > frames);
    assert.equal(store.commitGate, null);
    await store.close();
  });

  it("passes on what holds commits back", async () => {
    const store = open(directory());
    assert.equal(store.commitGate, null);
    const gate = Promise.resolve();
    store.replicate({ commitGate: () => gate, mayStartOver: (done) => done(true) });
    assert.equal(store.commitGate, gate);
    await store.close();
  });

  it("is replicated once, and only where its log was kept on opening", async () => {
    const replication = { commitGate: () => null, mayStartOver: () => {} };
    const store = open(directory());
    store.replicate(replication);
    assert.throws(() => store.replicate(replication), /one copier/);
    await store.close();
    const other = openSqliteStore(directory(), { durability: "none" });
    assert.throws(() => other.replicate(replication), /one copier/);
    await other.close();
  });

  it("checkpoints nothing of a log that was kept before it is replicated", async () => {
    const where = directory();
    const store = open(where);
    const insert = inserter(store);
    insert(300);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const { frames, salt1 } = store.head();
    assert.ok(frames * 4120 > 2 * WAL_BYTES_MAX);
    const db = new Database(store.file);
    const row: unknown = db.prepare("PRAGMA wal_checkpoint(NOOP)").raw().get();
    assert.deepEqual(row, [0, frames, 0]);
    db.close();
    assert.equal(salt1Of(store.file), salt1);
    await store.close();
  });

  it("leaves its log behind when closed where that is wanted, and goes on from there", async () => {
    const where = directory();
    const store = open(where, "disk");
    store.replicate({ commitGate: () => null, mayStartOver: (done) => done(false) });
    inserter(store)(20);
    const copier = new Copier(store, directory());
    inserter(store, 100)(20);
    const { frames, salt1 } = store.head();
    await store.close({ keepWal: true });

    const again = open(where, "disk");
    assert.equal(locate(again.file, copier.position), "here");
    assert.deepEqual(again.head(), { commits: 0, frames, salt1 });
    again.replicate({ commitGate: () => null, mayStartOver: (done) => done(false) });
    const next = new Copier(again, directory(), copier);
    next.cutAll();
    next.image.close();
    await again.close();
    assert.equal(fs.existsSync(`${again.file}-wal`), false);
    const last = open(where, "disk");
    assert.equal(last.read((reader) => reader.running(0, 100)).length, 40);
    await last.close();
  });
});

/** Of processes, as Linux tells it; nothing elsewhere. */
function locksOn(file: string): number {
  const { ino } = fs.statSync(file);
  if (!fs.existsSync("/proc/locks")) return 0;
  const lines = fs.readFileSync("/proc/locks", "utf8").split("\n");
  return lines.filter((line) => line.includes(`:${ino} `)).length;
}

function inserter(store: SqliteStore, from = 0): (count: number) => void {
  let number = from;
  return (count) => {
    for (; count > 0; count -= 1) {
      number += 1;
      store.transact((tx) => tx.insertInvocation(newInvocation(number)));
    }
  };
}
