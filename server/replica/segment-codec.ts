/** Segments as bytes: `docs/spec/replica.md` section 3. What is decoded is checked field by field. */
import { createHash } from "node:crypto";
import { DamageError } from "./damage-error.ts";
import type { Base, Delta, Segment, SegmentContent, SegmentHead, WalPosition } from "./segment.ts";

/** After a claim so many numbers are left out: a writer has at most so many segments on their way (R2). */
export const WINDOW = 16;

const HEADER_BYTES = 192;
const HASH_BYTES = 32;
const ID_BYTES = 16;
const HOST_BYTES = 48;
const BASE_BODY_BYTES = 40;
const PAGE_BYTES = 4096;
const BLOB_REF_BYTES = 48;
/** A claim is exactly so long, and nothing else is that short. */
export const CLAIM_BYTES = HEADER_BYTES + HASH_BYTES;

const MAGIC = Buffer.from("HFSEG\0\0", "latin1");
const VERSION = 1;
const KINDS = { claim: 1, delta: 2, base: 3 } as const;
const COMPRESSION_NONE = 0;
const COMPRESSION_DEFLATE = 1;
const NO_POSITION: WalPosition = { salt1: 0, salt2: 0, frame: 0, checksum1: 0, checksum2: 0 };

/** The number of the segment that follows this one. */
export function nextSeq({ head, content }: Pick<Segment, "head" | "content">): number {
  return head.seq + (content.kind === "claim" ? WINDOW : 1);
}

export function encodeSegment(
  head: SegmentHead,
  content: SegmentContent,
): { readonly bytes: Uint8Array; readonly segment: Segment } {
  const body = bodyOf(content);
  const bytes = Buffer.alloc(HEADER_BYTES + body.length + HASH_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt8(VERSION, 7);
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
  bytes.set(hostBytes(head.host), 144);
  bytes.set(body, HEADER_BYTES);
  const end = HEADER_BYTES + body.length;
  const hash = new Uint8Array(createHash("sha256").update(bytes.subarray(0, end)).digest());
  bytes.set(hash, end);
  return { bytes, segment: { head, content, hash } };
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

/** At most 48 bytes, cut between characters. */
function hostBytes(host: string): Uint8Array {
  const { read } = new TextEncoder().encodeInto(host, new Uint8Array(HOST_BYTES));
  return new TextEncoder().encode(host.slice(0, read));
}

/** Throws `DamageError`. */
export function decodeSegment(stored: Uint8Array): Segment {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  demand(bytes.length >= CLAIM_BYTES, "the segment is cut off");
  checkMagic(bytes, MAGIC, "segment");
  const end = HEADER_BYTES + bytes.readUInt32BE(136);
  demand(bytes.length === end + HASH_BYTES, "the segment is not as long as it says");
  const hash = new Uint8Array(bytes.subarray(end));
  const computed = createHash("sha256").update(bytes.subarray(0, end)).digest();
  demand(computed.equals(hash), "the checksum of the segment is wrong");
  demand(bytes.readUInt16BE(10) === 0, "a reserved field of the segment is set");
  const head = headOf(bytes);
  const content = contentOf(bytes, bytes.subarray(HEADER_BYTES, end));
  demand(
    safe(bytes.readBigUInt64BE(24)) === nextSeq({ head, content }),
    "the segment names a wrong successor",
  );
  return { head, content, hash };
}

function headOf(bytes: Buffer): SegmentHead {
  const seq = safe(bytes.readBigUInt64BE(16));
  const epoch = bytes.readUInt32BE(12);
  demand(seq >= 1 && epoch >= 1, "the segment has no number or no epoch");
  const field = bytes.subarray(144, 144 + HOST_BYTES);
  const length = field.indexOf(0);
  const name = length < 0 ? field : field.subarray(0, length);
  demand(
    length < 0 || field.subarray(length).every((each) => each === 0),
    "the host of the segment is damaged",
  );
  return {
    replicaId: new Uint8Array(bytes.subarray(32, 32 + ID_BYTES)),
    writerId: new Uint8Array(bytes.subarray(48, 48 + ID_BYTES)),
    epoch,
    seq,
    previousHash: new Uint8Array(bytes.subarray(64, 64 + HASH_BYTES)),
    timeMs: safe(bytes.readBigUInt64BE(96)),
    host: utf8(name),
  };
}

function contentOf(bytes: Buffer, body: Buffer): SegmentContent {
  const kind = bytes.readUInt8(8);
  const compression = bytes.readUInt8(9);
  const rawSize = bytes.readUInt32BE(140);
  if (kind === KINDS.delta) {
    demand(compression === COMPRESSION_DEFLATE, "the compression of the segment is not known");
    return deltaOf(bytes, body, rawSize);
  }
  demand(compression === COMPRESSION_NONE, "the compression of the segment is not known");
  demand(rawSize === body.length, "the sizes of the segment contradict each other");
  demand(
    bytes.readUInt32BE(104) === 0 && bytes.readUInt32BE(132) === 0,
    "the segment holds what its kind does not",
  );
  if (kind === KINDS.base) return baseOf(bytes, body);
  demand(kind === KINDS.claim, `segments of kind ${kind} are not known`);
  demand(body.length === 0, "a claim has no body");
  demand(isEmpty(positionOf(bytes)) && bytes.readUInt32BE(108) === 0, "a claim has no state");
  return { kind: "claim" };
}

function deltaOf(bytes: Buffer, body: Buffer, rawSize: number): Delta {
  const pageCount = bytes.readUInt32BE(104);
  const blobCount = bytes.readUInt32BE(132);
  demand(body.length > 0, "a delta has a body");
  demand(
    rawSize === pageCount * (PAGE_BYTES + 4) + blobCount * BLOB_REF_BYTES,
    "the sizes of the segment contradict each other",
  );
  const databasePages = bytes.readUInt32BE(108);
  const position = positionOf(bytes);
  return {
    kind: "delta",
    databasePages,
    position,
    pageCount,
    blobCount,
    rawSize,
    body: new Uint8Array(body),
  };
}

function baseOf(bytes: Buffer, body: Buffer): Base {
  demand(body.length === BASE_BODY_BYTES, "the body of a base has another length");
  return {
    kind: "base",
    databasePages: bytes.readUInt32BE(108),
    position: positionOf(bytes),
    snapshotHash: new Uint8Array(body.subarray(0, HASH_BYTES)),
    snapshotSize: safe(body.readBigUInt64BE(HASH_BYTES)),
  };
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

function isEmpty(position: WalPosition): boolean {
  return JSON.stringify(position) === JSON.stringify(NO_POSITION);
}

/** The first seven bytes say what it is, the eighth in which version. */
export function checkMagic(bytes: Buffer, magic: Buffer, what: string): void {
  demand(bytes.subarray(0, magic.length).equals(magic), `this is no ${what}`);
  const version = bytes.readUInt8(magic.length);
  if (version === VERSION) return;
  throw new DamageError(
    version > VERSION
      ? `the ${what} was written by a newer Holdfast (format ${version}): use that version or a later one`
      : `this is no ${what}`,
  );
}

/** A number that can be counted with. */
export function safe(value: bigint): number {
  demand(value <= BigInt(Number.MAX_SAFE_INTEGER), "a number is out of range");
  return Number(value);
}

export function demand(condition: boolean, message: string): asserts condition {
  if (!condition) throw new DamageError(message);
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new DamageError("the host of the segment is not text");
  }
}
