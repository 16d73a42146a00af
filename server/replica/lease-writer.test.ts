import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { BucketError } from "./bucket-error.ts";
import { decodeLease, type Lease } from "./lease.ts";
import { LeaseWriter } from "./lease-writer.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { leaseKey } from "./names.ts";

const LEASE_MS = 9000;
const holder = (epoch: number) => ({ epoch, writerId: new Uint8Array(16).fill(epoch), host: "a" });
const turn = () => new Promise((resolve) => setImmediate(resolve));

interface Timer {
  readonly atMs: number;
  readonly fn: () => void;
}

describe("the lease of a writer", () => {
  let bucket: MemoryBucket;
  let nowMs: number;
  let timers: Timer[];
  let defects: unknown[];
  let writer: LeaseWriter;

  beforeEach(() => {
    bucket = new MemoryBucket(() => nowMs);
    nowMs = 0;
    timers = [];
    defects = [];
    const after = (ms: number, fn: () => void) => {
      const timer = { atMs: nowMs + ms, fn };
      timers.push(timer);
      return () => void (timers = timers.filter((each) => each !== timer));
    };
    const onDefect = (error: unknown): void => void defects.push(error);
    writer = new LeaseWriter({ bucket, leaseMs: LEASE_MS, after, onDefect });
  });

  const pass = async (ms: number): Promise<void> => {
    const untilMs = nowMs + ms;
    for (;;) {
      const [next] = timers.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      nowMs = next.atMs;
      timers = timers.filter((each) => each !== next);
      next.fn();
      await turn();
    }
    nowMs = untilMs;
  };
  const stored = async (epoch: number): Promise<Lease | null> => {
    const bytes = await bucket.get(leaseKey(epoch));
    return bytes === null ? null : decodeLease(bytes, holder(epoch));
  };

  it("is there when it is held, and has another beat three times a lease", async () => {
    let segment = 17;
    await writer.hold(holder(1), () => segment);
    const first = await stored(1);
    assert.deepEqual([first?.leaseMs, first?.segment, first?.ended], [LEASE_MS, 17, false]);
    segment = 20;
    const beats = new Set([first?.beat]);
    for (let count = 1; count <= 30; count += 1) {
      await pass(LEASE_MS / 3);
      const lease = await stored(1);
      beats.add(lease?.beat);
      assert.equal(lease?.segment, 20);
    }
    assert.equal(beats.size, 31);
  });

  it("goes on after the bucket was away, without a word too many", async () => {
    await writer.hold(holder(1), () => 1);
    const before = (await stored(1))?.beat;
    const put = bucket.put.bind(bucket);
    bucket.put = () => Promise.reject(new BucketError("unavailable", "planted"));
    await pass(10 * LEASE_MS);
    assert.equal((await stored(1))?.beat, before);
    bucket.put = put;
    await pass(LEASE_MS / 3);
    assert.notEqual((await stored(1))?.beat, before);
    assert.deepEqual(defects, []);
  });

  it("has beats while one hangs, but not ever more on their way", async () => {
    await writer.hold(holder(1), () => 1);
    const put = bucket.put.bind(bucket);
    bucket.put = () => new Promise(() => {});
    await pass(LEASE_MS / 3);
    const beat = (await stored(1))?.beat;
    bucket.put = put;
    await pass(LEASE_MS / 3);
    assert.notEqual((await stored(1))?.beat, beat);
    let underWay = 0;
    bucket.put = () => {
      underWay += 1;
      return new Promise(() => {});
    };
    await pass(100 * LEASE_MS);
    assert.equal(underWay, 2);
  });

  it("says when it ends although a beat comes late", async () => {
    await writer.hold(holder(1), () => 1);
    const put = bucket.put.bind(bucket);
    let arrive = (): void => {};
    bucket.put = (key, bytes) => {
      bucket.put = put;
      return new Promise((resolve) => {
        arrive = () => void put(key, bytes).then(resolve);
      });
    };
    await pass(LEASE_MS / 3);
    const ended = writer.end(1000);
    await turn();
    assert.equal((await stored(1))?.ended, true);
    arrive();
    await ended;
    assert.equal((await stored(1))?.ended, true);
  });

  it("says when it ends, and has no beat any more", async () => {
    await writer.hold(holder(1), () => 1);
    await writer.end(1000);
    const last = await stored(1);
    assert.equal(last?.ended, true);
    await pass(10 * LEASE_MS);
    assert.deepEqual(await stored(1), last);
    assert.deepEqual(timers, []);
  });

  it("keeps nobody from ending while the bucket is away", async () => {
    await writer.hold(holder(1), () => 1);
    bucket.put = () => new Promise(() => {});
    const ended = writer.end(1000);
    await pass(1000);
    await ended;
    assert.deepEqual(timers, []);
  });

  it("is let go without an end, and then lapses", async () => {
    await writer.hold(holder(1), () => 1);
    writer.release();
    const last = await stored(1);
    await pass(10 * LEASE_MS);
    assert.deepEqual(await stored(1), last);
    assert.equal(last?.ended, false);
    await writer.end(1000);
    assert.equal((await stored(1))?.ended, false);
  });

  it("is that of the newest claim, and the one before is gone", async () => {
    await writer.hold(holder(1), () => 1);
    await writer.hold(holder(2), () => 2);
    assert.equal(await stored(1), null);
    await pass(LEASE_MS);
    assert.equal(await stored(1), null);
    assert.equal((await stored(2))?.segment, 2);
  });
});
