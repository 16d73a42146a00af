import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { BlobSource } from "./blob-source.ts";
import { BASE, DELTA, encodeSnapshot, HEAD, sha256 } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { blobKey, segmentKey, snapshotKey } from "./names.ts";
import type { BlobRef, SegmentContent } from "./segment.ts";
import { encodeSegment } from "./segment-codec.ts";
import { type SweepOptions, sweep } from "./sweep.ts";

const HOUR_MS = 3_600_000;
const BEGAN_MS = 1_700_000_000_000;
const CLAIM: SegmentContent = { kind: "claim" };

const blob = (number: number, id = number): BlobRef => ({
  hash: sha256(Uint8Array.of(number)),
  id: new Uint8Array(8).fill(id),
  size: 1,
});

/** A bucket, and the payloads that the writer's database has rows of. */
class World {
  nowMs = BEGAN_MS;
  readonly bucket = new MemoryBucket(() => this.nowMs);
  /** By key; since when nothing refers to it, or null. */
  readonly rows = new Map<string, { ref: BlobRef; unreferencedAtMs: number | null }>();
  isStillWriter = async (): Promise<boolean> => true;
  readonly #blobs: BlobSource = {
    takeNewBlobs: () => assert.fail(),
    allBlobs: () => assert.fail(),
    blobFile: () => assert.fail(),
    knowsBlob: (ref) => this.rows.has(blobKey(ref)),
    unreferencedBlobs: (beforeMs, limit) =>
      [...this.rows.values()]
        .filter(({ unreferencedAtMs: atMs }) => atMs !== null && atMs < beforeMs)
        .slice(0, limit)
        .map(({ ref }) => ref),
    forgetBlobs: (refs) => {
      for (const ref of refs) this.rows.delete(blobKey(ref));
    },
  };

  async segment(seq: number, content: SegmentContent, epoch = 1): Promise<void> {
    const { bytes } = encodeSegment({ ...HEAD, seq, epoch }, content);
    await this.bucket.put(segmentKey(seq), bytes);
  }

  async snapshot(seq: number, epoch = 1): Promise<void> {
    const head = { seq, epoch, replicaId: HEAD.replicaId, segmentHash: sha256(Uint8Array.of(1)) };
    const { bytes } = encodeSnapshot({ ...head, timeMs: this.nowMs, databasePages: 0 }, []);
    await this.bucket.put(snapshotKey(seq, epoch), bytes);
  }

  /** A delta, and the state after it. */
  async state(seq: number, epoch = 1): Promise<void> {
    await this.segment(seq, DELTA, epoch);
    await this.snapshot(seq, epoch);
  }

  async stored(ref: BlobRef, row?: { unreferencedAtMs: number | null }): Promise<void> {
    await this.bucket.put(blobKey(ref), Uint8Array.of(1));
    if (row !== undefined) this.rows.set(blobKey(ref), { ref, ...row });
  }

  sweep(more: Partial<SweepOptions> = {}) {
    return sweep({
      bucket: this.bucket,
      blobs: this.#blobs,
      isStillWriter: () => this.isStillWriter(),
      findsOrphans: true,
      retention: { retentionMs: HOUR_MS, snapshotsMin: 1 },
      nowMs: () => this.nowMs,
      ...more,
    });
  }

  async keys(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.bucket.list(prefix)) keys.push(key);
    return keys;
  }
}

const NOTHING = { snapshots: 0, segments: 0, blobs: 0 };

describe("a sweep", () => {
  it("deletes nothing where there is no snapshot", async () => {
    const world = new World();
    await world.segment(1, CLAIM);
    await world.segment(17, DELTA);
    await world.stored(blob(1));
    world.nowMs += 100 * HOUR_MS;
    assert.deepEqual(await world.sweep(), NOTHING);
    assert.equal((await world.keys("")).length, 3);
  });

  it("leaves the oldest snapshot that is needed, what follows it, and claims", async () => {
    const world = new World();
    await world.segment(1, CLAIM);
    for (const seq of [17, 18, 19, 20]) {
      if (seq % 2 === 0) await world.state(seq);
      else await world.segment(seq, DELTA);
      world.nowMs += 2 * HOUR_MS;
    }
    assert.deepEqual(await world.sweep(), { snapshots: 1, segments: 3, blobs: 0 });
    assert.deepEqual(await world.keys("segments/"), [1, 20].map(segmentKey));
    assert.deepEqual(await world.keys("snapshots/"), [snapshotKey(20, 1)]);
    assert.deepEqual(await world.sweep(), NOTHING);
  });

  it("takes a snapshot without its segment for none: the one before it stays, and what leads on from there", async () => {
    const world = new World();
    await world.state(17);
    await world.segment(18, DELTA);
    await world.snapshot(19);
    world.nowMs += HOUR_MS + 1;
    await world.segment(19, CLAIM, 2);
    await world.state(35, 2);
    assert.deepEqual(await world.sweep(), NOTHING);
    assert.deepEqual(
      await world.keys("segments/"),
      [17, 18, 19, 35].map((seq) => segmentKey(seq)),
    );
    world.nowMs += HOUR_MS + 1;
    await world.state(36, 2);
    assert.deepEqual(await world.sweep(), { snapshots: 2, segments: 2, blobs: 0 });
  });

  it("forgets payloads that nothing has referred to since an hour before the oldest snapshot", async () => {
    const world = new World();
    const [old, late, used] = [blob(1), blob(2), blob(3)];
    await world.stored(old, { unreferencedAtMs: world.nowMs });
    await world.stored(late, { unreferencedAtMs: world.nowMs + 1 });
    await world.stored(used, { unreferencedAtMs: null });
    world.nowMs += HOUR_MS + 1;
    await world.state(17);
    assert.deepEqual(await world.sweep(), { ...NOTHING, blobs: 1 });
    assert.deepEqual(await world.keys("blobs/"), [late, used].map(blobKey).toSorted());
    assert.deepEqual([...world.rows.keys()], [late, used].map(blobKey));
  });
});

describe("payloads that no row names", () => {
  /** One of them, and one that is in use; then a state, much later. */
  async function withOrphan(): Promise<World> {
    const world = new World();
    await world.segment(1, CLAIM);
    await world.stored(blob(1));
    await world.stored(blob(1, 2), { unreferencedAtMs: null });
    await world.bucket.put("blobs/of-somebody-else", Uint8Array.of(1));
    world.nowMs += HOUR_MS + 1;
    await world.state(17);
    return world;
  }
  const left = ["blobs/of-somebody-else", blobKey(blob(1, 2))].toSorted();

  it("are deleted, and nothing else", async () => {
    const world = await withOrphan();
    assert.deepEqual(await world.sweep({ findsOrphans: false }), NOTHING);
    assert.deepEqual(await world.sweep(), { ...NOTHING, blobs: 1 });
    assert.deepEqual(await world.keys("blobs/"), left);
    assert.deepEqual(await world.sweep(), NOTHING);
  });

  it("stay while they are younger than what a restore may begin with", async () => {
    const world = await withOrphan();
    await world.stored(blob(5));
    world.nowMs += 10 * HOUR_MS;
    await world.sweep();
    assert.deepEqual(await world.keys("blobs/"), [...left, blobKey(blob(5))].toSorted());
    await world.state(18);
    await world.sweep();
    assert.deepEqual(await world.keys("blobs/"), [...left, blobKey(blob(5))].toSorted());
    world.nowMs += 2 * HOUR_MS;
    await world.state(19);
    await world.sweep();
    assert.deepEqual(await world.keys("blobs/"), left);
  });

  it("stay where another server has claimed the history by the time they are listed: they may be its own", async () => {
    const world = await withOrphan();
    const asked: string[][] = [];
    world.isStillWriter = async () => {
      asked.push(await world.keys("blobs/"));
      return false;
    };
    assert.deepEqual(await world.sweep(), NOTHING);
    assert.equal((await world.keys("blobs/")).length, 3);
    assert.equal(asked.length, 1);
  });

  it("that a successor stores after they were listed are not deleted", async () => {
    const world = await withOrphan();
    const late = blob(7);
    world.isStillWriter = async () => {
      // The writer sleeps for days right behind the answer.
      const sleepsFromMs = world.nowMs;
      world.nowMs = BEGAN_MS;
      await world.stored(late);
      world.nowMs = sleepsFromMs + 100 * HOUR_MS;
      return true;
    };
    await world.sweep();
    assert.deepEqual(await world.keys("blobs/"), [...left, blobKey(late)].toSorted());
  });

  it("stay while states are kept from before a server began with a base: they may be of those", async () => {
    const world = await withOrphan();
    await world.segment(18, CLAIM, 2);
    world.nowMs += HOUR_MS / 2;
    await world.segment(34, BASE, 2);
    await world.snapshot(34, 2);
    await world.state(35, 2);
    assert.deepEqual(await world.sweep(), NOTHING);
    world.nowMs += 2 * HOUR_MS;
    await world.state(36, 2);
    assert.deepEqual(await world.sweep(), { snapshots: 2, segments: 2, blobs: 1 });
    assert.deepEqual(await world.keys("blobs/"), left);
  });

  it("are deleted past servers that went on from what was there", async () => {
    const world = await withOrphan();
    await world.segment(18, CLAIM, 2);
    await world.state(35, 2);
    await world.segment(36, CLAIM, 3);
    await world.state(52, 3);
    assert.deepEqual(await world.sweep(), { ...NOTHING, blobs: 1 });
  });
});
