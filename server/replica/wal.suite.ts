/** Databases with a log for the tests of the replica, and what they hold, page by page. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import Database from "better-sqlite3";
import { PageFile } from "./page-file.ts";
import type { Cut, CutRequest, Lost } from "./pages-of-wal.ts";
import type { Delta } from "./segment.ts";
import { parseHeader } from "./wal.ts";

/** Makes directories that are removed after the tests of the file. */
export function tempDirectories(): () => string {
  const made: string[] = [];
  after(() => {
    for (const directory of made) fs.rmSync(directory, { recursive: true, force: true });
  });
  return () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-wal-"));
    made.push(directory);
    return directory;
  };
}

export function openWal(file: string): Database.Database {
  const db = new Database(file);
  db.exec("PRAGMA journal_mode = WAL");
  db.exec("PRAGMA wal_autocheckpoint = 0");
  db.exec("PRAGMA synchronous = OFF");
  return db;
}

/** How far the log is. */
export function progressOf(db: Database.Database): { frames: number; checkpointed: number } {
  const row: unknown = db.prepare("PRAGMA wal_checkpoint(NOOP)").raw().get();
  assert.ok(Array.isArray(row));
  return { frames: Number(row[1]), checkpointed: Number(row[2]) };
}

/** Of the log as it lies there; 0 where there is none. */
export function salt1Of(file: string): number {
  return parseHeader(fs.readFileSync(`${file}-wal`).subarray(0, 32))?.salt1 ?? 0;
}

/** What a transaction does that nobody thought about. */
export function randomTransaction(db: Database.Database, below: (end: number) => number): void {
  const bytes = (): Buffer => Buffer.alloc(below(4) === 0 ? below(30_000) : below(300), below(256));
  const [least, most] = [below(1000), below(300)];
  db.exec("BEGIN");
  db.exec("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body BLOB)");
  for (let count = below(12); count >= 0; count -= 1) {
    db.prepare("INSERT OR REPLACE INTO t VALUES (?, ?)").run(below(1000), bytes());
  }
  if (below(3) === 0) {
    db.prepare("UPDATE t SET body = ? WHERE id BETWEEN ? AND ?").run(bytes(), least, least + 20);
  }
  if (below(4) === 0) {
    db.prepare("DELETE FROM t WHERE id BETWEEN ? AND ?").run(least, least + most);
  }
  if (below(20) === 0) db.exec("CREATE TABLE IF NOT EXISTS u AS SELECT * FROM t");
  if (below(20) === 0) db.exec("DROP TABLE IF EXISTS u");
  db.exec(below(10) === 0 ? "ROLLBACK" : "COMMIT");
}

/** The bytes of the database as SQLite would recover it from what lies there now. */
export function recovered(file: string, directory: string): Buffer {
  const copy = path.join(fs.mkdtempSync(path.join(directory, "copy-")), "copy.db");
  fs.copyFileSync(file, copy);
  if (fs.existsSync(`${file}-wal`)) fs.copyFileSync(`${file}-wal`, `${copy}-wal`);
  new Database(copy).exec("PRAGMA wal_checkpoint(TRUNCATE)").close();
  const bytes = fs.readFileSync(copy);
  fs.rmSync(path.dirname(copy), { recursive: true });
  return bytes;
}

export function assertCut(result: Cut | Lost): asserts result is Cut {
  assert.ok(!("lost" in result), "lost" in result ? result.lost : "");
}

export const deltaOf = (each: Cut): Delta => ({ kind: "delta", ...each });

/** An image that is brought up to date by cuts alone. */
export class Image {
  readonly file: string;
  readonly #pages: PageFile;

  constructor(file: string, begin: Uint8Array) {
    this.file = file;
    fs.writeFileSync(file, begin);
    this.#pages = PageFile.open(file);
  }

  apply(result: Cut): void {
    this.#pages.applyDelta(deltaOf(result));
  }

  /** Page by page. */
  assertEquals(expected: Buffer): void {
    const bytes = fs.readFileSync(this.file);
    assert.equal(bytes.length, expected.length, "as many pages");
    for (let at = 0; at < bytes.length; at += 4096) {
      const isSame = bytes.subarray(at, at + 4096).equals(expected.subarray(at, at + 4096));
      assert.ok(isSame, `page ${at / 4096 + 1} differs`);
    }
  }

  close(): void {
    this.#pages.close();
  }
}

/** Where the log is to be cut when the test does not say otherwise: at the end of the last commit. */
export function upTo(db: Database.Database, from: CutRequest["from"]): CutRequest {
  return {
    from,
    restarted: false,
    toFrame: progressOf(db).frames,
    toSalt1: salt1Of(db.name),
    rawBytesMax: Number.MAX_SAFE_INTEGER,
    blobs: [],
  };
}
