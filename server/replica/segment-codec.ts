/** Segments as bytes: `docs/spec/replica.md` section 3. What is decoded is checked field by field. */
import { createHash } from "node:crypto";
import { assert } from "../base/assert.ts";
import { DamageError } from "./damage-error.ts";
import { deltaRawSize } from "./delta-pages.ts";
import {
  checkMagic,
  demand,
  HASH_BYTES,
  ID_BYTES,
  type Magic,
  safe,
  time,
  TIME_MS_MAX,
  writeMagic,
} from "./format.ts";
import type {
  Base,
  Claim,
  Delta,
  Segment,
  SegmentContent,
  SegmentHead,
  WalPosition,
} from "./segment.ts";

/** After a claim so many numbers are left out: a writer has at most so many segments on their way (R2). */
export const WINDOW = 16;

const HEADER_BYTES = 192;
const HOST_BYTES = 48;
const BASE_BODY_BYTES = 40;
/** A claim is exactly so long, and nothing else is that short. */
export const CLAIM_BYTES = HEADER_BYTES + HASH_BYTES;

const MAGIC: Magic = { what: "segment", name: "HFSEG\0\0", version: 1 };
const KINDS = { claim: 1, delta: 2, base: 3 } as const;
/** From the number of database pages to the last checksum. */
const STATE_AT = 108;
const STATE_END = 132;
const COMPRESSION_NONE = 0;
const COMPRESSION_DEFLATE = 1;

/** The number of the segment that follows this one. */
export function nextSeq({ head, content }: Pick<Segment, "head" | "content">): number {
  return head.seq + (content.kind === "claim" ? WINDOW : 1);
}

/** The host's name is shortened to what fits; `segment` is what decoding gives. */
export function encodeSegment(
  given: SegmentHead,
  content: SegmentContent,
): { readonly bytes: Uint8Array; readonly segment: Segment } {
  const host = fittingHost(given.host);
  const head = { ...given, host: utf8(host) };
  check(head, content);
  const body = bodyOf(content);
  const bytes = Buffer.alloc(HEADER_BYTES + body.length + HASH_BYTES);
  writeMagic(bytes, MAGIC);
  bytes.writeUInt8(KINDS[content.kind], 8);
  bytes.writeUInt8(content.kind === "delta" ? COMPRESSION_DEFLATE : COMPRESSION_NONE, 9);
  bytes.writeUInt32BE(head.epoch, 12);
  bytes.writeBigUInt64BE(BigInt(head.seq), 16);
  bytes.writeBigUInt64BE(BigInt(nextSeq({ head, content })), 24);
  bytes.set(head.replicaId, 32);
  bytes.set(head.writerId, 48);
  bytes.set(head.previousHash, 64);
  bytes.writeBigUInt64BE(BigInt(head.timeMs), 96);
  writeState(bytes, content);
  bytes.writeUInt32BE(body.length, 136);
  bytes.writeUInt32BE(content.kind === "delta" ? content.rawSize : body.length, 140);
  bytes.set(host, 144);
  bytes.set(body, HEADER_BYTES);
  const end = HEADER_BYTES + body.length;
  const hash = new Uint8Array(createHash("sha256").update(bytes.subarray(0, end)).digest());
  bytes.set(hash, end);
  return {
    bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length),
    segment: { head, content, hash },
  };
}

/** What is never written, because it would be refused when it is read. Numbers of 32 bits are checked as they are written. */
function check(head: SegmentHead, content: SegmentContent): void {
  const { replicaId, writerId, previousHash, seq, epoch, timeMs } = head;
  assert(replicaId.length === ID_BYTES && writerId.length === ID_BYTES, "an id has 16 bytes");
  assert(previousHash.length === HASH_BYTES, "a hash has 32 bytes");
  assert(Number.isSafeInteger(seq + WINDOW) && seq >= 1 && epoch >= 1, "they count from 1");
  assert(Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs <= TIME_MS_MAX, "it is a time");
  if (content.kind === "delta") {
    const { pageCount, blobCount, databasePages, rawSize, body } = content;
    assert(rawSize === deltaRawSize(pageCount, blobCount), "a delta has the size of its parts");
    assert(pageCount <= databasePages && body.length > 0, "a delta holds pages of the database");
  }
  if (content.kind === "base") {
    assert(content.snapshotHash.length === HASH_BYTES, "a hash has 32 bytes");
    assert(Number.isSafeInteger(content.snapshotSize), "a size is a number");
  }
}

function bodyOf(content: SegmentContent): Uint8Array {
  if (content.kind === "claim") return new Uint8Array(0);
  if (content.kind === "delta") return content.body;
  const body = Buffer.alloc(BASE_BODY_BYTES);
  body.set(content.snapshotHash);
  body.writeBigUInt64BE(BigInt(content.snapshotSize), HASH_BYTES);
  return body;
}

function writeState(bytes: Buffer, content: SegmentContent): void {
  if (content.kind === "claim") return;
  const { databasePages, position } = content;
  if (content.kind === "delta") bytes.writeUInt32BE(content.pageCount, 104);
  bytes.writeUInt32BE(databasePages, 108);
  bytes.writeUInt32BE(position.salt1, 112);
  bytes.writeUInt32BE(position.salt2, 116);
  bytes.writeUInt32BE(position.frame, 120);
  bytes.writeUInt32BE(position.checksum1, 124);
  bytes.writeUInt32BE(position.checksum2, 128);
  if (content.kind === "delta") bytes.writeUInt32BE(content.blobCount, 132);
}

/** At most 48 bytes, cut between characters, and before a zero, which ends it. */
function fittingHost(host: string): Uint8Array {
  const bytes = new Uint8Array(HOST_BYTES);
  const { written } = new TextEncoder().encodeInto(host, bytes);
  const zero = bytes.subarray(0, written).indexOf(0);
  return bytes.subarray(0, zero < 0 ? written : zero);
}

/** The body of a delta is a part of `stored`. Throws `DamageError`. */
export function decodeSegment(stored: Uint8Array): Segment {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  demand(bytes.length >= CLAIM_BYTES, "the segment is cut off");
  checkMagic(bytes, MAGIC);
  const end = HEADER_BYTES + bytes.readUInt32BE(136);
  demand(bytes.length === end + HASH_BYTES, "the segment is not as long as it says");
  const hash = new Uint8Array(bytes.subarray(end));
  const computed = createHash("sha256").update(bytes.subarray(0, end)).digest();
  demand(computed.equals(hash), "the checksum of the segment is wrong");
  demand(bytes.readUInt16BE(10) === 0, "a reserved field of the segment is set");
  const head = headOf(bytes);
  const content = contentOf(bytes, bytes.subarray(HEADER_BYTES, end));
  const next = safe(bytes.readBigUInt64BE(24));
  demand(next === nextSeq({ head, content }), "the segment names a wrong successor");
  return { head, content, hash };
}

function headOf(bytes: Buffer): SegmentHead {
  const seq = safe(bytes.readBigUInt64BE(16));
  const epoch = bytes.readUInt32BE(12);
  demand(seq >= 1 && epoch >= 1, "the segment has no number or no epoch");
  const field = bytes.subarray(144, 144 + HOST_BYTES);
  const length = field.includes(0) ? field.indexOf(0) : HOST_BYTES;
  const isFilledUp = field.subarray(length).every((each) => each === 0);
  demand(isFilledUp, "the host of the segment is damaged");
  return {
    replicaId: new Uint8Array(bytes.subarray(32, 32 + ID_BYTES)),
    writerId: new Uint8Array(bytes.subarray(48, 48 + ID_BYTES)),
    epoch,
    seq,
    previousHash: new Uint8Array(bytes.subarray(64, 64 + HASH_BYTES)),
    timeMs: time(bytes.readBigUInt64BE(96)),
    host: utf8(field.subarray(0, length)),
  };
}

function contentOf(bytes: Buffer, body: Buffer): SegmentContent {
  const kind = bytes.readUInt8(8);
  switch (kind) {
    case KINDS.claim:
      return claimOf(bytes, body);
    case KINDS.delta:
      return deltaOf(bytes, body);
    case KINDS.base:
      return baseOf(bytes, body);
    default:
      throw new DamageError(`segments of kind ${kind} are not known`);
  }
}

function claimOf(bytes: Buffer, body: Buffer): Claim {
  checkPlain(bytes, body);
  demand(body.length === 0, "a claim has no body");
  const isEmpty = bytes.subarray(STATE_AT, STATE_END).every((each) => each === 0);
  demand(isEmpty, "a claim has no state");
  return { kind: "claim" };
}

function deltaOf(bytes: Buffer, body: Buffer): Delta {
  const isDeflate = bytes.readUInt8(9) === COMPRESSION_DEFLATE;
  demand(isDeflate, "the compression of the segment is not known");
  const pageCount = bytes.readUInt32BE(104);
  const blobCount = bytes.readUInt32BE(132);
  const rawSize = bytes.readUInt32BE(140);
  const databasePages = bytes.readUInt32BE(108);
  demand(body.length > 0, "a delta has a body");
  const isConsistent = rawSize === deltaRawSize(pageCount, blobCount);
  demand(isConsistent, "the sizes of the segment contradict each other");
  demand(pageCount <= databasePages, "the segment has more pages than the database");
  return {
    kind: "delta",
    databasePages,
    position: positionOf(bytes),
    pageCount,
    blobCount,
    rawSize,
    body: new Uint8Array(body.buffer, body.byteOffset, body.length),
  };
}

function baseOf(bytes: Buffer, body: Buffer): Base {
  checkPlain(bytes, body);
  demand(body.length === BASE_BODY_BYTES, "the body of a base has another length");
  return {
    kind: "base",
    databasePages: bytes.readUInt32BE(108),
    position: positionOf(bytes),
    snapshotHash: new Uint8Array(body.subarray(0, HASH_BYTES)),
    snapshotSize: safe(body.readBigUInt64BE(HASH_BYTES)),
  };
}

/** Neither compressed nor with pages or payloads. */
function checkPlain(bytes: Buffer, body: Buffer): void {
  const isPlain = bytes.readUInt8(9) === COMPRESSION_NONE;
  demand(isPlain, "the compression of the segment is not known");
  const isConsistent = bytes.readUInt32BE(140) === body.length;
  demand(isConsistent, "the sizes of the segment contradict each other");
  const hasNone = bytes.readUInt32BE(104) === 0 && bytes.readUInt32BE(132) === 0;
  demand(hasNone, "the segment holds what its kind does not");
}

function positionOf(bytes: Buffer): WalPosition {
  return {
    salt1: bytes.readUInt32BE(112),
    salt2: bytes.readUInt32BE(116),
    frame: bytes.readUInt32BE(120),
    checksum1: bytes.readUInt32BE(124),
    checksum2: bytes.readUInt32BE(128),
  };
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DamageError("the host of the segment is not text");
  }
}
