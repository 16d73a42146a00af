/** A history made by hand in a memory bucket: claims, bases, deltas, snapshots and payloads, and what each state is. */
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { claim } from "./claim.ts";
import { deltaOf, encodeSnapshotOf, PAGE_BYTES, POSITION, sha256 } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { blobKey, segmentKey, snapshotKey } from "./names.ts";
import type { BlobRef, Segment, SegmentContent } from "./segment.ts";
import { encodeSegment, nextSeq } from "./segment-codec.ts";

const START_MS = Date.parse("2026-11-26T09:00:00Z");
const MINUTE_MS = 60_000;
const REPLICA_ID = new Uint8Array(16).fill(1);

/** Directories that are gone after the tests of the file. */
export function directories(): () => string {
  const made: string[] = [];
  after(() => {
    for (const each of made) fs.rmSync(each, { recursive: true, force: true });
  });
  return () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-replica-"));
    made.push(directory);
    return directory;
  };
}

/** Each segment is a minute after the one before. */
export class MadeHistory {
  readonly bucket = new MemoryBucket(() => this.nowMs);
  /** By number of a segment: the database after it. */
  readonly states = new Map<number, Buffer>();
  /** Payloads that were stored. */
  readonly blobs: BlobRef[] = [];
  nowMs = START_MS;
  #tail: Segment | null = null;
  #image: Buffer = Buffer.alloc(0);

  get lastSeq(): number {
    return this.#tail?.head.seq ?? 0;
  }

  /** Of the segment of that number. */
  timeOf(seq: number): number {
    const index = [...this.states.keys()].indexOf(seq);
    assert(index >= 0);
    return this.#times[index] ?? 0;
  }

  readonly #times: number[] = [];

  async claim(host: string): Promise<number> {
    const writerId = new Uint8Array(16).fill(host.charCodeAt(0));
    const identity = { replicaId: REPLICA_ID, writerId, host };
    this.nowMs += MINUTE_MS;
    const claimed = await claim(this.bucket, { tail: this.#tail, identity, nowMs: this.nowMs });
    assert(claimed.kind === "claimed", claimed.kind);
    return this.#went(claimed.segment);
  }

  /** The database becomes so many pages, each with this text, by a base segment and its snapshot. */
  async base(pages: number, text: string): Promise<number> {
    this.#image = Buffer.alloc(pages * PAGE_BYTES, text);
    const seq = this.#nextSeq();
    const { bytes, hash } = encodeSnapshotOf(
      this.#snapshotHead(seq, new Uint8Array(32)),
      this.#image,
    );
    await this.bucket.put(snapshotKey(seq, this.#epoch()), bytes);
    return await this.#append({
      kind: "base",
      databasePages: pages,
      position: POSITION,
      snapshotHash: hash,
      snapshotSize: bytes.length,
    });
  }

  /** These pages get this text; the database has `pages` pages from then on. */
  async delta(
    numbers: readonly number[],
    text: string,
    { pages = this.#image.length / PAGE_BYTES, blobs = [] as readonly BlobRef[] } = {},
  ): Promise<number> {
    const next = Buffer.alloc(pages * PAGE_BYTES);
    this.#image.copy(next);
    const changed = numbers.map(() => Buffer.alloc(PAGE_BYTES, text));
    for (const [index, number] of numbers.entries())
      changed[index]?.copy(next, (number - 1) * PAGE_BYTES);
    this.#image = next;
    return await this.#append(
      deltaOf({ blobs, numbers, pages: new Uint8Array(Buffer.concat(changed)) }, pages),
    );
  }

  /** Of the last segment. `text`: what it says all pages are, where that is not true. */
  async snapshot(text?: string): Promise<string> {
    const tail = this.#tail;
    assert(tail !== null);
    const image = text === undefined ? this.#image : Buffer.alloc(this.#image.length, text);
    const { bytes } = encodeSnapshotOf(this.#snapshotHead(tail.head.seq, tail.hash), image);
    const key = snapshotKey(tail.head.seq, tail.head.epoch);
    await this.bucket.put(key, bytes);
    return key;
  }

  /** Stored; a delta names it. */
  async blob(text: string): Promise<BlobRef> {
    const bytes = new Uint8Array(Buffer.from(text));
    const ref = { hash: sha256(bytes), id: new Uint8Array(8).fill(7), size: bytes.length };
    await this.bucket.put(blobKey(ref), bytes);
    this.blobs.push(ref);
    return ref;
  }

  async change(key: string, damage: (bytes: Buffer) => Uint8Array): Promise<void> {
    const bytes = await this.bucket.get(key);
    assert(bytes !== null, `${key} is there`);
    await this.bucket.put(key, new Uint8Array(damage(Buffer.from(bytes))));
  }

  async remove(...seqs: readonly number[]): Promise<void> {
    await this.bucket.delete(seqs.map(segmentKey));
  }

  #epoch(): number {
    assert(this.#tail !== null, "a claim comes first");
    return this.#tail.head.epoch;
  }

  #nextSeq(): number {
    assert(this.#tail !== null, "a claim comes first");
    return nextSeq(this.#tail);
  }

  #snapshotHead(seq: number, segmentHash: Uint8Array) {
    const databasePages = this.#image.length / PAGE_BYTES;
    const epoch = this.#epoch();
    return { seq, epoch, replicaId: REPLICA_ID, segmentHash, timeMs: this.nowMs, databasePages };
  }

  async #append(content: SegmentContent): Promise<number> {
    const tail = this.#tail;
    assert(tail !== null, "a claim comes first");
    this.nowMs += MINUTE_MS;
    const head = { ...tail.head, seq: nextSeq(tail), previousHash: tail.hash, timeMs: this.nowMs };
    const { bytes, segment } = encodeSegment(head, content);
    assert.equal(await this.bucket.putNew(segmentKey(head.seq), bytes), "created");
    return this.#went(segment);
  }

  #went(segment: Segment): number {
    this.#tail = segment;
    this.states.set(segment.head.seq, this.#image);
    this.#times.push(segment.head.timeMs);
    return segment.head.seq;
  }
}

/** A byte of it is another one. */
export function flipped(at: number): (bytes: Buffer) => Uint8Array {
  return (bytes) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1);
}

/** A claim, a base of three pages, three deltas with a snapshot after the second, and a payload: a little of all. */
export async function smallHistory() {
  const history = new MadeHistory();
  const claimSeq = await history.claim("alpha");
  const baseSeq = await history.base(3, "begun");
  const first = await history.delta([2], "first");
  const blob = await history.blob("a large payload");
  const second = await history.delta([1, 4], "second", { pages: 4, blobs: [blob] });
  const snapshot = await history.snapshot();
  const third = await history.delta([3], "third", { pages: 3 });
  return { history, claimSeq, baseSeq, first, second, third, snapshot, blob };
}
