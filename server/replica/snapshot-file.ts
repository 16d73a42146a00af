/** Writes a pinned state into a file, as a snapshot. */
import fs from "node:fs";
import type { PinnedState } from "./pin.ts";
import type { WalPosition } from "./segment.ts";
import { SnapshotEncoder } from "./snapshot-codec.ts";
import { origin, PAGE_BYTES } from "./wal.ts";
import { readFully, WalFile } from "./wal-file.ts";

const BLOCK_PAGES = 256;
const FILE_MODE = 0o600;
/** In the header of a database: the number of its pages, and whether that number is of the last change. */
const DATABASE_HEADER_BYTES = 100;
const CHANGE_COUNTER_AT = 24;
const PAGES_AT = 28;
const PAGES_VALID_FOR_AT = 92;

export interface SnapshotRequest {
  /** Written anew. */
  readonly file: string;
  readonly seq: number;
  readonly epoch: number;
  readonly replicaId: Uint8Array;
  readonly segmentHash: Uint8Array;
  readonly timeMs: number;
}

export interface WrittenSnapshot {
  readonly hash: Uint8Array;
  /** Bytes. */
  readonly size: number;
  readonly databasePages: number;
  readonly position: WalPosition;
}

export interface DatabaseFile {
  readonly file: string;
  readonly databaseFd: number;
}

/** `checkStop` throws when this is to be given up. The file is gone after an error. */
export function writeSnapshot(
  database: DatabaseFile,
  pinned: PinnedState,
  { file, ...head }: SnapshotRequest,
  checkStop: () => void,
): WrittenSnapshot {
  const fd = fs.openSync(file, "w", FILE_MODE);
  try {
    return WalFile.with(database.file, (wal) => {
      const read = pageReader(database.databaseFd, wal, pinned);
      const databasePages = pinned.databasePages ?? pagesOf(database.databaseFd);
      const encoder = new SnapshotEncoder({ ...head, databasePages });
      let size = append(fd, encoder.header());
      for (let first = 1; first <= databasePages; first += BLOCK_PAGES) {
        checkStop();
        const pages = read(first, Math.min(BLOCK_PAGES, databasePages - first + 1));
        size += append(fd, encoder.block(first, pages));
      }
      const { bytes, hash } = encoder.end();
      size += append(fd, bytes);
      return { hash, size, databasePages, position: pinned.position };
    });
  } catch (error) {
    fs.rmSync(file, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Reads runs of pages; what was never written is zeros. */
function pageReader(
  databaseFd: number,
  wal: WalFile | null,
  pinned: PinnedState,
): (first: number, count: number) => Uint8Array {
  const frames = wal === null || pinned.isInDatabase ? null : framesOf(wal, pinned.position);
  return (first, count) => {
    const pages = new Uint8Array(count * PAGE_BYTES);
    readFully(databaseFd, pages, (first - 1) * PAGE_BYTES);
    if (wal === null || frames === null) return pages;
    for (let index = 0; index < count; index++) {
      const frame = frames.get(first + index);
      if (frame === undefined) continue;
      wal.page(frame, pages.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES));
    }
    return pages;
  };
}

/** Which frame holds the newest version of each page. */
function framesOf(wal: WalFile, position: WalPosition): ReadonlyMap<number, number> {
  const frames = new Map<number, number>();
  const header = wal.header();
  if (header === null) throw new Error("the write-ahead log is gone");
  let frame = 0;
  const end = wal.scan(header, origin(header), position.frame, (cursor) => {
    frame += 1;
    frames.set(cursor.page, frame);
    return true;
  });
  if (end.checksum1 !== position.checksum1 || end.checksum2 !== position.checksum2)
    throw new Error(`frame ${end.frame + 1} of the write-ahead log is damaged`);
  return frames;
}

/** As SQLite has it. */
function pagesOf(databaseFd: number): number {
  const bytes = new Uint8Array(DATABASE_HEADER_BYTES);
  readFully(databaseFd, bytes, 0);
  const view = new DataView(bytes.buffer);
  const pages = view.getUint32(PAGES_AT);
  const isValid = view.getUint32(CHANGE_COUNTER_AT) === view.getUint32(PAGES_VALID_FOR_AT);
  return pages > 0 && isValid ? pages : Math.floor(fs.fstatSync(databaseFd).size / PAGE_BYTES);
}

function append(fd: number, bytes: Uint8Array): number {
  for (let done = 0; done < bytes.length;) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done);
  }
  return bytes.length;
}
