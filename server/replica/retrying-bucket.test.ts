import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ObjectInfo } from "./bucket.ts";
import { BucketError, type BucketFailure } from "./bucket-error.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { RetryingBucket } from "./retrying-bucket.ts";

const KEYS = ["l/1", "l/2", "l/3", "l/4"];

/** Fails when its plan says so, in the order of what is asked; `list` asks before each object and before its end. */
class Flaky extends MemoryBucket {
  readonly plan: (BucketFailure | "ok")[] = [];
  asked = 0;

  async #step(): Promise<void> {
    this.asked += 1;
    const next = this.plan.shift() ?? "ok";
    if (next !== "ok") throw new BucketError(next, "planted");
  }

  override async get(key: string): Promise<Uint8Array | null> {
    await this.#step();
    return await super.get(key);
  }

  override async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    await this.#step();
    return await super.putNew(key, bytes);
  }

  override async *list(prefix: string, after?: string): AsyncGenerator<ObjectInfo> {
    await this.#step();
    for await (const each of super.list(prefix, after)) {
      yield each;
      await this.#step();
    }
  }
}

async function open({ attemptsMax = 5, isPatient = false } = {}) {
  const inner = new Flaky(() => 0);
  for (const key of KEYS) await inner.put(key, new Uint8Array(1));
  const delays: number[] = [];
  const troubles: BucketFailure[] = [];
  let answers = 0;
  const bucket = new RetryingBucket(inner, {
    attemptsMax: isPatient ? null : attemptsMax,
    after: (ms, fn) => {
      delays.push(ms);
      queueMicrotask(fn);
      return () => {};
    },
    random: () => 1,
    onTrouble: (error) => troubles.push(error.kind),
    onAnswer: () => (answers += 1),
  });
  return { inner, bucket, delays, troubles, answers: () => answers };
}

async function listed(bucket: RetryingBucket): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of bucket.list("l/")) keys.push(key);
  return keys;
}

const isKind = (kind: BucketFailure) => (error: unknown) =>
  error instanceof BucketError && error.kind === kind;

describe("a bucket with retries", () => {
  it("tries again what passes, later and later", async () => {
    const { inner, bucket, delays, troubles, answers } = await open();
    inner.plan.push("unavailable", "throttled", "unavailable", "unavailable");
    assert.equal(await bucket.get("a/x"), null);
    assert.deepEqual(delays, [100, 200, 400, 800]);
    assert.deepEqual(troubles, ["unavailable", "throttled", "unavailable", "unavailable"]);
    assert.equal(answers(), 1);
  });

  it("waits no longer than ten seconds, for ever where it has to", async () => {
    const { inner, bucket, delays } = await open({ isPatient: true });
    inner.plan.push(...Array.from({ length: 200 }, () => "unavailable" as const));
    await bucket.get("a/x");
    assert.equal(delays.length, 200);
    assert.equal(Math.max(...delays), 10_000);
  });

  it("gives up after so many attempts, and at once where somebody has to act", async () => {
    const { inner, bucket, delays } = await open({ attemptsMax: 3 });
    inner.plan.push("unavailable", "unavailable", "unavailable");
    await assert.rejects(bucket.get("a/x"), isKind("unavailable"));
    assert.equal(delays.length, 2);
    inner.plan.push("denied");
    await assert.rejects(bucket.get("a/x"), isKind("denied"));
    assert.equal(delays.length, 2);
  });

  it("once it insists, goes on also where somebody has to act, but not when it is closed", async () => {
    const { inner, bucket, delays } = await open({ isPatient: true });
    bucket.insist();
    inner.plan.push("denied", "missing", "refused");
    assert.notEqual(await bucket.get("l/1"), undefined);
    assert.equal(delays.length, 3);
    bucket.close();
    inner.plan.push("denied");
    await assert.rejects(bucket.get("l/1"), isKind("denied"));
  });

  it("stores a new object once only: its caller looks first whether it is there", async () => {
    const { inner, bucket } = await open();
    inner.plan.push("unavailable");
    await assert.rejects(bucket.putNew("a/x", new Uint8Array()), isKind("unavailable"));
    assert.equal(inner.asked, 1);
  });

  it("lists the whole when the beginning fails", async () => {
    const { inner, bucket, delays } = await open();
    inner.plan.push("unavailable", "unavailable");
    assert.deepEqual(await listed(bucket), KEYS);
    assert.deepEqual(delays, [100, 200]);
  });

  it("lists everything once when it fails on the way and at the end", async () => {
    for (let at = 1; at <= KEYS.length; at += 1) {
      const { inner, bucket, delays } = await open();
      inner.plan.push(...Array.from({ length: at }, () => "ok" as const), "unavailable");
      assert.deepEqual(await listed(bucket), KEYS, `failed after ${at}`);
      assert.deepEqual(delays, [100]);
    }
  });

  it("has patience with a list as long as it gets further", async () => {
    const { inner, bucket, delays } = await open({ attemptsMax: 2 });
    for (const _ of KEYS) inner.plan.push("ok", "unavailable");
    assert.deepEqual(await listed(bucket), KEYS);
    assert.deepEqual(delays, [100, 100, 100, 100]);
  });

  it("gives a list up that gets no further", async () => {
    const { inner, bucket, delays } = await open({ attemptsMax: 3 });
    inner.plan.push("ok", "unavailable", "unavailable", "unavailable", "unavailable");
    await assert.rejects(listed(bucket), isKind("unavailable"));
    assert.equal(delays.length, 2);
  });

  it("ends what waits for its next try when it is closed", async () => {
    const inner = new Flaky(() => 0);
    const bucket = new RetryingBucket(inner, {
      attemptsMax: null,
      after: () => () => {},
      random: () => 1,
    });
    inner.plan.push("unavailable");
    const waiting = bucket.get("a/x");
    await new Promise(setImmediate);
    bucket.close();
    await assert.rejects(waiting, isKind("unavailable"));
    assert.equal(inner.asked, 1);
  });
});
