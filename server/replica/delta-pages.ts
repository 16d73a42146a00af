/** The body of a delta: `docs/spec/replica.md` section 3. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { DamageError } from "./damage-error.ts";
import type { BlobRef, Delta, DeltaPages } from "./segment.ts";
import { demand, safe } from "./segment-codec.ts";

const PAGE_BYTES = 4096;
const BLOB_BYTES = 48;
const HASH_BYTES = 32;
const ID_BYTES = 8;
/** Level 1 is several times as fast as the default and loses a tenth of the gain. */
const LEVEL = 1;

export function packDelta({ blobs, numbers, pages }: DeltaPages): {
  readonly body: Uint8Array;
  readonly rawSize: number;
} {
  const head = Buffer.alloc(numbers.length * 4 + blobs.length * BLOB_BYTES);
  let at = 0;
  for (const number of numbers) at = head.writeUInt32BE(number, at);
  for (const { hash, id, size } of blobs) {
    head.set(hash, at);
    head.set(id, at + HASH_BYTES);
    head.writeBigUInt64BE(BigInt(size), at + HASH_BYTES + ID_BYTES);
    at += BLOB_BYTES;
  }
  const raw = Buffer.concat([head, pages]);
  return { body: new Uint8Array(deflateRawSync(raw, { level: LEVEL })), rawSize: raw.length };
}

/** Throws `DamageError`. */
export function unpackDelta(delta: Delta): DeltaPages {
  const { pageCount, blobCount, databasePages } = delta;
  const raw = inflate(delta.body, delta.rawSize);
  const numbers = Array.from({ length: pageCount }, (_, index) => raw.readUInt32BE(index * 4));
  let before = 0;
  for (const number of numbers) {
    demand(
      number > before && number <= databasePages,
      "the page numbers of the segment are damaged",
    );
    before = number;
  }
  const blobs = Array.from({ length: blobCount }, (_, index) =>
    blobAt(raw, pageCount * 4 + index * BLOB_BYTES),
  );
  const pages = raw.subarray(pageCount * 4 + blobCount * BLOB_BYTES);
  demand(pages.length === pageCount * PAGE_BYTES, "the pages of the segment are damaged");
  return { blobs, numbers, pages };
}

function blobAt(raw: Buffer, at: number): BlobRef {
  const idAt = at + HASH_BYTES;
  return {
    hash: new Uint8Array(raw.subarray(at, idAt)),
    id: new Uint8Array(raw.subarray(idAt, idAt + ID_BYTES)),
    size: safe(raw.readBigUInt64BE(idAt + ID_BYTES)),
  };
}

/** Never more than `rawSize` bytes, whatever the input says. */
export function inflate(body: Uint8Array, rawSize: number): Buffer {
  let raw: Buffer;
  try {
    raw = inflateRawSync(body, { maxOutputLength: Math.max(rawSize, 1) });
  } catch (cause) {
    throw new DamageError("what is compressed cannot be read", { cause });
  }
  demand(raw.length === rawSize, "what is compressed has another length");
  return raw;
}
