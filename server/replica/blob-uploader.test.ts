import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import type { StoredBlob } from "./blob-source.ts";
import { BlobUploader } from "./blob-uploader.ts";
import { sha256 } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { blobKey, BLOBS, toHex } from "./names.ts";
import type { BlobRef } from "./segment.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();

class World {
  readonly where = directory();
  readonly bucket = new MemoryBucket(Date.now);
  readonly rows: StoredBlob[] = [];
  readonly fresh: BlobRef[] = [];
  readonly missing: BlobRef[] = [];
  readonly uploader = new BlobUploader({
    bucket: this.bucket,
    source: {
      takeNewBlobs: () => this.fresh.splice(0),
      allBlobs: (after, limit) => {
        const sorted = this.rows.toSorted((one, other) => (blobKey(one) < blobKey(other) ? -1 : 1));
        const behind =
          after === null ? sorted : sorted.filter((row) => blobKey(row) > blobKey(after));
        return behind.slice(0, limit);
      },
      knowsBlob: () => assert.fail(),
      blobFile: (hash) => path.join(this.where, toHex(hash)),
      unreferencedBlobs: () => assert.fail(),
      forgetBlobs: () => assert.fail(),
    },
    onMissing: (ref) => this.missing.push(ref),
  });

  /** A payload with a row and, unless it is lost, a file. */
  payload(number: number, { refs = 1, hasFile = true, isFresh = false } = {}): StoredBlob {
    const bytes = new Uint8Array(100).fill(number);
    const ref = { hash: sha256(bytes), id: new Uint8Array(8).fill(number), size: bytes.length };
    this.rows.push({ ...ref, refs });
    if (hasFile) fs.writeFileSync(path.join(this.where, toHex(ref.hash)), bytes);
    if (isFresh) this.fresh.push(ref);
    return { ...ref, refs };
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.bucket.list(BLOBS)) keys.push(key);
    return keys;
  }
}

const keysOf = (refs: readonly BlobRef[]): string[] => refs.map(blobKey).toSorted();

describe("payloads", () => {
  it("that are new are uploaded once, and named by the segment that is next", async () => {
    const world = new World();
    const all = Array.from({ length: 9 }, (_, index) => world.payload(index, { isFresh: true }));
    const { refs, done } = world.uploader.uploadNew();
    assert.deepEqual(keysOf(refs), keysOf(all));
    await done;
    assert.deepEqual(await world.keys(), keysOf(all));
    world.bucket.putFile = () => assert.fail("uploaded again");
    const again = world.uploader.uploadNew();
    assert.deepEqual(again.refs, []);
    await again.done;
  });

  it("that an earlier process left are uploaded where the bucket lacks them, and named then", async () => {
    const world = new World();
    const there = world.payload(1);
    await world.bucket.putFile(blobKey(there), path.join(world.where, toHex(there.hash)));
    const one = world.payload(2);
    const left = Array.from({ length: 2500 }, (_, index) => {
      return { ...one, id: new Uint8Array(Buffer.from(String(index).padStart(8, "0"))) };
    });
    world.rows.splice(0, world.rows.length, there, ...left);
    await world.uploader.recover();
    assert.equal((await world.keys()).length, 2501);
    const fresh = world.payload(3, { isFresh: true });
    const { refs, done } = world.uploader.uploadNew();
    assert.deepEqual(keysOf(refs), keysOf([...left, fresh]));
    await done;
    assert.deepEqual(world.uploader.uploadNew().refs, []);
  });

  it("of a base are all that have a row, for a pinned state may refer to what nothing does now", async () => {
    const world = new World();
    const released = world.payload(1, { refs: 0 });
    const used = world.payload(2);
    await world.uploader.uploadAll();
    assert.deepEqual(await world.keys(), keysOf([released, used]));
  });

  it("that are new when a base takes them are named by the segment behind it", async () => {
    const world = new World();
    const fresh = world.payload(1, { isFresh: true });
    await world.uploader.uploadAll();
    assert.deepEqual(keysOf(world.uploader.uploadNew().refs), keysOf([fresh]));
  });

  it("whose files are gone are told, unless nothing refers to them, and hold up nothing", async () => {
    const world = new World();
    const gone = world.payload(1, { hasFile: false });
    world.payload(2, { hasFile: false, refs: 0 });
    const used = world.payload(3);
    await world.uploader.recover();
    assert.deepEqual(keysOf(world.missing), keysOf([gone]));
    assert.deepEqual(await world.keys(), keysOf([used]));
    const fresh = world.payload(4, { hasFile: false, isFresh: true });
    await world.uploader.uploadNew().done;
    assert.deepEqual(keysOf(world.missing), keysOf([gone, fresh]));
  });

  it("that cannot be uploaded fail whoever waits for them", async () => {
    const world = new World();
    world.payload(1, { isFresh: true });
    world.bucket.putFile = () => Promise.reject(new Error("no"));
    await assert.rejects(world.uploader.uploadNew().done, /no/);
  });
});
