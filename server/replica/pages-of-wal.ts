/** What is to be shipped, out of the write-ahead log: the newest version of each page between two commits. */
import { packDelta } from "./delta-pages.ts";
import { PageSet } from "./page-set.ts";
import type { BlobRef, WalPosition } from "./segment.ts";
import { isSameGeneration, origin, PAGE_BYTES, type WalHeader } from "./wal.ts";
import { WalFile } from "./wal-file.ts";

export interface CutRequest {
  /** What is shipped already; "start": the database as it was before the log's first frame. */
  readonly from: WalPosition | "start";
  /** The log was allowed to start over where `from` is. */
  readonly restarted: boolean;
  /** The end of a commit, in the generation of this salt. */
  readonly toFrame: number;
  readonly toSalt1: number;
  /** The cut ends with the commit that brings it to so many bytes of pages. */
  readonly rawBytesMax: number;
  readonly blobs: readonly BlobRef[];
}

export interface Cut {
  readonly position: WalPosition;
  readonly databasePages: number;
  readonly pageCount: number;
  readonly blobCount: number;
  readonly rawSize: number;
  readonly body: Uint8Array;
  /** Those that were read. */
  readonly frames: number;
}

/** What follows `from` is not to be had any more; why, for people. */
export interface Lost {
  readonly lost: string;
}

/**
 * What one transaction may have changed so that it is shipped as a delta: its pages are in memory four times over, and the numbers of
 * a segment end at 4 GiB. A base stands for more than that, whatever its size.
 */
const TRANSACTION_BYTES_MAX = 256 * 1024 * 1024;

/** Where a database is that has no log. */
export const NO_LOG: WalPosition = { salt1: 0, salt2: 0, frame: 0, checksum1: 0, checksum2: 0 };

export function cut(
  databaseFile: string,
  request: CutRequest,
  transactionBytesMax = TRANSACTION_BYTES_MAX,
): Cut | Lost {
  const { from, restarted, toFrame, toSalt1 } = request;
  const position = from === "start" ? NO_LOG : from;
  if (toFrame === 0 && position.frame > 0 && !restarted)
    return { lost: "the write-ahead log was emptied before all of it was shipped" };
  const isAtEnd = toFrame === 0 || (position.frame === toFrame && position.salt1 === toSalt1);
  return WalFile.with(databaseFile, (wal) => {
    if (isAtEnd) return nothing(wal, position, request);
    const header = wal?.header() ?? null;
    if (wal === null || header === null) return { lost: "the write-ahead log is gone" };
    const begin = beginning(header, position, request);
    if ("lost" in begin) return begin;
    return cutFrom(wal, header, begin, request, transactionBytesMax);
  });
}

/** The log may have started over behind `position` already, which does not matter: nothing follows it in its generation. */
function nothing(wal: WalFile | null, position: WalPosition, { blobs }: CutRequest): Cut {
  const found = position.frame === 0 ? null : (wal?.commitAt(position.frame) ?? null);
  const isSame = found !== null && isEqual(found.position, position);
  if (!isSame && blobs.length > 0) throw new Error("payloads were stored without a commit");
  const delta = packDelta({ blobs, numbers: [], pages: new Uint8Array(0) });
  const databasePages = isSame ? found.databasePages : 0;
  return { position, databasePages, pageCount: 0, blobCount: blobs.length, frames: 0, ...delta };
}

function isEqual(one: WalPosition, other: WalPosition): boolean {
  const names = ["salt1", "salt2", "frame", "checksum1", "checksum2"] as const;
  return names.every((name) => one[name] === other[name]);
}

/** Where to read on; the log may have started over once, if that was allowed. */
function beginning(
  header: WalHeader,
  from: WalPosition,
  { restarted, toSalt1 }: CutRequest,
): WalPosition | Lost {
  if (header.salt1 !== toSalt1) return { lost: "the write-ahead log started over by itself" };
  const isFirst = isEqual(from, NO_LOG) && header.restarts === 0;
  if (isFirst) return origin(header);
  if (isSameGeneration(from, header)) return from;
  if (restarted && follows(header, from)) return origin(header);
  return { lost: "the write-ahead log started over before all of it was shipped" };
}

const follows = (header: WalHeader, { salt1 }: WalPosition): boolean =>
  header.salt1 === (salt1 + 1) >>> 0;

function cutFrom(
  wal: WalFile,
  header: WalHeader,
  begin: WalPosition,
  request: CutRequest,
  transactionBytesMax: number,
): Cut | Lost {
  const { toFrame, blobs } = request;
  const rawBytesMax = Math.min(request.rawBytesMax, transactionBytesMax);
  if (begin.frame > toFrame)
    return { lost: "the write-ahead log is shorter than what was shipped" };
  const set = new PageSet();
  // The cut ends with the commit that makes it long: what is more than this is of one transaction.
  const bytesMax = rawBytesMax + transactionBytesMax;
  let databasePages = 0;
  let isWhole = false;
  const position = wal.scan(header, begin, toFrame, (cursor, page) => {
    set.put(cursor.page, page);
    isWhole = cursor.databasePages > 0;
    if (!isWhole) return set.size * PAGE_BYTES <= bytesMax;
    databasePages = cursor.databasePages;
    set.truncate(databasePages);
    return set.size * PAGE_BYTES < rawBytesMax;
  });
  if (!isWhole && set.size * PAGE_BYTES > bytesMax)
    return { lost: `one transaction changed more than ${transactionBytesMax} bytes` };
  if (position.frame < toFrame && (!isWhole || set.size * PAGE_BYTES < rawBytesMax))
    return { lost: `frame ${position.frame + 1} of the write-ahead log is damaged` };
  if (!isWhole) throw new Error(`frame ${toFrame} of the write-ahead log ends no transaction`);
  const { numbers, pages } = set.sorted();
  return {
    position,
    databasePages,
    pageCount: numbers.length,
    blobCount: blobs.length,
    frames: position.frame - begin.frame,
    ...packDelta({ blobs, numbers, pages }),
  };
}

/**
 * Where the log of a database is, as seen from a position in it:
 * - here: it holds that position, and all before it, undamaged
 * - ended: it has started over since, once, or there is none
 * - other: neither
 */
export type Located = "here" | "ended" | "other";

export function locate(databaseFile: string, position: WalPosition): Located {
  return WalFile.with(databaseFile, (wal) => {
    if (wal === null || wal.isBlank()) return "ended";
    const header = wal.header();
    if (header === null) return "other";
    if (header.salt1 !== position.salt1 || header.salt2 !== position.salt2)
      return follows(header, position) ? "ended" : "other";
    const found = wal.scan(header, origin(header), position.frame, () => true);
    return isEqual(found, position) ? "here" : "other";
  });
}
