import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import fc from "fast-check";
import { FRAME_BYTES, FrameCursor, HEADER_BYTES, origin, parseHeader } from "./wal.ts";
import { openWal, progressOf, tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();

/** A log of several commits, as SQLite writes it. */
function someLog(): { bytes: Buffer; commits: number[] } {
  const db = openWal(path.join(directory(), "some.db"));
  const commits: number[] = [];
  db.exec("CREATE TABLE t (body BLOB)");
  commits.push(progressOf(db).frames);
  for (let size = 100; size < 30_000; size *= 3) {
    db.prepare("INSERT INTO t VALUES (?)").run(Buffer.alloc(size, size));
    commits.push(progressOf(db).frames);
  }
  const bytes = fs.readFileSync(`${db.name}-wal`);
  db.close();
  return { bytes, commits };
}

/** The frames a reader accepts, and those of them that end a transaction. */
function read(log: Uint8Array): { frames: number; commits: number[] } {
  const bytes = new Uint8Array(log);
  const header = parseHeader(bytes);
  if (header === null) return { frames: 0, commits: [] };
  const cursor = new FrameCursor(header, origin(header));
  const commits: number[] = [];
  for (let at = HEADER_BYTES; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES) {
    if (!cursor.advance(bytes.buffer, at)) break;
    assert.equal(cursor.position.frame, (at - HEADER_BYTES) / FRAME_BYTES + 1);
    if (cursor.databasePages > 0) commits.push(cursor.position.frame);
  }
  return { frames: cursor.position.frame, commits };
}

/** The same log as a machine of the other byte order writes it. */
function inOtherOrder(log: Buffer): Buffer {
  const bytes = Buffer.from(log);
  const isBigEndian = (bytes.readUInt32BE(0) & 1) === 0;
  let [first, second] = [0, 0];
  const add = (from: number, to: number): void => {
    const word = (at: number) => (isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
    for (let at = from; at < to; at += 8) {
      first = (first + word(at) + second) >>> 0;
      second = (second + word(at + 4) + first) >>> 0;
    }
  };
  bytes.writeUInt32BE(0x377f0682 + (isBigEndian ? 1 : 0), 0);
  add(0, 24);
  bytes.writeUInt32BE(second, bytes.writeUInt32BE(first, 24));
  for (let at = HEADER_BYTES; at + FRAME_BYTES <= bytes.length; at += FRAME_BYTES) {
    add(at, at + 8);
    add(at + 24, at + FRAME_BYTES);
    bytes.writeUInt32BE(second, bytes.writeUInt32BE(first, at + 16));
  }
  return bytes;
}

describe("a write-ahead log", () => {
  const { bytes, commits } = someLog();
  const frames = (bytes.length - HEADER_BYTES) / FRAME_BYTES;

  it("is read as SQLite wrote it, to its last frame", () => {
    assert.ok(commits.length > 4 && frames > 10);
    assert.deepEqual(read(bytes), { frames, commits });
  });

  it("is read whatever the byte order of the machine that wrote it", () => {
    const other = inOtherOrder(bytes);
    assert.notDeepEqual(other, bytes);
    assert.deepEqual(read(other), { frames, commits });
  });

  it("ends before the first frame of which any bit is wrong", () => {
    const property = fc.property(
      fc.nat(bytes.length - 1),
      fc.integer({ min: 1, max: 255 }),
      (at, flip) => {
        const damaged = new Uint8Array(bytes);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        const expected = at < HEADER_BYTES ? 0 : Math.floor((at - HEADER_BYTES) / FRAME_BYTES);
        assert.equal(read(damaged).frames, expected);
      },
    );
    fc.assert(property, { numRuns: 400 });
    for (let at = 0; at < HEADER_BYTES; at += 1) {
      const damaged = new Uint8Array(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      assert.equal(read(damaged).frames, 0, `byte ${at} of the header`);
    }
  });

  it("ends with the last whole frame where it was cut off", () => {
    const property = fc.property(fc.nat(bytes.length), (length) => {
      const whole = Math.max(0, Math.floor((length - HEADER_BYTES) / FRAME_BYTES));
      assert.equal(read(bytes.subarray(0, length)).frames, whole);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it("goes on from any frame's checksum, and from no other", () => {
    const copy = new Uint8Array(bytes);
    const header = parseHeader(copy);
    assert.ok(header !== null);
    const cursor = new FrameCursor(header, origin(header));
    for (let frame = 1; frame < frames; frame += 1) {
      const at = HEADER_BYTES + (frame - 1) * FRAME_BYTES;
      assert.ok(cursor.advance(copy.buffer, at));
      const there = new FrameCursor(header, cursor.position);
      assert.ok(there.advance(copy.buffer, at + FRAME_BYTES));
      const elsewhere = { ...cursor.position, checksum1: cursor.position.checksum1 ^ 1 };
      assert.equal(
        new FrameCursor(header, elsewhere).advance(copy.buffer, at + FRAME_BYTES),
        false,
      );
    }
  });

  it("with pages of another size is refused", () => {
    const other = new Database(path.join(directory(), "other.db"));
    other.exec("PRAGMA page_size = 1024");
    other.exec("PRAGMA journal_mode = WAL");
    other.exec("CREATE TABLE t (x)");
    const log = fs.readFileSync(`${other.name}-wal`);
    assert.throws(() => parseHeader(log), /pages of 1024 bytes instead of 4096/);
    other.close();
  });
});
