/** A standby follows what a writer ships, and becomes the writer when that is gone: not earlier, and with all of it. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { text } from "../store/fixtures.suite.ts";
import { hasMovedOn } from "./attach.ts";
import { BucketError } from "./bucket-error.ts";
import { readSegment } from "./chain.ts";
import { claim } from "./claim.ts";
import { DATABASE, Images, Life, type Surroundings } from "./life.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { segmentKey, SEGMENTS, SNAPSHOTS } from "./names.ts";
import { readReplicaFile } from "./replica-file.ts";
import { acceptedOf, Beats, LEASE_MS, POLL_MS, Watched } from "./standby.suite.ts";
import { tempDirectories } from "./wal.suite.ts";
import { Wire } from "./wire.suite.ts";

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const CART = { service: "Cart", key: "a" };

describe("a standby", () => {
  const directory = tempDirectories();
  let bucket: MemoryBucket;
  let around: Surroundings;
  let skewMs: number;
  let writer: Life;
  let beats: Beats;
  let standbys: Watched[];
  let number = 0;

  beforeEach(async () => {
    skewMs = 0;
    standbys = [];
    const nowMs = (): number => Date.now() + skewMs;
    bucket = new MemoryBucket(nowMs);
    around = {
      bucket,
      images: new Images(),
      directory,
      nowMs,
      walBytesMax: 100 * 4096,
      replication: {
        isEager: true,
        segmentBytes: 20 * 4096,
        snapshotSegments: 1000,
        unshippedBytesMax: 100_000 * 4096,
        retention: { retentionMs: HOUR_MS, snapshotsMin: 1 },
      },
    };
    writer = await Life.begin(around, directory());
    await commit(writer);
    await writer.shipped();
    beats = new Beats(bucket, await tailOf(writer));
    await beats.beat(acceptedOf(writer));
  });

  afterEach(async () => {
    for (const each of standbys) each.halt();
    await writer.stop().catch(() => {});
  });

  const segmentOf = async (seq: number) =>
    (await readSegment(bucket, seq)) ?? assert.fail("there is no such segment");
  const tailOf = (life: Life) => segmentOf(acceptedOf(life));

  async function commit(life: Life, bytes = 100): Promise<void> {
    number += 1;
    const value = new Uint8Array(bytes).fill(number);
    life.store.transact((tx) => tx.setState(CART, text(`item ${number % 50}`), value));
  }

  function standBy(options: ConstructorParameters<typeof Watched>[2] = {}): Watched {
    const watched = new Watched(bucket, directory(), options);
    standbys.push(watched);
    return watched;
  }

  /** It is the writer now, in the state after this segment. */
  async function assertTookOver({ where, run }: Watched, seq = acceptedOf(writer)) {
    await run;
    const file = readReplicaFile(where);
    const own = await segmentOf(file?.shippedSeq ?? 0);
    assert.deepEqual([own.content.kind, own.head.epoch], ["claim", file?.epoch]);
    const database = path.join(where, DATABASE);
    const { content } = await segmentOf(seq);
    const image = Buffer.from(
      content.kind === "claim" ? assert.fail() : around.images.at(content.position),
    );
    assert.ok(image.equals(fs.readFileSync(database)), "page by page");
    const next = await Life.begin(around, where);
    await commit(next);
    await next.shipped();
    await next.stop();
  }

  it("is where the writer is, with two GETs each time that nothing is new", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    assert.deepEqual(each.events, ["standing-by"]);
    for (let round = 0; round < 20; round += 1) {
      for (let count = 0; count <= round; count += 1) {
        await commit(writer);
        if (count % 3 === 0) await writer.shipped();
      }
      await writer.shipped();
      await beats.beat(acceptedOf(writer));
      await each.pass(POLL_MS);
      const { state, segment, epoch, lagSegments, lease } = each.standby.status();
      assert.deepEqual([state, epoch, lagSegments], ["following", 1, 0]);
      assert.equal(segment, acceptedOf(writer));
      assert.equal(lease.state, "live");
    }
    const asked: string[] = [];
    const get = bucket.get.bind(bucket);
    bucket.get = (key) => {
      asked.push(key.split("/")[0] ?? "");
      return get(key);
    };
    for (let count = 0; count < 5; count += 1) {
      await beats.beat(acceptedOf(writer));
      await each.pass(POLL_MS);
    }
    assert.deepEqual(asked, Array.from({ length: 5 }, () => ["segments", "leases"]).flat());
  });

  it("tells how far it is behind what the writer says", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    await beats.beat(acceptedOf(writer) + 7);
    await each.pass(POLL_MS);
    assert.equal(each.standby.status().lagSegments, 7);
  });

  it("takes over when the lease lapses, with all that was shipped, and not before", async () => {
    const each = standBy();
    for (let count = 0; count < 30; count += 1) {
      await each.pass(POLL_MS);
      await commit(writer);
      await writer.shipped();
      if (count % 7 === 0) await beats.beat(acceptedOf(writer));
    }
    const seq = acceptedOf(writer);
    await writer.kill();
    await each.pass(LEASE_MS - 2 * POLL_MS);
    assert.equal(each.isOver, false);
    await each.pass(3 * POLL_MS);
    await assertTookOver(each, seq);
    const said = ["standing-by", "lease-lapsed", "taking-over", "took-over"];
    assert.deepEqual(each.events, said);
    const lease = await bucket.get("leases/00000002");
    assert.notEqual(lease, null, "it has a lease of its own");
  });

  it("leaves a writer alone whose lease is late, as long as the history goes on", async () => {
    const each = standBy();
    for (let count = 0; count < 30; count += 1) {
      await each.pass(POLL_MS);
      await commit(writer);
      await writer.shipped();
    }
    assert.equal(each.standby.status().lease.state, "live");
    const seq = acceptedOf(writer);
    await writer.kill();
    await each.pass(2 * LEASE_MS);
    await assertTookOver(each, seq);
  });

  it("leaves a writer alone while the bucket is away, and gives it a lease when it is back", async () => {
    const hasty = new Wire(bucket);
    const each = standBy({ hasty });
    await each.pass(LEASE_MS - 2 * POLL_MS);
    hasty.failures = Number.MAX_SAFE_INTEGER;
    await each.pass(100 * LEASE_MS);
    hasty.failures = 0;
    await each.pass(LEASE_MS - POLL_MS);
    assert.equal(each.standby.status().lease.state, "live");
    await beats.beat();
    await each.pass(LEASE_MS - 2 * POLL_MS);
    assert.deepEqual(each.events, ["standing-by"]);
    await each.pass(LEASE_MS);
    await assertTookOver(each);
  });

  it("takes over at once from a writer that has stopped", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    await commit(writer);
    await writer.shipped();
    await beats.beat(acceptedOf(writer), true);
    await each.pass(POLL_MS);
    assert.equal(each.isOver, true);
    await assertTookOver(each);
  });

  it("never takes over from a writer without a lease", async () => {
    await bucket.delete(["leases/00000001"]);
    const each = standBy();
    await each.pass(100 * LEASE_MS);
    assert.equal(each.standby.status().lease.state, "none");
    await bucket.put("leases/00000001", Buffer.from('{"format":1,"ended":true}'));
    await each.pass(LEASE_MS);
    assert.deepEqual(each.events, ["standing-by"]);
  });

  it("follows another writer, whose lease counts from then on", async () => {
    const each = standBy();
    await each.pass(LEASE_MS - 2 * POLL_MS);
    await writer.stop();
    writer = await Life.begin(around, writer.where);
    await commit(writer);
    await writer.shipped();
    await each.pass(3 * LEASE_MS);
    assert.equal(each.standby.status().epoch, 2);
    assert.equal(each.standby.status().lease.state, "none");
    beats = new Beats(bucket, await tailOf(writer));
    await beats.beat(acceptedOf(writer));
    await each.pass(LEASE_MS - POLL_MS);
    assert.equal(each.standby.status().lease.state, "live");
    await each.pass(3 * POLL_MS);
    await assertTookOver(each);
  });

  it("begins anew when retention has deleted what comes next", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    for (let count = 0; count < 20; count += 1) {
      await commit(writer);
      await writer.shipped();
    }
    await writer.snapshot();
    const snapshot = acceptedOf(writer);
    for (let count = 0; count < 20; count += 1) {
      await commit(writer);
      await writer.shipped();
    }
    const { segment } = each.standby.status();
    for (let seq = (segment ?? 0) + 1; seq < snapshot; seq += 1)
      await bucket.delete([segmentKey(seq)]);
    for (let passedMs = 0; passedMs < 2 * MINUTE_MS; passedMs += POLL_MS) {
      await beats.beat(acceptedOf(writer));
      await each.pass(POLL_MS);
    }
    assert.deepEqual(each.events, ["standing-by", "standby-starts-anew", "standing-by"]);
    assert.equal(each.standby.status().segment, acceptedOf(writer));
    await each.pass(2 * LEASE_MS);
    await assertTookOver(each);
  });

  it("follows over a base", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    const where = await writer.kill();
    fs.rmSync(path.join(where, `${DATABASE}-wal`));
    writer = await Life.begin(around, where);
    await commit(writer);
    await writer.shipped();
    assert.equal(writer.start, "base");
    await each.pass(POLL_MS);
    beats = new Beats(bucket, await tailOf(writer));
    await beats.beat(acceptedOf(writer));
    await each.pass(3 * LEASE_MS);
    await assertTookOver(each);
  });

  it("is one of many that take over: the others go on with what that one writes", async () => {
    const each = [standBy({ host: "b" }), standBy({ host: "c" }), standBy({ host: "d" })];
    await Promise.all(each.map((one) => one.pass(LEASE_MS + 3 * POLL_MS)));
    const [winner, ...more] = each.filter((one) => one.isOver);
    assert.ok(winner !== undefined && more.length === 0);
    const losers = each.filter((one) => one !== winner);
    for (const loser of losers) {
      assert.equal(loser.standby.status().epoch, 2);
      assert.equal(loser.standby.status().state, "following");
    }
    await assertTookOver(winner);
  });

  it("is not first twice after one stop: what was said of the writer before is not said of the next", async () => {
    beats = new Beats(bucket, await tailOf(writer));
    await beats.beat(acceptedOf(writer), true);
    const each = [standBy({ host: "b" }), standBy({ host: "c" })];
    await Promise.all(each.map((one) => one.pass(5 * POLL_MS)));
    const [winner, ...more] = each.filter((one) => one.isOver);
    assert.ok(winner !== undefined && more.length === 0);
    const [loser] = each.filter((one) => one !== winner);
    assert.equal(loser?.standby.status().lease.state, "live");
    await assertTookOver(winner);
  });

  it("gives up when the writer stores a segment before its claim, and goes on", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    const putNew = bucket.putNew.bind(bucket);
    bucket.putNew = async (key, bytes) => {
      bucket.putNew = putNew;
      // It wakes up at the last moment.
      await commit(writer);
      await writer.shipped();
      return await putNew(key, bytes);
    };
    await each.pass(LEASE_MS + POLL_MS);
    assert.equal(each.isOver, false);
    assert.equal(each.events.at(-1), "take-over-given-up");
    await each.pass(POLL_MS);
    assert.equal(each.standby.status().segment, acceptedOf(writer));
    assert.equal(each.standby.status().lease.state, "live");
    writer.assertSound();
    await each.pass(2 * LEASE_MS);
    await assertTookOver(each);
  });

  it("knows its claim again although the answer was lost", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    const putNew = bucket.putNew.bind(bucket);
    bucket.putNew = async (key, bytes) => {
      bucket.putNew = putNew;
      await putNew(key, bytes);
      throw new BucketError("denied", "planted");
    };
    await each.pass(LEASE_MS + 3 * POLL_MS);
    assert.equal(each.isOver, true);
    await assertTookOver(each);
  });

  it("has the payloads that the state needs, and no others", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    const put = (name: string, fill: number) =>
      writer.store.transact((tx) => tx.setState(CART, text(name), new Uint8Array(4000).fill(fill)));
    for (const [name, fill] of [
      ["kept", 1],
      ["replaced", 2],
      ["replaced", 3],
    ] as const) {
      put(name, fill);
      await writer.shipped();
      await each.pass(POLL_MS);
    }
    const filesIn = (folder: string): number =>
      fs
        .readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile()).length;
    assert.equal(filesIn(path.join(each.where, "restore.tmp", "blobs")), 3, "as they come");
    await each.pass(3 * LEASE_MS);
    assert.equal(filesIn(path.join(each.where, "blobs")), 2);
    await assertTookOver(each);
  });

  it("takes nothing over while a payload is missing that the state needs", async () => {
    const each = standBy();
    await each.pass(POLL_MS);
    await commit(writer, 4000);
    await writer.shipped();
    for await (const { key } of bucket.list("blobs/")) await bucket.delete([key]);
    await assert.rejects(
      Promise.all([each.run, each.pass(3 * LEASE_MS)]),
      /the payload is missing/,
    );
    assert.equal((await readSegment(bucket, acceptedOf(writer) + 1)) ?? null, null);
  });
});

describe("a standby of a history without a state", () => {
  const directory = tempDirectories();
  const identity = {
    replicaId: new Uint8Array(16).fill(1),
    writerId: new Uint8Array(16).fill(2),
    host: "a",
  };

  it("makes itself the first writer where there is nothing", async () => {
    const bucket = new MemoryBucket(Date.now);
    const where = directory();
    const each = new Watched(bucket, where);
    await each.run;
    const first = await readSegment(bucket, 1);
    assert.equal(first?.content.kind, "claim");
    assert.equal(readReplicaFile(where)?.epoch, 1);
    assert.deepEqual(readReplicaFile(where)?.writerId, first?.head.writerId);
  });

  it("does so when the answer to its claim was lost", async () => {
    const bucket = new MemoryBucket(Date.now);
    const putNew = bucket.putNew.bind(bucket);
    bucket.putNew = async (key, bytes) => {
      bucket.putNew = putNew;
      await putNew(key, bytes);
      throw new BucketError("denied", "planted");
    };
    const each = new Watched(bucket, directory());
    await each.pass(3 * POLL_MS);
    await each.run;
    assert.deepEqual(each.events, ["took-over"]);
  });

  it("waits for the state of another, whatever becomes of its lease", async () => {
    const bucket = new MemoryBucket(Date.now);
    const claimed = await claim(bucket, { tail: null, identity, nowMs: 1 });
    assert.equal(claimed.kind, "claimed");
    if (claimed.kind === "claimed") await new Beats(bucket, claimed.segment).beat(1, true);
    const each = new Watched(bucket, directory());
    await each.pass(10 * LEASE_MS);
    assert.equal(each.isOver, false);
    assert.equal(each.standby.status().state, "waiting");
    assert.deepEqual(each.events, ["standing-by"]);
    each.halt();
  });

  it("leaves it to another where its directory has a journal of its own", async () => {
    const bucket = new MemoryBucket(Date.now);
    const where = directory();
    assert.equal(await hasMovedOn({ bucket, directory: where }), false);
    await claim(bucket, { tail: null, identity, nowMs: 1 });
    await assert.rejects(
      hasMovedOn({ bucket, directory: where }),
      /the replica of another directory/,
    );
  });

  it("goes on as the first writer after a crash between its claim and its first state", async () => {
    const bucket = new MemoryBucket(Date.now);
    const where = directory();
    await new Watched(bucket, where).run;
    const again = new Watched(bucket, where);
    await again.run;
    for (const prefix of [SEGMENTS, SNAPSHOTS]) {
      const keys: string[] = [];
      for await (const { key } of bucket.list(prefix)) keys.push(key);
      assert.deepEqual(keys, prefix === SEGMENTS ? [segmentKey(1)] : []);
    }
  });
});
