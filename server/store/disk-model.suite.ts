/**
 * What a disk may hold when the power goes: of everything written since its last sync, any part. Two files, the database and
 * its write-ahead log, as the operating system sees them now and as they are certain to be on the disk.
 *
 * Bytes that a write did not touch stay as they are (SQLite relies on that, too: powersafe overwrite); of those it did touch,
 * each may be old or new, or, at the tear, neither.
 */
import fs from "node:fs";
import type { Chance } from "./random-transactions.suite.ts";

const SECTOR_BYTES = 512;
const PAGE_BYTES = 4096;
const WAL_HEADER_BYTES = 32;

export class DiskModel {
  readonly #databaseFile: string;
  readonly #walFile: string;
  #database: Buffer;
  #wal: Buffer;
  #clock = 0;
  #databaseAt = 0;
  #walAt = 0;

  constructor(databaseFile: string) {
    this.#databaseFile = databaseFile;
    this.#walFile = `${databaseFile}-wal`;
    this.#database = fs.readFileSync(this.#databaseFile);
    this.#wal = fs.readFileSync(this.#walFile);
  }

  /** A sync of the log begins: what it covers is certain once the returned function is called. */
  beginWalSync(): () => void {
    const [covered, at] = [fs.readFileSync(this.#walFile), ++this.#clock];
    return () => {
      if (at < this.#walAt) return;
      this.#wal = covered;
      this.#walAt = at;
    };
  }

  beginDatabaseSync(): () => void {
    const [covered, at] = [fs.readFileSync(this.#databaseFile), ++this.#clock];
    return () => {
      if (at < this.#databaseAt) return;
      this.#database = covered;
      this.#databaseAt = at;
    };
  }

  /** After each commit. Where the log has started over, SQLite has synced its new header before it wrote behind it. */
  afterCommit(): boolean {
    const now = fs.readFileSync(this.#walFile);
    const header = now.subarray(0, WAL_HEADER_BYTES);
    if (this.#wal.length > 0 && header.equals(this.#wal.subarray(0, WAL_HEADER_BYTES)))
      return false;
    this.#wal = Buffer.concat([header, this.#wal.subarray(WAL_HEADER_BYTES)]);
    this.#walAt = ++this.#clock;
    return true;
  }

  /** The power goes now. Both files as they may be found, written below `into`. */
  loseInto(databaseFile: string, chance: Chance): void {
    const database = fs.readFileSync(this.#databaseFile);
    fs.writeFileSync(databaseFile, mixed(this.#database, database, PAGE_BYTES, chance));
    fs.writeFileSync(
      `${databaseFile}-wal`,
      torn(this.#wal, fs.readFileSync(this.#walFile), chance),
    );
  }
}

/** Each block old or new, or new up to some byte. */
function mixed(old: Buffer, now: Buffer, blockBytes: number, chance: Chance): Buffer {
  const length = chance.below(2) === 0 ? now.length : old.length;
  const image = Buffer.alloc(Math.max(length, old.length));
  old.copy(image);
  for (let at = 0; at < Math.min(now.length, image.length); at += blockBytes) {
    const kind = chance.below(8);
    if (kind < 4) continue;
    const end = kind < 7 ? at + blockBytes : at + chance.below(blockBytes);
    now.copy(image, at, at, Math.min(end, image.length));
  }
  return image;
}

function torn(old: Buffer, now: Buffer, chance: Chance): Buffer {
  const from = firstDifference(old, now);
  if (from === now.length) return Buffer.from(now);
  const cut = from + chance.below(now.length - from + 1);
  const image = Buffer.concat([now, old.subarray(Math.min(now.length, old.length))]);
  const rest = image.subarray(cut);
  switch (chance.below(6)) {
    case 0: // New up to the cut, old behind it; where there is no old, the file ends.
      restore(image, old, cut);
      return image.subarray(0, Math.max(cut, old.length));
    case 1: // Sectors in any order.
      return mixed(old, now, SECTOR_BYTES, chance);
    case 2: // The length is there, the bytes are not: zeros.
      rest.fill(0);
      restore(image, old, cut);
      return image;
    case 3: // One byte behind the last sync is wrong.
      if (rest.length > 0 && cut >= old.length) rest[0] = (rest[0] ?? 0) ^ (1 + chance.below(255));
      return image;
    case 4: // All behind the cut is noise.
      for (let at = Math.max(cut, old.length); at < image.length; at++)
        image[at] = chance.below(256);
      return image;
    default: // All of it arrived.
      return image;
  }
}

function restore(image: Buffer, old: Buffer, from: number): void {
  if (from < old.length) old.copy(image, from, from);
}

function firstDifference(old: Buffer, now: Buffer): number {
  const end = Math.min(old.length, now.length);
  for (let at = 0; at < end; at++) if (old[at] !== now[at]) return at;
  return end;
}
