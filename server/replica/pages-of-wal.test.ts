/**
 * Cuts against SQLite itself: whatever is committed, checkpointed and cut, the image that only the cuts made is, page by page, the
 * database as SQLite would recover it at that commit.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import type Database from "better-sqlite3";
import { cut, type CutRequest, locate, NO_LOG } from "./pages-of-wal.ts";
import { unpackDelta } from "./delta-pages.ts";
import { frameOffset } from "./wal.ts";
import { WalFile } from "./wal-file.ts";
import {
  assertCut,
  deltaOf,
  Image,
  openWal,
  progressOf,
  randomTransaction,
  recovered,
  salt1Of,
  tempDirectories,
  upTo,
} from "./wal.suite.ts";

const directory = tempDirectories();

/** Numbers from a seed (mulberry32). */
function chance(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  };
}

/** A writer, foreign readers and checkpoints, and an image that follows by cuts; it knows when a cut must be lost. */
class World {
  readonly #directory = directory();
  readonly #below: (end: number) => number;
  readonly db: Database.Database;
  readonly #reader: Database.Database;
  readonly #checkpointer: Database.Database;
  #image: Image;
  #from: CutRequest["from"];
  /** The log at the end of the last commit. */
  #end = { frames: 0, salt1: 0 };
  /** The log started over: with all of it in the image, or not. */
  #restart: "none" | "at-end" | "lost" = "none";
  readonly counts = { cuts: 0, partial: 0, restarts: 0, lost: 0, shrunk: 0 };

  constructor(seed: number) {
    this.#below = chance(seed);
    this.db = openWal(path.join(this.#directory, "world.db"));
    this.#reader = openWal(this.db.name);
    this.#checkpointer = openWal(this.db.name);
    this.#image = this.#imageNow();
    this.#from = "start";
  }

  step(): void {
    switch (this.#below(10)) {
      case 0:
        this.#checkpointer.exec("PRAGMA wal_checkpoint(PASSIVE)");
        break;
      case 1:
        if (this.#reader.inTransaction) this.#reader.exec("COMMIT");
        else if (this.#below(3) === 0) {
          this.#reader.exec("BEGIN");
          this.#reader.prepare("SELECT count(*) FROM sqlite_schema").get();
        }
        break;
      case 2:
      case 3:
      case 4:
        this.#cut();
        break;
      default:
        this.#commit();
    }
  }

  close(): void {
    this.#image.close();
    for (const db of [this.#reader, this.#checkpointer, this.db]) db.close();
  }

  #imageNow(): Image {
    const bytes = recovered(this.db.name, this.#directory);
    return new Image(path.join(this.#directory, "image.db"), bytes);
  }

  #commit(): void {
    const pages = this.db.pragma("page_count", { simple: true });
    if (this.#below(15) === 0 && !this.#reader.inTransaction) this.db.exec("VACUUM");
    else randomTransaction(this.db, this.#below);
    if (Number(this.db.pragma("page_count", { simple: true })) < Number(pages))
      this.counts.shrunk += 1;
    const before = this.#end;
    this.#end = { frames: progressOf(this.db).frames, salt1: salt1Of(this.db.name) };
    if (before.salt1 === 0 || before.salt1 === this.#end.salt1) return;
    this.counts.restarts += 1;
    const isAtEnd = this.#restart === "none" && this.#isAt(before);
    this.#restart = isAtEnd ? "at-end" : "lost";
  }

  #isAt({ frames, salt1 }: { frames: number; salt1: number }): boolean {
    return this.#from !== "start" && this.#from.frame === frames && this.#from.salt1 === salt1;
  }

  #cut(): void {
    if (this.#end.salt1 === 0) return;
    const rawBytesMax =
      this.#below(2) === 0 ? Number.MAX_SAFE_INTEGER : 4096 * (1 + this.#below(60));
    const request = {
      ...upTo(this.db, this.#from),
      restarted: this.#restart === "at-end",
      rawBytesMax,
    };
    const result = cut(this.db.name, request);
    if (this.#restart === "lost") {
      assert.ok("lost" in result, "what was never cut is gone");
      this.counts.lost += 1;
      this.#image.close();
      this.#image = this.#imageNow();
      this.#from = this.#positionNow();
      this.#restart = "none";
      return;
    }
    assertCut(result);
    this.counts.cuts += 1;
    this.#image.apply(result);
    this.#from = result.position;
    this.#restart = "none";
    if (result.position.frame < request.toFrame) {
      this.counts.partial += 1;
      assert.ok(result.pageCount * 4096 >= rawBytesMax);
      return;
    }
    this.#image.assertEquals(recovered(this.db.name, this.#directory));
    assert.equal(result.databasePages, this.db.pragma("page_count", { simple: true }));
    assert.equal(locate(this.db.name, result.position), "here");
  }

  #positionNow(): CutRequest["from"] {
    const { frames } = progressOf(this.db);
    const commit = WalFile.with(this.db.name, (wal) => wal?.commitAt(frames));
    assert.ok(commit != null);
    return commit.position;
  }
}

describe("cuts of a write-ahead log", () => {
  it("bring an image to what the database is at that commit, whatever was done to it", () => {
    const total = { cuts: 0, partial: 0, restarts: 0, lost: 0, shrunk: 0 };
    for (let seed = 1; seed <= 12; seed += 1) {
      const world = new World(seed);
      try {
        for (let step = 0; step < 120; step += 1) world.step();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const name of ["cuts", "partial", "restarts", "lost", "shrunk"] as const) {
        total[name] += world.counts[name];
      }
      world.close();
    }
    for (const [name, count] of Object.entries(total)) assert.ok(count > 10, `${name}: ${count}`);
  });

  it("hold each page once, the newest, in the order of their numbers", () => {
    const db = openWal(path.join(directory(), "some.db"));
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    for (let id = 1; id <= 50; id += 1) {
      db.prepare("INSERT INTO t VALUES (?, ?)").run(id, Buffer.alloc(3000, id));
    }
    const result = cut(db.name, upTo(db, "start"));
    assertCut(result);
    const { numbers, pages } = unpackDelta(deltaOf(result));
    assert.deepEqual(
      numbers,
      Array.from({ length: numbers.length }, (_, index) => index + 1),
    );
    assert.equal(numbers.length, result.databasePages);
    assert.ok(result.frames > 2 * numbers.length);
    assert.equal(pages.length, numbers.length * 4096);
    db.close();
  });

  it("leave out pages that a later commit cut off", () => {
    const db = openWal(path.join(directory(), "some.db"));
    db.exec("CREATE TABLE t (body BLOB)");
    db.prepare("INSERT INTO t VALUES (?)").run(Buffer.alloc(100_000));
    db.exec("DELETE FROM t");
    db.exec("VACUUM");
    const result = cut(db.name, upTo(db, "start"));
    assertCut(result);
    assert.ok(result.databasePages < 5, `${result.databasePages}`);
    assert.ok(result.pageCount <= result.databasePages);
    db.close();
  });

  it("are empty where nothing follows, also when the log has started over since", () => {
    const db = openWal(path.join(directory(), "some.db"));
    const empty = cut(db.name, upTo(db, "start"));
    assertCut(empty);
    assert.deepEqual([empty.position, empty.pageCount, empty.frames], [NO_LOG, 0, 0]);
    db.exec("CREATE TABLE t (x)");
    const request = upTo(db, empty.position);
    const first = cut(db.name, request);
    assertCut(first);
    const again = { ...upTo(db, first.position), restarted: true };
    const expected = { position: first.position, databasePages: 2, pageCount: 0, frames: 0 };
    const second = cut(db.name, again);
    assertCut(second);
    assert.deepEqual({ ...expected, ...second }, second);
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    db.exec("INSERT INTO t VALUES (1)");
    assert.notEqual(salt1Of(db.name), request.toSalt1);
    const third = cut(db.name, again);
    assertCut(third);
    assert.deepEqual([third.position, third.frames], [first.position, 0]);
    db.close();
  });

  it("name the payloads they are given, and none without a commit", () => {
    const db = openWal(path.join(directory(), "some.db"));
    const blobs = [{ hash: new Uint8Array(32).fill(7), id: new Uint8Array(8).fill(8), size: 9 }];
    assert.throws(() => cut(db.name, { ...upTo(db, "start"), blobs }), /without a commit/);
    db.exec("CREATE TABLE t (x)");
    const result = cut(db.name, { ...upTo(db, "start"), blobs });
    assertCut(result);
    assert.deepEqual(unpackDelta(deltaOf(result)).blobs, blobs);
    const more = cut(db.name, { ...upTo(db, result.position), blobs });
    assertCut(more);
    assert.deepEqual([more.blobCount, more.pageCount, more.databasePages], [1, 0, 2]);
    db.close();
  });

  it("are lost where the log is damaged, shorter than it was, gone, or started over too often", () => {
    const db = openWal(path.join(directory(), "some.db"));
    db.exec("CREATE TABLE t (x)");
    const first = cut(db.name, upTo(db, "start"));
    assertCut(first);
    db.exec("INSERT INTO t VALUES (1)");
    const request = upTo(db, first.position);
    const lost = (change: Partial<CutRequest>): string => {
      const result = cut(db.name, { ...request, ...change });
      return "lost" in result ? result.lost : "not lost";
    };
    assert.equal(lost({}), "not lost");
    const { salt1 } = first.position;
    const older = { ...first.position, salt1: salt1 - 1 };
    assert.equal(lost({ from: older, restarted: true }), "not lost");
    assert.match(lost({ from: older }), /before all of it was shipped/);
    const oldest = { ...first.position, salt1: salt1 - 2 };
    assert.match(lost({ from: oldest, restarted: true }), /before all of it was shipped/);
    const foreign = { ...first.position, salt2: first.position.salt2 ^ 1 };
    assert.match(lost({ from: foreign, restarted: true }), /before all of it was shipped/);
    assert.match(lost({ toSalt1: salt1 - 1 }), /started over by itself/);
    assert.match(lost({ from: { ...first.position, frame: 99 } }), /shorter/);
    assert.match(lost({ from: { ...first.position, checksum2: 1 } }), /frame 3 .* is damaged/);

    const log = `${db.name}-wal`;
    const whole = fs.readFileSync(log);
    fs.writeFileSync(log, whole.subarray(0, -1));
    assert.match(lost({}), /damaged/);
    const flipped = Buffer.from(whole);
    flipped[whole.length - 1] = 1 ^ (flipped[whole.length - 1] ?? 0);
    fs.writeFileSync(log, flipped);
    assert.match(lost({}), /damaged/);
    fs.writeFileSync(log, "");
    assert.match(lost({}), /gone/);
    fs.rmSync(log);
    assert.match(lost({}), /gone/);
    fs.writeFileSync(log, whole);
    db.close();
  });

  it("are lost where one transaction changed more than a segment may hold, and many small ones are not", () => {
    const db = openWal(path.join(directory(), "large.db"));
    db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    const begun = cut(db.name, upTo(db, "start"));
    assertCut(begun);
    const most = 10 * 4096;
    const insert = db.prepare("INSERT INTO t (body) VALUES (zeroblob(3000))");
    for (let count = 0; count < 100; count += 1) insert.run();
    let { position } = begun;
    const { toFrame } = upTo(db, position);
    while (position.frame < toFrame) {
      const part = cut(db.name, upTo(db, position), most);
      assertCut(part);
      assert.ok(part.pageCount <= 14, "a cut ends once it is long");
      position = part.position;
    }
    db.exec("UPDATE t SET body = zeroblob(3001)");
    assert.deepEqual(cut(db.name, upTo(db, position), most), {
      lost: `one transaction changed more than ${most} bytes`,
    });
    assertCut(cut(db.name, upTo(db, position)));
    db.close();
  });

  it("are lost where somebody emptied the log, unless it was allowed to start over there", () => {
    const db = openWal(path.join(directory(), "emptied.db"));
    db.exec("CREATE TABLE t (x); INSERT INTO t VALUES (1)");
    const begun = cut(db.name, upTo(db, "start"));
    assertCut(begun);
    const from = begun.position;
    db.exec("INSERT INTO t VALUES (2)");
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const empty = { ...upTo(db, from), toFrame: 0, toSalt1: 0 };
    assert.deepEqual(cut(db.name, empty), {
      lost: "the write-ahead log was emptied before all of it was shipped",
    });
    assertCut(cut(db.name, { ...empty, restarted: true }));
    assertCut(cut(db.name, { ...empty, from: "start" }));
    db.close();
  });

  it("never end within a transaction", () => {
    const db = openWal(path.join(directory(), "some.db"));
    db.exec("CREATE TABLE t (x)");
    assert.throws(() => cut(db.name, { ...upTo(db, "start"), toFrame: 1 }), /ends no transaction/);
    db.exec("INSERT INTO t VALUES (zeroblob(50000))");
    const request = upTo(db, "start");
    const result = cut(db.name, { ...request, rawBytesMax: 4096 });
    assertCut(result);
    assert.equal(result.position.frame, 2, "the commit that goes beyond is the last");
    const next = cut(db.name, { ...request, from: result.position, rawBytesMax: 4096 });
    assertCut(next);
    assert.equal(next.position.frame, request.toFrame);
    db.close();
  });
});

describe("a position in a write-ahead log", () => {
  it("is here, or ended, or neither", () => {
    const where = directory();
    const db = openWal(path.join(where, "some.db"));
    db.exec("CREATE TABLE t (x)");
    const first = cut(db.name, upTo(db, "start"));
    assertCut(first);
    const { position } = first;
    db.exec("INSERT INTO t VALUES (1)");
    assert.equal(locate(db.name, position), "here");
    assert.equal(locate(db.name, { ...position, frame: 3 }), "other");
    assert.equal(locate(db.name, { ...position, frame: 99 }), "other");
    assert.equal(locate(db.name, { ...position, checksum1: 1 }), "other");
    assert.equal(locate(db.name, { ...position, salt2: 1 }), "other");
    assert.equal(locate(db.name, { ...position, salt1: position.salt1 - 1 }), "ended");
    assert.equal(locate(db.name, { ...position, salt1: position.salt1 - 2 }), "other");

    const log = `${db.name}-wal`;
    const copy = path.join(where, "copy.db");
    const located = (bytes: Uint8Array): string => {
      fs.writeFileSync(`${copy}-wal`, bytes);
      return locate(copy, position);
    };
    const bytes = fs.readFileSync(log);
    assert.equal(located(bytes), "here");
    assert.equal(located(bytes.subarray(0, frameOffset(3))), "here");
    assert.equal(located(bytes.subarray(0, frameOffset(3) - 1)), "other", "torn before it");
    const damaged = Buffer.from(bytes);
    damaged[frameOffset(1) + 500] = 1 ^ (damaged[frameOffset(1) + 500] ?? 0);
    assert.equal(located(damaged), "other", "SQLite would recover nothing of it");
    assert.equal(located(new Uint8Array(4096)), "ended");
    assert.equal(located(new Uint8Array(0)), "ended");
    assert.equal(located(bytes.fill(1, 0, 4)), "other");

    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    db.exec("INSERT INTO t VALUES (2)");
    assert.equal(locate(db.name, position), "ended");
    db.exec("PRAGMA wal_checkpoint(PASSIVE)");
    db.exec("INSERT INTO t VALUES (3)");
    assert.equal(locate(db.name, position), "other");
    db.close();
    assert.equal(locate(db.name, position), "ended", "the last connection removed the log");
  });
});
