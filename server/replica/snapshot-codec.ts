/** Snapshots as bytes, in a stream: `docs/spec/replica.md` section 4. */
import { createHash, type Hash } from "node:crypto";
import { assert } from "../base/assert.ts";
import { deflate, inflate } from "./deflate.ts";
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
import { PAGE_BYTES } from "./wal.ts";

const HEADER_BYTES = 96;
const BLOCK_HEADER_BYTES = 12;
const BLOCK_PAGES_MAX = 256;
/** What a block may take when its pages cannot be compressed. */
const BLOCK_BYTES_MAX = BLOCK_PAGES_MAX * PAGE_BYTES + 64 * 1024;
const MAGIC: Magic = { what: "snapshot", name: "HFSNP\0\0", version: 1 };

export interface SnapshotHead {
  readonly epoch: number;
  readonly seq: number;
  /** 16 bytes. */
  readonly replicaId: Uint8Array;
  /** Of segment `seq`; zeros in the snapshot of a base. */
  readonly segmentHash: Uint8Array;
  readonly timeMs: number;
  readonly databasePages: number;
}

/** Header, blocks in the order of their pages without gaps, end. */
export class SnapshotEncoder {
  readonly #head: SnapshotHead;
  readonly #hash = createHash("sha256");
  #nextPage = 1;

  constructor(head: SnapshotHead) {
    const { epoch, seq, replicaId, segmentHash, timeMs } = head;
    assert(replicaId.length === ID_BYTES && segmentHash.length === HASH_BYTES, "ids are whole");
    assert(Number.isSafeInteger(seq) && seq >= 1 && epoch >= 1, "they count from 1");
    assert(Number.isSafeInteger(timeMs) && timeMs >= 0 && timeMs <= TIME_MS_MAX, "it is a time");
    this.#head = head;
  }

  header(): Uint8Array {
    const { epoch, seq, replicaId, segmentHash, timeMs, databasePages } = this.#head;
    const bytes = Buffer.alloc(HEADER_BYTES);
    writeMagic(bytes, MAGIC);
    bytes.writeUInt32BE(epoch, 8);
    bytes.writeBigUInt64BE(BigInt(seq), 16);
    bytes.set(replicaId, 24);
    bytes.set(segmentHash, 40);
    bytes.writeBigUInt64BE(BigInt(timeMs), 72);
    bytes.writeUInt32BE(PAGE_BYTES, 80);
    bytes.writeUInt32BE(databasePages, 84);
    return this.#hashed(bytes);
  }

  /** At most 256 pages, behind those of the block before. */
  block(firstPage: number, pages: Uint8Array): Uint8Array {
    const count = pages.length / PAGE_BYTES;
    const isWhole = Number.isInteger(count) && count >= 1 && count <= BLOCK_PAGES_MAX;
    assert(isWhole && firstPage === this.#nextPage, "blocks come in order, of at most 256 pages");
    this.#nextPage += count;
    assert(this.#nextPage <= this.#head.databasePages + 1, "a snapshot ends with its last page");
    const packed = deflate(pages);
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + packed.length + HASH_BYTES);
    bytes.writeUInt32BE(firstPage, 0);
    bytes.writeUInt32BE(count, 4);
    bytes.writeUInt32BE(packed.length, 8);
    bytes.set(packed, BLOCK_HEADER_BYTES);
    const end = BLOCK_HEADER_BYTES + packed.length;
    bytes.set(createHash("sha256").update(bytes.subarray(0, end)).digest(), end);
    return this.#hashed(bytes);
  }

  end(): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
    assert(this.#nextPage === this.#head.databasePages + 1, "a snapshot has all its pages");
    const last = this.#hashed(Buffer.alloc(BLOCK_HEADER_BYTES));
    const hash = new Uint8Array(this.#hash.digest());
    return { bytes: Buffer.concat([last, hash]), hash };
  }

  #hashed(bytes: Buffer): Buffer {
    this.#hash.update(bytes);
    return bytes;
  }
}

export interface ReadSnapshot {
  readonly head: SnapshotHead;
  readonly hash: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** Reads a snapshot as it arrives; `onPages` gets what is verified, in order. Throws `DamageError`. */
export function readSnapshot(
  chunks: AsyncIterable<Uint8Array>,
  onPages: (firstPage: number, pages: Uint8Array) => void,
): Promise<ReadSnapshot> {
  return Input.with(chunks, async (input) => {
    const head = decodeHead(await input.take(HEADER_BYTES));
    let next = 1;
    for (;;) {
      const block = await readBlock(input, next, head.databasePages);
      if (block === null) break;
      onPages(next, block);
      next += block.length / PAGE_BYTES;
    }
    demand(next === head.databasePages + 1, "pages are missing in the snapshot");
    const computed = input.digest();
    const hash = await input.take(HASH_BYTES);
    demand(computed.equals(hash), "the checksum of the snapshot is wrong");
    await input.end();
    return { head, hash: new Uint8Array(hash), size: input.count };
  });
}

/** The head alone, from the first bytes. Not covered by a checksum yet. Throws `DamageError`. */
export function readSnapshotHead(chunks: AsyncIterable<Uint8Array>): Promise<SnapshotHead> {
  return Input.with(chunks, async (input) => decodeHead(await input.take(HEADER_BYTES)));
}

/** Null: that was the last one. */
async function readBlock(
  input: Input,
  next: number,
  databasePages: number,
): Promise<Uint8Array | null> {
  const header = await input.take(BLOCK_HEADER_BYTES);
  if (header.every((each) => each === 0)) return null;
  const first = header.readUInt32BE(0);
  const count = header.readUInt32BE(4);
  const size = header.readUInt32BE(8);
  demand(first === next, "the blocks of the snapshot are out of order");
  demand(count >= 1 && count <= BLOCK_PAGES_MAX, `a block of the snapshot has ${count} pages`);
  demand(next + count - 1 <= databasePages, "the snapshot has more pages than the database");
  demand(size <= BLOCK_BYTES_MAX, "a block of the snapshot is too long");
  const rest = await input.take(size + HASH_BYTES);
  const packed = rest.subarray(0, size);
  const computed = createHash("sha256").update(header).update(packed).digest();
  const isRight = computed.equals(rest.subarray(size));
  demand(isRight, `the checksum of the pages from ${first} on is wrong`);
  const pages = inflate(packed, count * PAGE_BYTES);
  return new Uint8Array(pages.buffer, pages.byteOffset, pages.length);
}

function decodeHead(bytes: Buffer): SnapshotHead {
  checkMagic(bytes, MAGIC);
  const reserved = bytes.readUInt32BE(12) === 0 && bytes.readBigUInt64BE(88) === 0n;
  demand(reserved, "a reserved field of the snapshot is set");
  demand(bytes.readUInt32BE(80) === PAGE_BYTES, "the pages of the snapshot have another size");
  const epoch = bytes.readUInt32BE(8);
  const seq = safe(bytes.readBigUInt64BE(16));
  demand(epoch >= 1 && seq >= 1, "the snapshot has no number or no epoch");
  return {
    epoch,
    seq,
    replicaId: new Uint8Array(bytes.subarray(24, 40)),
    segmentHash: new Uint8Array(bytes.subarray(40, 72)),
    timeMs: time(bytes.readBigUInt64BE(72)),
    databasePages: bytes.readUInt32BE(84),
  };
}

/** Chunks of any length as pieces of the length asked for; everything taken is hashed. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #hash: Hash = createHash("sha256");
  #rest: Buffer = Buffer.alloc(0);
  count = 0;

  private constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Whatever happens, nothing more is asked for afterwards: a download ends. */
  static async with<T>(
    chunks: AsyncIterable<Uint8Array>,
    read: (input: Input) => Promise<T>,
  ): Promise<T> {
    const input = new Input(chunks);
    try {
      return await read(input);
    } finally {
      // That it cannot be broken off is no reason to doubt what was read, nor to hide what was wrong with it.
      await input.#chunks.return?.().catch(() => {});
    }
  }

  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0) await this.#fill();
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      parts.push(part);
      missing -= part.length;
    }
    const taken = parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
    this.#hash.update(taken);
    this.count += length;
    return taken;
  }

  /** Of everything taken so far. */
  digest(): Buffer {
    return this.#hash.copy().digest();
  }

  /** Nothing may follow. */
  async end(): Promise<void> {
    demand(this.#rest.length === 0, "something follows the end of the snapshot");
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return;
      demand(next.value.length === 0, "something follows the end of the snapshot");
    }
  }

  async #fill(): Promise<void> {
    const next = await this.#chunks.next();
    demand(next.done !== true, "the snapshot is cut off");
    const { value } = next;
    this.#rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}
