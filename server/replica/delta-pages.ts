/** The body of a delta: `docs/spec/replica.md` section 3. */
import { assert } from "../base/assert.ts";
import { deflate, inflate } from "./deflate.ts";
import { demand, HASH_BYTES, safe } from "./format.ts";
import type { BlobRef, Delta, DeltaPages } from "./segment.ts";
import { PAGE_BYTES } from "./wal.ts";

const NUMBER_BYTES = 4;
const BLOB_ID_BYTES = 8;
/** Hash, id, size. */
const BLOB_BYTES = HASH_BYTES + BLOB_ID_BYTES + 8;

/** Bytes of the body before compression. */
export function deltaRawSize(pageCount: number, blobCount: number): number {
  return pageCount * (NUMBER_BYTES + PAGE_BYTES) + blobCount * BLOB_BYTES;
}

export function packDelta({ blobs, numbers, pages }: DeltaPages): {
  readonly body: Uint8Array;
  readonly rawSize: number;
} {
  assert(pages.length === numbers.length * PAGE_BYTES, "each page has its number");
  const head = Buffer.alloc(numbers.length * NUMBER_BYTES + blobs.length * BLOB_BYTES);
  let at = 0;
  let before = 0;
  for (const number of numbers) {
    assert(number > before, "page numbers rise, from 1");
    at = head.writeUInt32BE(number, at);
    before = number;
  }
  for (const { hash, id, size } of blobs) {
    assert(
      hash.length === HASH_BYTES && id.length === BLOB_ID_BYTES,
      "a blob has a hash and an id",
    );
    head.set(hash, at);
    head.set(id, at + HASH_BYTES);
    head.writeBigUInt64BE(BigInt(size), at + HASH_BYTES + BLOB_ID_BYTES);
    at += BLOB_BYTES;
  }
  const raw = Buffer.concat([head, pages]);
  return { body: deflate(raw), rawSize: raw.length };
}

/** Throws `DamageError`. */
export function unpackDelta(delta: Delta): DeltaPages {
  const { pageCount, blobCount, databasePages } = delta;
  const rawSize = deltaRawSize(pageCount, blobCount);
  demand(delta.rawSize === rawSize, "the sizes of the segment contradict each other");
  const raw = inflate(delta.body, rawSize);
  const numbers: number[] = [];
  let before = 0;
  for (let index = 0; index < pageCount; index += 1) {
    const number = raw.readUInt32BE(index * NUMBER_BYTES);
    const isNext = number > before && number <= databasePages;
    demand(isNext, "the page numbers of the segment are damaged");
    numbers.push(number);
    before = number;
  }
  const blobsAt = pageCount * NUMBER_BYTES;
  const pagesAt = blobsAt + blobCount * BLOB_BYTES;
  const blobs = Array.from({ length: blobCount }, (_, index) =>
    blobAt(raw, blobsAt + index * BLOB_BYTES),
  );
  const pages = new Uint8Array(raw.buffer, raw.byteOffset + pagesAt, raw.length - pagesAt);
  return { blobs, numbers, pages };
}

function blobAt(raw: Buffer, at: number): BlobRef {
  const idAt = at + HASH_BYTES;
  return {
    hash: new Uint8Array(raw.subarray(at, idAt)),
    id: new Uint8Array(raw.subarray(idAt, idAt + BLOB_ID_BYTES)),
    size: safe(raw.readBigUInt64BE(idAt + BLOB_ID_BYTES)),
  };
}
