import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { downloadBlobs, readBlob } from "./blob-download.ts";
import { DamageError } from "./damage-error.ts";
import { damages, sha256 } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { Meter } from "./meter.ts";
import { blobKey, toHex } from "./names.ts";
import type { BlobRef } from "./segment.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();

async function stored(bucket: MemoryBucket, bytes: Uint8Array): Promise<BlobRef> {
  const ref = { hash: sha256(bytes), id: new Uint8Array(8).fill(1), size: bytes.length };
  await bucket.put(blobKey(ref), bytes);
  return ref;
}

describe("a payload", () => {
  const bytes = new Uint8Array(60).map((_, index) => index);

  it("is refused with any byte flipped, cut anywhere, and with a byte too many", async () => {
    const bucket = new MemoryBucket(Date.now);
    const ref = await stored(bucket, bytes);
    assert.deepEqual(await readBlob(bucket, ref), bytes);
    for (const [what, damaged] of damages(bytes)) {
      await bucket.put(blobKey(ref), damaged);
      await assert.rejects(readBlob(bucket, ref), DamageError, what);
    }
    await bucket.delete([blobKey(ref)]);
    await assert.rejects(readBlob(bucket, ref), /the payload is missing/);
  });

  it("that is damaged is not placed; those that are there are left", async () => {
    const bucket = new MemoryBucket(Date.now);
    const folder = directory();
    const refs: BlobRef[] = [];
    for (let number = 0; number < 9; number += 1) {
      refs.push(
        await stored(
          bucket,
          bytes.map((byte) => byte + number),
        ),
      );
    }
    const fileOf = ({ hash }: BlobRef) => path.join(folder, toHex(hash).slice(0, 2), toHex(hash));
    await downloadBlobs(bucket, refs, folder, new Meter());
    for (const ref of refs) assert.deepEqual(sha256(fs.readFileSync(fileOf(ref))), ref.hash);
    bucket.get = () => assert.fail("asked for again");
    await downloadBlobs(bucket, refs, folder, new Meter());
    const [first] = refs;
    assert.ok(first !== undefined);
    fs.rmSync(fileOf(first));
    bucket.get = async () => bytes.map((byte) => byte ^ 1);
    await assert.rejects(downloadBlobs(bucket, refs, folder, new Meter()), DamageError);
    assert.equal(fs.existsSync(fileOf(first)), false);
  });
});
