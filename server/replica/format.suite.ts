/** What the tests of the formats are made of: segments and snapshots by chance, and what can happen to their bytes. */
import { createHash } from "node:crypto";
import fc from "fast-check";
import { packDelta } from "./delta-pages.ts";
import type {
  Base,
  BlobRef,
  Delta,
  DeltaPages,
  SegmentContent,
  SegmentHead,
  WalPosition,
} from "./segment.ts";
import { SnapshotEncoder, type SnapshotHead } from "./snapshot-codec.ts";

export const PAGE_BYTES = 4096;
const HASH_BYTES = 32;
const U32_MAX = 0xffff_ffff;
const TIME_MS_MAX = 8_640_000_000_000_000;

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
/** With the prototype that what is decoded has. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const u32 = fc.nat(U32_MAX);

export const HEAD: SegmentHead = {
  replicaId: new Uint8Array(16).fill(0xaa),
  writerId: new Uint8Array(16).fill(0xbb),
  epoch: 3,
  seq: 0x1_0000_0002,
  previousHash: new Uint8Array(HASH_BYTES).fill(0xcc),
  timeMs: 1_760_000_000_000,
  host: "möwe-1",
};

export const POSITION: WalPosition = {
  salt1: 0xdeadbeef,
  salt2: 7,
  frame: 42,
  checksum1: U32_MAX,
  checksum2: 0x8000_0000,
};

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}

/** Pages that differ from each other and compress well. */
export function pagesFrom(first: number, count: number): Uint8Array {
  const pages = Buffer.alloc(count * PAGE_BYTES);
  for (let index = 0; index < count; index += 1) {
    pages.fill(`page ${first + index} `, index * PAGE_BYTES, index * PAGE_BYTES + 200);
  }
  return new Uint8Array(pages);
}

export const BLOB: BlobRef = {
  hash: new Uint8Array(HASH_BYTES).fill(1),
  id: new Uint8Array(8).fill(2),
  size: 0x1_2345_6789,
};

export function deltaOf(content: DeltaPages, databasePages: number): Delta {
  const { body, rawSize } = packDelta(content);
  return {
    kind: "delta",
    databasePages,
    position: POSITION,
    pageCount: content.numbers.length,
    blobCount: content.blobs.length,
    rawSize,
    body,
  };
}

export const DELTA = deltaOf(
  {
    blobs: [BLOB],
    numbers: [1, 2, 9],
    pages: Buffer.concat([pagesFrom(1, 2), pagesFrom(9, 1)]),
  },
  9,
);

export const BASE: Base = {
  kind: "base",
  databasePages: 3,
  position: POSITION,
  snapshotHash: new Uint8Array(HASH_BYTES).fill(0xdd),
  snapshotSize: 0x2_0000_0001,
};

/** One of each kind, and a delta of nothing. */
export const CONTENTS: ReadonlyMap<string, SegmentContent> = new Map<string, SegmentContent>([
  ["a claim", { kind: "claim" }],
  ["a delta", DELTA],
  ["a delta without pages", deltaOf({ blobs: [], numbers: [], pages: new Uint8Array(0) }, 0)],
  ["a base", BASE],
]);

export const heads: fc.Arbitrary<SegmentHead> = record({
  replicaId: bytesOf(16),
  writerId: bytesOf(16),
  epoch: fc.integer({ min: 1, max: U32_MAX }),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER - 16 }),
  previousHash: bytesOf(HASH_BYTES),
  timeMs: fc.nat(TIME_MS_MAX),
  host: fc.string({ unit: "binary", maxLength: 80 }),
});

const positions: fc.Arbitrary<WalPosition> = record({
  salt1: u32,
  salt2: u32,
  frame: u32,
  checksum1: u32,
  checksum2: u32,
});

const blobRefs: fc.Arbitrary<BlobRef> = record({
  hash: bytesOf(HASH_BYTES),
  id: bytesOf(8),
  size: fc.nat(Number.MAX_SAFE_INTEGER),
});

/** Pages as a seed each: what the bytes are does not matter, that they are the right ones does. */
export const deltaPages: fc.Arbitrary<DeltaPages> = record({
  blobs: fc.array(blobRefs, { maxLength: 4 }),
  numbers: fc.uniqueArray(fc.integer({ min: 1, max: U32_MAX }), { maxLength: 6 }),
}).map(({ blobs, numbers }) => {
  const rising = numbers.toSorted((one, other) => one - other);
  const pages = new Uint8Array(
    Buffer.concat(
      rising.map((number) => pagesFrom(number, 1)),
      rising.length * PAGE_BYTES,
    ),
  );
  return { blobs, numbers: rising, pages };
});

export const contents: fc.Arbitrary<SegmentContent> = fc.oneof(
  fc.constant<SegmentContent>({ kind: "claim" }),
  record({ content: deltaPages, position: positions }).map(({ content, position }): Delta => {
    return { ...deltaOf(content, content.numbers.at(-1) ?? 0), position };
  }),
  record({
    kind: fc.constant("base" as const),
    databasePages: u32,
    position: positions,
    snapshotHash: bytesOf(HASH_BYTES),
    snapshotSize: fc.nat(Number.MAX_SAFE_INTEGER),
  }),
);

export const snapshotHeads: fc.Arbitrary<SnapshotHead> = record({
  epoch: fc.integer({ min: 1, max: U32_MAX }),
  seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  replicaId: bytesOf(16),
  segmentHash: bytesOf(HASH_BYTES),
  timeMs: fc.nat(TIME_MS_MAX),
  databasePages: fc.nat(20),
});

/** Blocks of these many pages each, from page 1 on. */
export function encodeSnapshot(
  head: SnapshotHead,
  blockPages: readonly number[],
): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
  const encoder = new SnapshotEncoder(head);
  const parts = [encoder.header()];
  let next = 1;
  for (const count of blockPages) {
    parts.push(encoder.block(next, pagesFrom(next, count)));
    next += count;
  }
  const { bytes, hash } = encoder.end();
  return { bytes: new Uint8Array(Buffer.concat([...parts, bytes])), hash };
}

/** The whole image, in blocks of two pages. */
export function encodeSnapshotOf(
  head: SnapshotHead,
  image: Uint8Array,
): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
  const encoder = new SnapshotEncoder(head);
  const parts = [encoder.header()];
  for (let at = 0; at < image.length; at += 2 * PAGE_BYTES)
    parts.push(encoder.block(at / PAGE_BYTES + 1, image.subarray(at, at + 2 * PAGE_BYTES)));
  const { bytes, hash } = encoder.end();
  return { bytes: new Uint8Array(Buffer.concat([...parts, bytes])), hash };
}

/** The bytes with another field, and a hash that is right again: what only a check of the field finds. */
export function resealed(bytes: Uint8Array, change: (bytes: Buffer) => void): Uint8Array {
  const copy = Buffer.from(bytes);
  const end = copy.length - HASH_BYTES;
  change(copy);
  copy.set(sha256(copy.subarray(0, end)), end);
  return new Uint8Array(copy);
}

/** Every bit flipped and every whole byte, every cut, and a byte too many; each with its name. */
export function* damages(bytes: Uint8Array): Generator<[what: string, damaged: Uint8Array]> {
  for (let at = 0; at < bytes.length; at += 1) {
    for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      yield [`byte ${at} flipped by ${mask}`, damaged];
    }
  }
  for (let length = 0; length < bytes.length; length += 1) {
    yield [`cut after ${length} bytes`, bytes.slice(0, length)];
  }
  yield ["a zero too many", new Uint8Array([...bytes, 0])];
}
