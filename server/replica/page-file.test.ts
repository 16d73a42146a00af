import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it, mock } from "node:test";
import Database from "better-sqlite3";
import fc from "fast-check";
import { tempDirectories } from "../store/temp.suite.ts";
import { BLOB, deltaOf, PAGE_BYTES, pagesFrom } from "./format.suite.ts";
import { PageFile } from "./page-file.ts";
import type { Delta } from "./segment.ts";
import { readSnapshot, SnapshotEncoder } from "./snapshot-codec.ts";

const directory = tempDirectories();
const newFile = (): string => path.join(directory(), "image.db");

/** A database as the server has it, and its image after each of its changes. */
class Original {
  readonly #file = newFile();
  readonly #db = new Database(this.#file);

  constructor() {
    this.#db.pragma(`page_size = ${PAGE_BYTES}`);
    this.#db.pragma("journal_mode = WAL");
    this.#db.pragma("synchronous = OFF");
    this.#db.exec("CREATE TABLE entry (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT");
  }

  insert(count: number, bytes: number): void {
    const insert = this.#db.prepare("INSERT INTO entry (body) VALUES (?)");
    this.#db.transaction(() => {
      for (let index = 0; index < count; index += 1) insert.run(Buffer.alloc(bytes, index + 1));
    })();
    this.#db.exec("UPDATE entry SET body = CAST('changed ' || id AS BLOB) WHERE id % 3 = 0");
  }

  remove(remainder: number): void {
    this.#db.prepare("DELETE FROM entry WHERE id % 4 = ?").run(remainder);
  }

  vacuum(): void {
    this.#db.exec("VACUUM");
  }

  image(): Buffer {
    this.#db.pragma("wal_checkpoint(TRUNCATE)");
    return fs.readFileSync(this.#file);
  }

  rows(): unknown[] {
    return rowsOf(this.#db);
  }

  close(): void {
    this.#db.close();
  }
}

function rowsOf(db: Database.Database): unknown[] {
  return db.prepare("SELECT id, length(body), hex(body) FROM entry ORDER BY id").raw().all();
}

function pageOf(image: Uint8Array, number: number): Uint8Array {
  return image.subarray((number - 1) * PAGE_BYTES, number * PAGE_BYTES);
}

/** What changed from one image to the next. */
function deltaBetween(before: Uint8Array, after: Uint8Array): Delta {
  const databasePages = after.length / PAGE_BYTES;
  const numbers: number[] = [];
  for (let number = 1; number <= databasePages; number += 1) {
    if (Buffer.compare(pageOf(before, number), pageOf(after, number)) !== 0) numbers.push(number);
  }
  const pages = Buffer.concat(numbers.map((number) => pageOf(after, number)));
  return deltaOf({ blobs: [], numbers, pages }, databasePages);
}

/** SQLite finds what the original has, and nothing wrong. */
function assertRestored(file: string, original: Original): void {
  const db = new Database(file, { fileMustExist: true });
  try {
    assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
    assert.deepEqual(rowsOf(db), original.rows());
  } finally {
    db.close();
  }
}

/** How often, and where, files are written while `work` runs. */
function writesDuring(
  work: () => void,
): readonly { readonly at: number; readonly bytes: number }[] {
  const spy = mock.method(fs, "writeSync");
  try {
    work();
    return spy.mock.calls.map(({ arguments: given }) => {
      const [, , , bytes, at] = [...given] as unknown[];
      return { at: Number(at), bytes: Number(bytes) };
    });
  } finally {
    spy.mock.restore();
  }
}

const pagesOf = (numbers: readonly number[]): Uint8Array =>
  Buffer.concat(numbers.map((number) => pagesFrom(number, 1)));

describe("an image of a database", () => {
  it("made of a snapshot is the database", async () => {
    const original = new Original();
    original.insert(700, 3000);
    const image = original.image();
    const databasePages = image.length / PAGE_BYTES;
    const encoder = new SnapshotEncoder({
      epoch: 1,
      seq: 2,
      replicaId: new Uint8Array(16),
      segmentHash: new Uint8Array(32),
      timeMs: 0,
      databasePages,
    });
    const parts = [encoder.header()];
    for (let first = 1; first <= databasePages; first += 256) {
      const end = Math.min(first + 255, databasePages) * PAGE_BYTES;
      parts.push(encoder.block(first, image.subarray((first - 1) * PAGE_BYTES, end)));
    }
    parts.push(encoder.end().bytes);
    async function* download(): AsyncGenerator<Uint8Array> {
      for (const part of parts) yield await Promise.resolve(part);
    }
    const file = newFile();
    const target = PageFile.open(file);
    await readSnapshot(download(), (first, pages) => target.write(first, pages));
    target.sync();
    target.close();
    assert.ok(databasePages > 512);
    assert.ok(image.equals(fs.readFileSync(file)));
    assertRestored(file, original);
    original.close();
  });

  it("is the database after every delta, whether it grew, shrank or changed in between", () => {
    const changes = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant("insert" as const), count: fc.nat(30), bytes: fc.nat(9000) }),
        fc.record({ kind: fc.constant("remove" as const), remainder: fc.nat(3) }),
        fc.constant({ kind: "vacuum" as const }),
      ),
      { minLength: 1, maxLength: 8 },
    );
    const property = fc.property(changes, (all) => {
      const original = new Original();
      const file = newFile();
      const target = PageFile.open(file);
      let before: Uint8Array = new Uint8Array(0);
      try {
        for (const change of all) {
          if (change.kind === "insert") original.insert(change.count, change.bytes);
          else if (change.kind === "remove") original.remove(change.remainder);
          else original.vacuum();
          const after = original.image();
          target.applyDelta(deltaBetween(before, after));
          before = after;
          assert.ok(after.equals(fs.readFileSync(file)));
          assertRestored(file, original);
        }
      } finally {
        target.close();
        original.close();
      }
    });
    fc.assert(property, { numRuns: 40 });
  });

  it("gets neighbouring pages in one write", () => {
    const numbers = [1, 2, 3, 7, 9, 10, 500];
    const delta = deltaOf({ blobs: [], numbers, pages: pagesOf(numbers) }, 500);
    const file = newFile();
    const target = PageFile.open(file);
    const writes = writesDuring(() => target.applyDelta(delta));
    target.close();
    assert.deepEqual(
      writes.map(({ at, bytes }) => [at / PAGE_BYTES + 1, bytes / PAGE_BYTES]),
      [
        [1, 3],
        [7, 1],
        [9, 2],
        [500, 1],
      ],
    );
    const image = fs.readFileSync(file);
    for (const number of numbers) {
      assert.equal(Buffer.compare(pageOf(image, number), pagesFrom(number, 1)), 0);
    }
    assert.ok(pageOf(image, 8).every((byte) => byte === 0));
  });

  it("is written on where the system stopped short", () => {
    const { writeSync } = fs;
    const short = mock.method(
      fs,
      "writeSync",
      (fd: number, bytes: Uint8Array, from: number, length: number, at: number) =>
        writeSync(fd, bytes, from, Math.min(length, 1000), at),
    );
    const file = newFile();
    const target = PageFile.open(file);
    try {
      target.write(2, pagesFrom(2, 3));
    } finally {
      short.mock.restore();
    }
    target.close();
    const expected = Buffer.concat([new Uint8Array(PAGE_BYTES), pagesFrom(2, 3)]);
    assert.ok(expected.equals(fs.readFileSync(file)));
  });

  it("has exactly the pages of the database, those that were never written as zeros", () => {
    const file = newFile();
    const target = PageFile.open(file);
    target.applyDelta(deltaOf({ blobs: [], numbers: [1], pages: pagesFrom(1, 1) }, 5));
    assert.equal(fs.statSync(file).size, 5 * PAGE_BYTES);
    target.applyDelta(deltaOf({ blobs: [], numbers: [1], pages: pagesFrom(1, 1) }, 2));
    assert.equal(fs.statSync(file).size, 2 * PAGE_BYTES);
    target.close();
    const expected = Buffer.concat([pagesFrom(1, 1), new Uint8Array(PAGE_BYTES)]);
    assert.ok(expected.equals(fs.readFileSync(file)));
  });

  it("stays as it is with a delta without pages, which tells its payloads", () => {
    const file = newFile();
    const target = PageFile.open(file);
    target.write(1, pagesFrom(1, 2));
    const delta = deltaOf({ blobs: [BLOB], numbers: [], pages: new Uint8Array(0) }, 0);
    assert.deepEqual(target.applyDelta(delta), [BLOB]);
    target.close();
    assert.ok(Buffer.from(pagesFrom(1, 2)).equals(fs.readFileSync(file)));
  });

  it("is left as it was by a delta that is damaged", () => {
    const file = newFile();
    const target = PageFile.open(file);
    target.write(1, pagesFrom(1, 2));
    const delta = deltaOf({ blobs: [], numbers: [1], pages: pagesFrom(9, 1) }, 1);
    const damaged = { ...delta, body: delta.body.slice(0, -1) };
    assert.throws(() => target.applyDelta(damaged), { name: "DamageError" });
    target.close();
    assert.ok(Buffer.from(pagesFrom(1, 2)).equals(fs.readFileSync(file)));
  });

  it("is its owner's alone, and opened again goes on with what it holds", () => {
    const file = newFile();
    const first = PageFile.open(file);
    first.write(1, pagesFrom(1, 1));
    first.close();
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const again = PageFile.open(file);
    again.write(2, pagesFrom(2, 1));
    again.close();
    assert.ok(Buffer.from(pagesFrom(1, 2)).equals(fs.readFileSync(file)));
  });

  it("takes whole pages only", () => {
    const target = PageFile.open(newFile());
    assert.throws(() => target.write(0, pagesFrom(1, 1)), { name: "AssertionError" });
    assert.throws(() => target.write(1, new Uint8Array(100)), { name: "AssertionError" });
    target.close();
  });
});
