/** Snapshots as bytes, in a stream: `docs/spec/replica.md` section 4. */
import { createHash, type Hash } from "node:crypto";
import { deflateRawSync } from "node:zlib";
import { inflate } from "./delta-pages.ts";
import { checkMagic, demand, safe } from "./segment-codec.ts";

const PAGE_BYTES = 4096;
const HEADER_BYTES = 96;
const BLOCK_HEADER_BYTES = 12;
const HASH_BYTES = 32;
const BLOCK_PAGES_MAX = 256;
/** What a block may take when its pages cannot be compressed. */
const BLOCK_BYTES_MAX = BLOCK_PAGES_MAX * PAGE_BYTES + 64 * 1024;
const MAGIC = Buffer.from("HFSNP\0\0", "latin1");
const VERSION = 1;
const LEVEL = 1;

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
    this.#head = head;
  }

  header(): Uint8Array {
    const { epoch, seq, replicaId, segmentHash, timeMs, databasePages } = this.#head;
    const bytes = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(bytes);
    bytes.writeUInt8(VERSION, MAGIC.length);
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
    if (firstPage !== this.#nextPage || count < 1 || count > BLOCK_PAGES_MAX) {
      throw new Error(`a block of ${count} pages from ${firstPage} on does not come here`);
    }
    this.#nextPage += count;
    const packed = deflateRawSync(pages, { level: LEVEL });
    const bytes = Buffer.alloc(BLOCK_HEADER_BYTES + packed.length + HASH_BYTES);
    bytes.writeUInt32BE(firstPage, 0);
    bytes.writeUInt32BE(count, 4);
    bytes.writeUInt32BE(packed.length, 8);
    packed.copy(bytes, BLOCK_HEADER_BYTES);
    const end = BLOCK_HEADER_BYTES + packed.length;
    bytes.set(createHash("sha256").update(bytes.subarray(0, end)).digest(), end);
    return this.#hashed(bytes);
  }

  end(): { readonly bytes: Uint8Array; readonly hash: Uint8Array } {
    if (this.#nextPage !== this.#head.databasePages + 1) throw new Error("pages are missing");
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
export async function readSnapshot(
  chunks: AsyncIterable<Uint8Array>,
  onPages: (firstPage: number, pages: Uint8Array) => void,
): Promise<ReadSnapshot> {
  const input = new Input(chunks);
  const head = decodeHead(await input.take(HEADER_BYTES));
  let nextPage = 1;
  for (;;) {
    const header = await input.take(BLOCK_HEADER_BYTES);
    const [first, count, size] = [0, 4, 8].map((at) => header.readUInt32BE(at));
    demand(first !== undefined && count !== undefined && size !== undefined, "a block is cut off");
    if (count === 0) {
      demand(first === 0 && size === 0, "the end of the snapshot is damaged");
      break;
    }
    demand(first === nextPage && count <= BLOCK_PAGES_MAX, "a block is out of order");
    demand(size <= BLOCK_BYTES_MAX, "a block is too long");
    const rest = await input.take(size + HASH_BYTES);
    const packed = rest.subarray(0, size);
    const computed = createHash("sha256").update(header).update(packed).digest();
    demand(
      computed.equals(rest.subarray(size)),
      `the checksum of the pages from ${first} on is wrong`,
    );
    onPages(first, inflate(packed, count * PAGE_BYTES));
    nextPage += count;
  }
  demand(nextPage === head.databasePages + 1, "pages are missing in the snapshot");
  const computed = input.digest();
  const hash = await input.take(HASH_BYTES);
  demand(computed.equals(hash), "the checksum of the snapshot is wrong");
  await input.end();
  return { head, hash: new Uint8Array(hash), size: input.count };
}

/** The head alone, from the first bytes. Throws `DamageError`. */
export async function readSnapshotHead(chunks: AsyncIterable<Uint8Array>): Promise<SnapshotHead> {
  return decodeHead(await new Input(chunks).take(HEADER_BYTES));
}

function decodeHead(bytes: Buffer): SnapshotHead {
  checkMagic(bytes, MAGIC, "snapshot");
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
    timeMs: safe(bytes.readBigUInt64BE(72)),
    databasePages: bytes.readUInt32BE(84),
  };
}

/** Chunks of any length as pieces of the length asked for; everything taken is hashed. */
class Input {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #hash: Hash = createHash("sha256");
  #rest: Buffer = Buffer.alloc(0);
  count = 0;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
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
