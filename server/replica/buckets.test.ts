import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import type { IncomingMessage } from "node:http";
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

describe("the address of a bucket", () => {
  it("is one of S3 or a directory", () => {
    const s3 = (bucket: string, prefix: string) => ({ kind: "s3", bucket, prefix });
    assert.deepEqual(parseBucketUrl("s3://journal"), s3("journal", ""));
    assert.deepEqual(parseBucketUrl("s3://journal/"), s3("journal", ""));
    assert.deepEqual(parseBucketUrl("s3://my.journal-1/a/B_c.d/"), s3("my.journal-1", "a/B_c.d/"));
    assert.deepEqual(parseBucketUrl("file:///tmp/x"), { kind: "directory", directory: "/tmp/x" });
    assert.deepEqual(parseBucketUrl("file:///tmp/a%20b"), {
      kind: "directory",
      directory: "/tmp/a b",
    });
  });

  it("is nothing else, and says what it should be", () => {
    for (const wrong of [
      "",
      "journal",
      "s3://",
      "s3:///x",
      "s3://UPPER",
      "s3://key:secret@journal",
      "file://x",
      "file:///",
      "https://x/y",
    ]) {
      assert.throws(() => parseBucketUrl(wrong), /expected s3:\/\//, wrong);
    }
    for (const path of ["a//b", "/a", "a/../b", "..", "a/.", "a b", "a?x=1", "ä", "a%20b"]) {
      assert.throws(() => parseBucketUrl(`s3://journal/${path}`), /the prefix may hold/, path);
    }
    assert.throws(() => parseBucketUrl("s3://journal--euw1-az1--x-s3/a"), /general purpose/);
  });
});

describe("the probe", () => {
  it("accepts a store that honours conditional writes, and leaves nothing behind", async () => {
    const bucket = new MemoryBucket(Date.now);
    await probe(bucket, "abc");
    assert.equal(await bucket.get("probe/abc"), null);
  });

  it("asks again while the store fails, and gives up on one that fails at nothing else", async () => {
    const { double, bucket } = await openDouble();
    let failures = 3;
    const isConditional = (request: IncomingMessage) => "if-none-match" in request.headers;
    double.faultOf = (request) => (isConditional(request) && failures-- > 0 ? "error" : null);
    await probe(bucket, "abc");
    assert.equal(failures, -1);
    failures = Number.POSITIVE_INFINITY;
    await assert.rejects(probe(bucket, "abd"), BucketError);
  });

  it("counts a conditional write whose answer was lost", async () => {
    const { double, bucket } = await openDouble();
    let losses = 1;
    double.faultOf = ({ headers }) =>
      "if-none-match" in headers && losses-- > 0 ? "lost-answer" : null;
    await probe(bucket, "abc");
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
