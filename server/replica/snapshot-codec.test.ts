import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { DamageError } from "./damage-error.ts";
import {
  damages,
  encodeSnapshot,
  PAGE_BYTES,
  pagesFrom,
  resealed,
  sha256,
  snapshotHeads,
} from "./format.suite.ts";
import {
  type ReadSnapshot,
  readSnapshot,
  readSnapshotHead,
  SnapshotEncoder,
  type SnapshotHead,
} from "./snapshot-codec.ts";

const BLOCK_PAGES = 256;

const HEAD: SnapshotHead = {
  epoch: 3,
  seq: 0x1_0000_0002,
  replicaId: new Uint8Array(16).fill(0xaa),
  segmentHash: new Uint8Array(32).fill(0xcc),
  timeMs: 1_760_000_000_000,
  databasePages: 3,
};

const SMALL = encodeSnapshot(HEAD, [2, 1]).bytes;

/** As a download: in chunks of these lengths again and again, and what became of it. */
class Download implements AsyncIterable<Uint8Array> {
  readonly #bytes: Uint8Array;
  readonly #lengths: readonly number[];
  sent = 0;
  isOver = false;

  constructor(bytes: Uint8Array, lengths: readonly number[] = [bytes.length]) {
    this.#bytes = bytes;
    this.#lengths = lengths;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (let index = 0; this.sent < this.#bytes.length; index += 1) {
        const length = this.#lengths[index % this.#lengths.length] ?? 1;
        const chunk = this.#bytes.subarray(this.sent, this.sent + length);
        this.sent += chunk.length;
        yield chunk;
      }
    } finally {
      this.isOver = true;
    }
  }
}

interface Received extends ReadSnapshot {
  readonly image: Uint8Array;
}

async function receive(chunks: AsyncIterable<Uint8Array>): Promise<Received> {
  const parts: Uint8Array[] = [];
  let next = 1;
  const read = await readSnapshot(chunks, (first, pages) => {
    assert.equal(first, next);
    next += pages.length / PAGE_BYTES;
    parts.push(pages);
  });
  return { ...read, image: new Uint8Array(Buffer.concat(parts)) };
}

/** With a sentence, and what was handed out before was right. */
async function refuses(bytes: Uint8Array, message?: RegExp, what?: string): Promise<void> {
  const download = new Download(bytes);
  await assert.rejects(
    readSnapshot(download, (first, pages) => {
      const expected = pagesFrom(first, pages.length / PAGE_BYTES);
      assert.ok(Buffer.compare(pages, expected) === 0, `${what ?? ""}: wrong pages handed out`);
    }),
    (error) => {
      assert.ok(error instanceof DamageError, `${what ?? ""}: ${String(error)}`);
      if (message !== undefined) assert.match(error.message, message);
      return true;
    },
    what,
  );
  assert.ok(download.isOver || download.sent === 0, what);
}

/** What a block says of itself; the rest is as it should be. */
interface Block {
  readonly first: number;
  readonly count: number;
  readonly packed?: Uint8Array;
  readonly size?: number;
}

function block({ first, count, packed, size }: Block): Uint8Array {
  const body = packed ?? deflateRawSync(pagesFrom(first, count));
  const header = Buffer.alloc(12);
  header.writeUInt32BE(first, 0);
  header.writeUInt32BE(count, 4);
  header.writeUInt32BE(size ?? body.length, 8);
  const bytes = Buffer.concat([header, body]);
  return Buffer.concat([bytes, sha256(bytes)]);
}

/** A snapshot of such blocks, every checksum right. */
function snapshotOf(databasePages: number, ...blocks: readonly Uint8Array[]): Uint8Array {
  const header = new SnapshotEncoder({ ...HEAD, databasePages }).header();
  const bytes = Buffer.concat([header, ...blocks, Buffer.alloc(12)]);
  return new Uint8Array(Buffer.concat([bytes, sha256(bytes)]));
}

const splits: fc.Arbitrary<readonly number[]> = fc.array(fc.integer({ min: 1, max: 700 }), {
  minLength: 1,
  maxLength: 5,
});

describe("a snapshot", () => {
  it("is read as it was written, in chunks of any length", async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 });
    const property = fc.asyncProperty(
      snapshotHeads,
      sizes,
      splits,
      async (any, blockPages, lengths) => {
        const databasePages = blockPages.reduce((sum, count) => sum + count, 0);
        const head = { ...any, databasePages };
        const { bytes, hash } = encodeSnapshot(head, blockPages);
        const received = await receive(new Download(bytes, lengths));
        const image = pagesFrom(1, databasePages);
        assert.deepEqual(received, { head, hash, size: bytes.length, image });
        assert.deepEqual(hash, new Uint8Array(bytes.slice(-32)));
        assert.deepEqual(hash, sha256(bytes.slice(0, -32)));
        assert.deepEqual(await readSnapshotHead(new Download(bytes, lengths)), head);
      },
    );
    await fc.assert(property);
  });

  it("has its fields where the format says", () => {
    const bytes = Buffer.from(SMALL);
    assert.equal(bytes.toString("latin1", 0, 8), "HFSNP\0\0\x01");
    assert.equal(bytes.readUInt32BE(8), 3);
    assert.equal(bytes.readUInt32BE(12), 0);
    assert.equal(bytes.readBigUInt64BE(16), 0x1_0000_0002n);
    assert.equal(bytes.toString("hex", 24, 40), "aa".repeat(16));
    assert.equal(bytes.toString("hex", 40, 72), "cc".repeat(32));
    assert.equal(bytes.readBigUInt64BE(72), 1_760_000_000_000n);
    assert.equal(bytes.readUInt32BE(80), 4096);
    assert.equal(bytes.readUInt32BE(84), 3);
    assert.equal(bytes.readBigUInt64BE(88), 0n);
    assert.deepEqual([bytes.readUInt32BE(96), bytes.readUInt32BE(100)], [1, 2]);
    const end = 96 + 12 + bytes.readUInt32BE(104);
    assert.deepEqual(
      new Uint8Array(bytes.subarray(end, end + 32)),
      sha256(bytes.subarray(96, end)),
    );
    assert.deepEqual([bytes.readUInt32BE(end + 32), bytes.readUInt32BE(end + 36)], [3, 1]);
  });

  it("is refused with any byte flipped, cut anywhere, and with a byte too many", async () => {
    for (const [what, damaged] of damages(SMALL)) await refuses(damaged, undefined, what);
  });

  it("is refused when something follows it, however the chunks are cut, unless that is empty", async () => {
    const longer = new Download(new Uint8Array([...SMALL, 0]), [SMALL.length, 1]);
    await assert.rejects(receive(longer), /something follows the end of the snapshot/);
    async function* padded(): AsyncGenerator<Uint8Array> {
      yield new Uint8Array(0);
      yield* new Download(SMALL, [100, 0]);
      yield new Uint8Array(0);
    }
    assert.equal((await receive(padded())).size, SMALL.length);
  });

  it("that is garbage is refused, even garbage that begins well and has the right checksum", async () => {
    const garbage = fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), (bytes) => refuses(bytes));
    await fc.assert(garbage);
    const header = Buffer.from(SMALL.subarray(0, 96));
    const sealed = fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => {
      const all = Buffer.concat([header, bytes, Buffer.alloc(32)]);
      await refuses(resealed(all, () => {}));
    });
    await fc.assert(sealed);
  });

  it("of blocks that are full and do not compress is read, without holding more than a block", async () => {
    const encoder = new SnapshotEncoder({ ...HEAD, databasePages: 6 * BLOCK_PAGES + 1 });
    let state = 1;
    const noise = new Uint8Array(BLOCK_PAGES * PAGE_BYTES).map(() => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
    const parts = [encoder.header()];
    for (let index = 0; index < 6; index += 1) {
      parts.push(encoder.block(index * BLOCK_PAGES + 1, noise));
    }
    parts.push(encoder.block(6 * BLOCK_PAGES + 1, noise.subarray(0, PAGE_BYTES)));
    parts.push(encoder.end().bytes);
    const bytes = new Uint8Array(Buffer.concat(parts));
    const chunkBytes = 64 * 1024;
    const download = new Download(bytes, [chunkBytes]);
    let received = 0;
    await readSnapshot(download, (_, pages) => {
      received += pages.length;
      assert.ok(download.sent - received <= 2 * chunkBytes, "reads ahead of what it hands out");
      const isRight = Buffer.compare(pages, noise.subarray(0, pages.length)) === 0;
      assert.ok(isRight);
    });
    assert.equal(received, (6 * BLOCK_PAGES + 1) * PAGE_BYTES);
  });

  it("may be of a database without pages", async () => {
    const { bytes } = encodeSnapshot({ ...HEAD, databasePages: 0 }, []);
    assert.equal((await receive(new Download(bytes))).image.length, 0);
  });

  it("is not asked for more once it is found damaged, or once its head is read", async () => {
    const damaged = SMALL.slice();
    damaged[200] = (damaged[200] ?? 0) ^ 1;
    const bytes = new Uint8Array([...damaged, ...new Uint8Array(10_000)]);
    const download = new Download(bytes, [64]);
    await assert.rejects(receive(download), DamageError);
    assert.ok(download.isOver && download.sent <= SMALL.length + 64);
    const forHead = new Download(SMALL, [32]);
    assert.deepEqual(await readSnapshotHead(forHead), HEAD);
    assert.ok(forHead.isOver);
    assert.equal(forHead.sent, 96);
  });

  it("whose download breaks off with an error passes that on", async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield SMALL.subarray(0, 150);
      await Promise.resolve();
      throw new Error("connection reset");
    }
    await assert.rejects(receive(broken()), /^Error: connection reset$/);
  });

  it("whose pages cannot be kept ends with that error, and the download", async () => {
    const download = new Download(SMALL, [64]);
    const full = readSnapshot(download, () => {
      throw new Error("no space left");
    });
    await assert.rejects(full, /^Error: no space left$/);
    assert.ok(download.isOver);
  });
});

describe("a snapshot whose checksums are right", () => {
  const changed = (change: (bytes: Buffer) => void): Uint8Array => resealed(SMALL, change);
  const pair = block({ first: 1, count: 2 });
  const third = block({ first: 3, count: 1 });
  const bomb = deflateRawSync(Buffer.alloc(64 * PAGE_BYTES));
  const cases: Record<string, readonly [bytes: Uint8Array, says: RegExp]> = {
    "of a newer format": [
      changed((bytes) => bytes.writeUInt8(2, 7)),
      /^the snapshot was written by a newer Holdfast \(format 2\)/,
    ],
    "that is a segment": [changed((bytes) => bytes.write("HFSEG", 0)), /^this is no snapshot$/],
    "of epoch 0": [changed((bytes) => bytes.writeUInt32BE(0, 8)), /no epoch/],
    "of segment 0": [changed((bytes) => bytes.writeBigUInt64BE(0n, 16)), /no number/],
    "of a segment that cannot be counted to": [
      changed((bytes) => bytes.writeBigUInt64BE(2n ** 53n, 16)),
      /out of range/,
    ],
    "of a time that no calendar has": [
      changed((bytes) => bytes.writeBigUInt64BE(2n ** 53n, 72)),
      /time/,
    ],
    "with something in the first reserved field": [
      changed((bytes) => bytes.writeUInt8(1, 12)),
      /reserved/,
    ],
    "with something in the second reserved field": [
      changed((bytes) => bytes.writeUInt8(1, 95)),
      /reserved/,
    ],
    "of pages of another size": [changed((bytes) => bytes.writeUInt32BE(8192, 80)), /another size/],
    "of a larger database": [changed((bytes) => bytes.writeUInt32BE(4, 84)), /missing/],
    "of a smaller database": [
      changed((bytes) => bytes.writeUInt32BE(2, 84)),
      /more pages than the database/,
    ],
    "without its first block": [snapshotOf(3, third), /out of order/],
    "without its last block": [snapshotOf(3, pair), /missing/],
    "with a block twice": [snapshotOf(5, pair, pair, third), /out of order/],
    "with its blocks in another order": [snapshotOf(3, third, pair), /out of order/],
    "with a block from page 0 on": [snapshotOf(1, block({ first: 0, count: 1 })), /out of order/],
    "with a block of 257 pages": [
      snapshotOf(257, block({ first: 1, count: 257 })),
      /has 257 pages/,
    ],
    "with a block of no pages": [snapshotOf(1, block({ first: 1, count: 0 })), /has 0 pages/],
    "with a block that holds fewer pages": [
      snapshotOf(2, block({ first: 1, count: 2, packed: deflateRawSync(pagesFrom(1, 1)) })),
      /another length/,
    ],
    "with a block that would fill the memory": [
      snapshotOf(2, block({ first: 1, count: 2, packed: bomb })),
      /cannot be read/,
    ],
    "with something behind the pages of a block": [
      snapshotOf(
        1,
        block({
          first: 1,
          count: 1,
          packed: new Uint8Array([...deflateRawSync(pagesFrom(1, 1)), 0]),
        }),
      ),
      /follows/,
    ],
    "with a block of nothing": [
      snapshotOf(1, block({ first: 1, count: 1, packed: new Uint8Array(0) })),
      /cannot be read/,
    ],
  };

  for (const [what, [bytes, says]] of Object.entries(cases)) {
    it(`${what} is refused`, () => refuses(bytes, says));
  }

  it("is read when nothing was changed, so that the cases above mean something", async () => {
    await receive(new Download(changed(() => {})));
    await receive(new Download(snapshotOf(3, pair, third)));
  });

  it("does not wait for a block of gigabytes", async () => {
    const bytes = snapshotOf(1, block({ first: 1, count: 1, size: 0xffff_ffff }));
    const download = new Download(new Uint8Array([...bytes, ...new Uint8Array(100_000)]), [128]);
    await assert.rejects(receive(download), /a block of the snapshot is too long/);
    assert.equal(download.sent, 128);
  });
});

describe("writing a snapshot", () => {
  const refusesToWrite = (write: () => unknown): void =>
    assert.throws(write, { name: "AssertionError" });

  it("is refused where it could not be read", () => {
    const make = (head: Partial<SnapshotHead>) => () => new SnapshotEncoder({ ...HEAD, ...head });
    refusesToWrite(make({ replicaId: new Uint8Array(15) }));
    refusesToWrite(make({ segmentHash: new Uint8Array(31) }));
    refusesToWrite(make({ epoch: 0 }));
    refusesToWrite(make({ seq: 0 }));
    refusesToWrite(make({ timeMs: -1 }));
    refusesToWrite(() => make({})().block(2, pagesFrom(2, 1)));
    refusesToWrite(() => make({})().block(1, pagesFrom(1, 4)));
    refusesToWrite(() => make({})().block(1, new Uint8Array(PAGE_BYTES - 1)));
    refusesToWrite(() => make({})().block(1, new Uint8Array(0)));
    refusesToWrite(() => make({ databasePages: 300 })().block(1, pagesFrom(1, 257)));
    refusesToWrite(() => make({})().end());
  });
});
