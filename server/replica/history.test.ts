/** Appending, claiming, following: who owns the history, whatever the store does. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Appender } from "./appender.ts";
import { BucketError } from "./bucket-error.ts";
import { follow, linkOf, readSegment } from "./chain.ts";
import { claim } from "./claim.ts";
import { DamageError } from "./damage-error.ts";
import { packDelta } from "./delta-pages.ts";
import type { FencedError } from "./fenced-error.ts";
import { POSITION } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { segmentKey } from "./names.ts";
import type { Delta, Segment } from "./segment.ts";
import { nextSeq, WINDOW } from "./segment-codec.ts";

const NOW_MS = 1_700_000_000_000;
const identity = (host: string) => ({
  replicaId: new Uint8Array(16).fill(1),
  writerId: new Uint8Array(16).fill(host.charCodeAt(0)),
  host,
});
const empty = packDelta({ blobs: [], numbers: [], pages: new Uint8Array() });
const delta: Delta = {
  kind: "delta",
  databasePages: 1,
  position: POSITION,
  pageCount: 0,
  blobCount: 0,
  ...empty,
};

async function claimed(bucket: MemoryBucket, tail: Segment | null, host: string): Promise<Segment> {
  const result = await claim(bucket, { tail, identity: identity(host), nowMs: NOW_MS });
  assert.equal(result.kind, "claimed");
  return result.kind === "claimed" ? result.segment : assert.fail();
}

class Writer {
  readonly accepted: number[] = [];
  readonly troubles: string[] = [];
  fenced: FencedError | null = null;
  readonly appender: Appender;

  constructor(bucket: MemoryBucket, segment: Segment) {
    const { head, hash } = segment;
    this.appender = new Appender({
      bucket,
      identity: head,
      end: { seq: nextSeq(segment), hash, timeMs: head.timeMs },
      after: (_, fn) => {
        setImmediate(fn);
        return () => {};
      },
      nowMs: () => NOW_MS,
      random: () => 0,
      onAccepted: ({ head: { seq } }) => this.accepted.push(seq),
      onFenced: (error) => (this.fenced = error),
      onTrouble: ({ kind }) => this.troubles.push(kind),
    });
  }
}

async function chain(bucket: MemoryBucket): Promise<string[]> {
  const first = await readSegment(bucket, 1);
  if (first === null) return [];
  const found = [first];
  for await (const segment of follow(bucket, linkOf(first))) found.push(segment);
  return found.map(({ head, content }) => `${head.seq} ${content.kind} ${head.host}`);
}

/** Does `fault` instead of the next PUT of a new key; it may do the PUT itself. */
function once(bucket: MemoryBucket, fault: (put: () => Promise<unknown>) => Promise<never>): void {
  const putNew = bucket.putNew.bind(bucket);
  bucket.putNew = async (key, bytes) => {
    bucket.putNew = putNew;
    return await fault(() => putNew(key, bytes));
  };
}

const unavailable = (): never => {
  throw new BucketError("unavailable", "planted");
};

describe("the history", () => {
  it("is what its writer appended, in order", async () => {
    const bucket = new MemoryBucket(Date.now);
    const writer = new Writer(bucket, await claimed(bucket, null, "a"));
    const seqs = Array.from({ length: 40 }, () => writer.appender.append(delta));
    await writer.appender.whenAccepted(seqs.at(-1) ?? 0);
    assert.deepEqual(writer.accepted, seqs);
    const expected = ["1 claim a", ...seqs.map((seq) => `${seq} delta a`)];
    assert.deepEqual(await chain(bucket), expected);
    assert.equal(seqs[0], 1 + WINDOW);
  });

  it("accepts nothing before what comes first, and keeps to its window", async () => {
    const bucket = new MemoryBucket(Date.now);
    const writer = new Writer(bucket, await claimed(bucket, null, "a"));
    let letGo: () => void = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    once(bucket, async (put) => {
      await gate;
      await put();
      return unavailable();
    });
    for (let count = 0; count < WINDOW + 4; count += 1) writer.appender.append(delta);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(writer.accepted, []);
    assert.notEqual(await bucket.get(segmentKey(2 * WINDOW)), null);
    assert.equal(await bucket.get(segmentKey(2 * WINDOW + 1)), null, "beyond the window");
    letGo();
    // The PUT had succeeded, its answer was lost: the writer finds its own segment there.
    await writer.appender.whenAccepted(2 * WINDOW + 4);
    assert.deepEqual(writer.troubles, ["unavailable"]);
    assert.equal(writer.accepted.length, WINDOW + 4);
  });

  it("belongs to whoever claimed it last: the writer before is fenced and accepts nothing more", async () => {
    const bucket = new MemoryBucket(Date.now);
    const first = await claimed(bucket, null, "a");
    const old = new Writer(bucket, first);
    const seq = old.appender.append(delta);
    await old.appender.whenAccepted(seq);
    const tail = await readSegment(bucket, seq);
    const second = await claimed(bucket, tail, "b");
    assert.equal(second.head.epoch, 2);
    const lost = old.appender.append(delta);
    old.appender.append(delta);
    await assert.rejects(
      old.appender.whenAccepted(lost),
      /another server writes this replica now \(b,/,
    );
    assert.deepEqual(old.accepted, [seq]);
    assert.equal(old.fenced?.seq, lost);
    await assert.rejects(old.appender.whenAccepted(lost + 5), /another server/);
    const writer = new Writer(bucket, second);
    const last = writer.appender.append(delta);
    await writer.appender.whenAccepted(last);
    // What the old one had under way landed in the window, where nobody reads.
    const expected = ["1 claim a", "17 delta a", "18 claim b", "34 delta b"];
    assert.deepEqual(await chain(bucket), expected);
  });

  it("is claimed by one of many", async () => {
    const bucket = new MemoryBucket(Date.now);
    const tail = await claimed(bucket, null, "a");
    const results = await Promise.all(
      ["b", "c", "d", "e"].map((host) =>
        claim(bucket, { tail, identity: identity(host), nowMs: NOW_MS }),
      ),
    );
    assert.deepEqual(results.map(({ kind }) => kind).toSorted(), [
      "claimed",
      "moved",
      "moved",
      "moved",
    ]);
  });

  it("knows a claim again whose answer was lost", async () => {
    const bucket = new MemoryBucket(Date.now);
    once(bucket, async (put) => {
      await put();
      return unavailable();
    });
    const options = { tail: null, identity: identity("a"), nowMs: NOW_MS };
    await assert.rejects(claim(bucket, options), BucketError);
    assert.equal((await claim(bucket, options)).kind, "claimed");
  });

  it("is not had by a claimer that slept while its number was used and deleted", async () => {
    const bucket = new MemoryBucket(Date.now);
    const first = await claimed(bucket, null, "a");
    const writer = new Writer(bucket, first);
    for (let count = 0; count < 60; count += 1) writer.appender.append(delta);
    await writer.appender.whenAccepted(WINDOW + 60);
    const tail = await readSegment(bucket, WINDOW + 5);
    // Retention has come along.
    for (let seq = WINDOW + 1; seq < WINDOW + 50; seq += 1) await bucket.delete([segmentKey(seq)]);
    const late = await claim(bucket, { tail, identity: identity("b"), nowMs: NOW_MS });
    assert.equal(late.kind, "stale");
    const seq = writer.appender.append(delta);
    await writer.appender.whenAccepted(seq);
  });

  it("says where it is damaged", async () => {
    const bucket = new MemoryBucket(Date.now);
    const writer = new Writer(bucket, await claimed(bucket, null, "a"));
    const seqs = Array.from({ length: 5 }, () => writer.appender.append(delta));
    await writer.appender.whenAccepted(seqs.at(-1) ?? 0);
    const third = await bucket.get(segmentKey(WINDOW + 3));
    const flipped = third?.map((byte, index) => (index === 200 ? byte ^ 1 : byte));
    await bucket.put(segmentKey(WINDOW + 3), flipped ?? new Uint8Array());
    await assert.rejects(chain(bucket), (error: unknown) => {
      assert(error instanceof DamageError);
      assert.match(error.message, /segment 19: the checksum/);
      return true;
    });
    // A segment of this number that follows something else.
    await bucket.put(
      segmentKey(WINDOW + 3),
      (await bucket.get(segmentKey(WINDOW + 2))) ?? flipped ?? new Uint8Array(),
    );
    await assert.rejects(chain(bucket), DamageError);
  });

  it("waits for a store that fails, however often, and goes on", async () => {
    const bucket = new MemoryBucket(Date.now);
    const segment = await claimed(bucket, null, "a");
    const putNew = bucket.putNew.bind(bucket);
    let left = 20;
    bucket.putNew = async (key, bytes) => {
      left -= 1;
      if (left > 10) throw new BucketError("denied", "planted");
      if (left > 0) return unavailable();
      return await putNew(key, bytes);
    };
    const writer = new Writer(bucket, segment);
    const seq = writer.appender.append(delta);
    await writer.appender.whenAccepted(seq);
    assert.equal(writer.troubles.length, 19);
    assert.deepEqual(writer.accepted, [seq]);
  });
});
