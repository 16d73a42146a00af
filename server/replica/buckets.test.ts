import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import { after, describe, it } from "node:test";
import { temporaryDirectory } from "../test/harness.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { testBucket } from "./bucket.suite.ts";
import { FileBucket } from "./file-bucket.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { openBucket, parseBucketUrl } from "./open-bucket.ts";
import { probe } from "./probe.ts";
import { makeBucket, realStore } from "./real-store.suite.ts";
import { RetryingBucket } from "./retrying-bucket.ts";
import { type S3Double, startS3Double } from "./s3-double.suite.ts";

const MIB = 1024 * 1024;
const directory = temporaryDirectory();
const doubles: S3Double[] = [];
after(async () => {
  directory.remove();
  for (const double of doubles) await double.close();
});

async function openDouble() {
  process.env["AWS_ACCESS_KEY_ID"] ??= "test";
  process.env["AWS_SECRET_ACCESS_KEY"] ??= "test";
  const double = await startS3Double();
  doubles.push(double);
  const location = parseBucketUrl("s3://journal/some/prefix");
  const bucket = await openBucket(location, {
    endpoint: double.url,
    region: null,
    pathStyle: true,
  });
  return { double, bucket };
}

testBucket("memory", async () => new MemoryBucket(Date.now), MIB);
testBucket(
  "a directory",
  async () => new FileBucket(fs.mkdtempSync(`${directory.path}/bucket-`)),
  20 * MIB,
);
testBucket("an S3-compatible store", async () => (await openDouble()).bucket, 20 * MIB);

const real = realStore();
if (real !== null) {
  const stores: Bucket[] = [];
  after(async () => {
    for (const store of stores) {
      const keys: string[] = [];
      for await (const { key } of store.list("")) keys.push(key);
      await store.delete(keys);
      store.close();
    }
  });
  const open = async () => {
    await makeBucket(real);
    const { endpoint } = real;
    const location = parseBucketUrl(real.url());
    const access = { endpoint, region: null, pathStyle: endpoint !== null };
    stores.push(await openBucket(location, access));
    return await openBucket(location, access);
  };
  testBucket("the store of this run", open, 20 * MIB);
  it("the store of this run honours conditional writes", async () => {
    await probe(await open(), randomBytes(8).toString("hex"));
  });
}

describe("a directory as a bucket", () => {
  it("refuses keys that lead elsewhere, and lists nothing that is being written", async () => {
    const folder = `${directory.path}/strict`;
    const bucket = new FileBucket(folder);
    for (const key of ["../x", "/x", "a/../x", "A", ".tmp/x", "a//x", ""]) {
      await assert.rejects(bucket.put(key, new Uint8Array()), BucketError, key);
    }
    await bucket.put("segments/1", new Uint8Array(3));
    const names: string[] = [];
    for await (const { key } of bucket.list("segments/")) names.push(key);
    assert.deepEqual(names, ["segments/1"]);
    assert.deepEqual(fs.readdirSync(`${folder}/.tmp`), []);
  });
});

describe("an S3-compatible store that fails", () => {
  const failures = [
    [500, "InternalError", "unavailable"],
    [503, "SlowDown", "throttled"],
    [403, "AccessDenied", "denied"],
    [403, "SignatureDoesNotMatch", "denied"],
    [404, "NoSuchBucket", "missing"],
    [501, "NotImplemented", "unsupported"],
    [409, "ConditionalRequestConflict", "unavailable"],
    [400, "InvalidRequest", "refused"],
  ] as const;
  for (const [status, code, kind] of failures) {
    it(`says that it is ${kind} with ${status} ${code}`, async () => {
      const { double, bucket } = await openDouble();
      double.before = (_, response) => {
        double.fail(response, status, code);
        return true;
      };
      const isKind = (error: unknown): boolean =>
        error instanceof BucketError && error.kind === kind;
      await assert.rejects(bucket.putNew("segments/1", new Uint8Array(3)), isKind);
      await assert.rejects(bucket.get("segments/1"), isKind);
    });
  }

  it("is unavailable when it breaks the connection, or is not there", async () => {
    const { double, bucket } = await openDouble();
    double.before = (request) => {
      request.socket.destroy();
      return true;
    };
    const isKind = (error: unknown): boolean =>
      error instanceof BucketError && error.kind === "unavailable";
    await assert.rejects(bucket.get("segments/1"), isKind);
    await double.close();
    await assert.rejects(bucket.put("segments/1", new Uint8Array(3)), isKind);
  });
});

describe("the address of a bucket", () => {
  it("is one of S3 or a directory, and nothing else", () => {
    assert.deepEqual(parseBucketUrl("s3://journal"), { kind: "s3", bucket: "journal", prefix: "" });
    assert.deepEqual(parseBucketUrl("s3://journal/a/b/"), {
      kind: "s3",
      bucket: "journal",
      prefix: "a/b/",
    });
    assert.deepEqual(parseBucketUrl("file:///tmp/x"), { kind: "directory", directory: "/tmp/x" });
    for (const wrong of [
      "",
      "journal",
      "s3://",
      "s3:///x",
      "s3://UPPER",
      "file://x",
      "https://x/y",
    ]) {
      assert.throws(() => parseBucketUrl(wrong), /expected s3:\/\//, wrong);
    }
  });
});

describe("the probe", () => {
  it("accepts a store that honours conditional writes, and leaves nothing behind", async () => {
    const bucket = new MemoryBucket(Date.now);
    await probe(bucket, "abc");
    assert.equal(await bucket.get("probe/abc"), null);
  });

  it("refuses one that does not, and names the feature", async () => {
    const { double, bucket } = await openDouble();
    double.ignoresConditions = true;
    await assert.rejects(probe(bucket, "abc"), (error: unknown) => {
      assert(error instanceof BucketError);
      assert.equal(error.kind, "unsupported");
      assert.match(error.message, /If-None-Match/);
      return true;
    });
  });
});

describe("a bucket with retries", () => {
  function failing(times: number, kind: "unavailable" | "denied") {
    const inner = new MemoryBucket(Date.now);
    let left = times;
    const delays: number[] = [];
    const troubles: string[] = [];
    const get = inner.get.bind(inner);
    inner.get = async (key) => {
      left -= 1;
      if (left >= 0) throw new BucketError(kind, "planted");
      return await get(key);
    };
    const bucket = new RetryingBucket(inner, {
      attemptsMax: 5,
      after: (ms, fn) => {
        delays.push(ms);
        queueMicrotask(fn);
        return () => {};
      },
      random: () => 1,
      onTrouble: (error) => troubles.push(error.kind),
    });
    return { bucket, delays, troubles };
  }

  it("tries again what passes, later and later", async () => {
    const { bucket, delays, troubles } = failing(4, "unavailable");
    assert.equal(await bucket.get("a/x"), null);
    assert.deepEqual(delays, [100, 200, 400, 800]);
    assert.equal(troubles.length, 4);
  });

  it("gives up after so many attempts, and at once where somebody has to act", async () => {
    await assert.rejects(failing(5, "unavailable").bucket.get("a/x"), BucketError);
    const denied = failing(1, "denied");
    await assert.rejects(denied.bucket.get("a/x"), BucketError);
    assert.deepEqual(denied.delays, []);
  });
});
