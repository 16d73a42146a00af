/** When what is committed is cut, appended and told, and what becomes of a log that was given up; the log itself is a number here. */
import assert from "node:assert/strict";
import fs from "node:fs";
import { describe, it } from "node:test";
import { Appender } from "./appender.ts";
import { BucketError } from "./bucket-error.ts";
import { readSegment } from "./chain.ts";
import { packDelta } from "./delta-pages.ts";
import { BASE, BLOB, HEAD, POSITION } from "./format.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { segmentKey, snapshotKey } from "./names.ts";
import type { Cut, CutRequest, Lost } from "./pages-of-wal.ts";
import type { BlobRef, WalPosition } from "./segment.ts";
import { Shipper, type ShipperOptions } from "./shipper.ts";
import type { SnapshotRequest } from "./snapshot-file.ts";
import { Snapshotter } from "./snapshotter.ts";
import type { Source } from "./source.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();
const PAGE_BYTES = 4096;
const INTERVAL_MS = 1000;
const SALT1 = 7;

const at = (frame: number, salt1 = SALT1): WalPosition => ({ ...POSITION, salt1, frame });

/** Everything that is under way comes as far as it can without time. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

class World {
  nowMs = 0;
  head = { commits: 0, frames: 0, salt1: SALT1 };
  readonly bucket = new MemoryBucket(() => this.nowMs);
  readonly appender: Appender;
  readonly shipper: Shipper;
  readonly cuts: CutRequest[] = [];
  readonly lost: string[] = [];
  readonly ends: (WalPosition | null)[] = [];
  readonly newBlobs: BlobRef[] = [];
  readonly bases: string[] = [];
  cut: (request: CutRequest) => Promise<Cut | Lost> = async (request) => cutOf(request);
  uploaded: Promise<void> = Promise.resolve();
  #timers: { atMs: number; fn: () => void }[] = [];
  #onCommit = (): void => {};

  readonly source: Source = {
    file: "unused",
    databaseFd: -1,
    head: () => this.head,
    barrier: (done) => done(null),
    onCommit: (fn) => (this.#onCommit = fn),
    replicate: () => {},
  };

  constructor(options: Partial<ShipperOptions> = {}) {
    const { start } = options;
    if (start !== undefined && typeof start !== "string") this.head.frames = start.frame;
    const after = (ms: number, fn: () => void) => {
      const timer = { atMs: this.nowMs + ms, fn };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      };
    };
    this.appender = new Appender({
      bucket: this.bucket,
      identity: HEAD,
      end: { seq: 17, hash: HEAD.previousHash, timeMs: 0 },
      after,
      nowMs: () => this.nowMs,
      random: () => 0,
      onAccepted: (segment) => this.shipper.accepted(segment),
      onFenced: (error) => this.shipper.fail(error),
    });
    this.shipper = new Shipper({
      source: this.source,
      pages: {
        cut: (request) => {
          this.cuts.push(request);
          return this.cut(request);
        },
      },
      appender: this.appender,
      start: at(0),
      isEager: false,
      intervalMs: INTERVAL_MS,
      segmentBytes: 100 * PAGE_BYTES,
      unshippedBytesMax: 1000 * PAGE_BYTES,
      uploadNewBlobs: () => ({ refs: this.newBlobs.splice(0), done: this.uploaded }),
      makeBase: (reason) => this.makeBase(reason),
      noteEnd: (end) => this.ends.push(end),
      after,
      monotonicMs: () => this.nowMs,
      onDefect: (error) => assert.fail(String(error)),
      onLost: (reason) => this.lost.push(reason),
      ...options,
    });
  }

  makeBase = async (reason: string): Promise<Awaited<ReturnType<ShipperOptions["makeBase"]>>> => {
    this.bases.push(reason);
    const { commits, frames, salt1 } = this.head;
    const position = at(frames, salt1);
    return { position, commits, seq: this.appender.append({ ...BASE, position }) };
  };

  commit(frames = 1): void {
    this.head = { ...this.head, commits: this.head.commits + 1, frames: this.head.frames + frames };
    this.#onCommit();
  }

  async pass(ms: number): Promise<void> {
    await settle();
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.#timers.toSorted((one, other) => one.atMs - other.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.fn();
      await settle();
    }
    this.nowMs = untilMs;
  }

  /** Whether those who wait for everything so far have been told, once something happens. */
  waiting(): { result: Error | null | undefined } {
    const told: { result: Error | null | undefined } = { result: undefined };
    this.shipper.whenShipped((error) => (told.result = error));
    return told;
  }

  asked(): Promise<boolean> {
    return new Promise((resolve) => this.shipper.mayStartOver(resolve));
  }

  /** PUTs wait until it is called. */
  hold(): () => void {
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const putNew = this.bucket.putNew.bind(this.bucket);
    this.bucket.putNew = async (key, bytes) => {
      await gate;
      return await putNew(key, bytes);
    };
    return letGo;
  }

  async kinds(): Promise<string[]> {
    const kinds: string[] = [];
    for (let seq = 17; ; seq += 1) {
      const segment = await readSegment(this.bucket, seq);
      if (segment === null) return kinds;
      const { content } = segment;
      kinds.push(content.kind === "claim" ? "claim" : `${content.kind} ${content.position.frame}`);
    }
  }
}

/** Up to where it was asked for. */
function cutOf({ from, toFrame, toSalt1, blobs }: CutRequest): Cut {
  const begun = from === "start" || from.salt1 !== toSalt1 ? 0 : from.frame;
  const packed = packDelta({ blobs, numbers: [], pages: new Uint8Array() });
  const counts = { databasePages: 1, pageCount: 0, blobCount: blobs.length };
  return { ...counts, position: at(toFrame, toSalt1), frames: toFrame - begun, ...packed };
}

describe("shipping", () => {
  it("waits for the interval, and takes what came meanwhile", async () => {
    const world = new World();
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    world.commit();
    await world.pass(INTERVAL_MS - 1);
    world.commit();
    assert.deepEqual(await world.kinds(), []);
    assert.equal(world.shipper.isShipped, false);
    assert.equal(world.shipper.lagMs, INTERVAL_MS - 1);
    await world.pass(1);
    assert.deepEqual(await world.kinds(), ["delta 2"]);
    assert.equal(world.shipper.isShipped, true);
    assert.equal(world.shipper.lagMs, 0);
    assert.equal(world.shipper.unshippedBytes, 0);
  });

  it("does not wait when there is enough for a segment, nor when somebody waits for it", async () => {
    const world = new World();
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    world.commit(100);
    await world.pass(0);
    assert.deepEqual(await world.kinds(), ["delta 100"]);
    world.commit();
    const told = world.waiting();
    await world.pass(0);
    assert.deepEqual(await world.kinds(), ["delta 100", "delta 101"]);
    assert.equal(told.result, null);
  });

  it("keeps a few segments under way, and cuts the rest when one is accepted", async () => {
    const world = new World({ isEager: true });
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    const letGo = world.hold();
    for (let count = 0; count < 10; count += 1) {
      world.commit();
      world.waiting();
      await world.pass(20);
    }
    assert.equal(world.appender.unacceptedCount, 4);
    letGo();
    await world.pass(20);
    assert.equal((await world.kinds()).at(-1), "delta 10");
    assert.equal(world.shipper.isShipped, true);
  });

  it("has payloads in the bucket before it appends the segment that names them", async () => {
    const world = new World({ isEager: true });
    world.shipper.start();
    let uploaded = (): void => {};
    world.uploaded = new Promise((resolve) => (uploaded = resolve));
    world.newBlobs.push(BLOB);
    world.commit();
    const told = world.waiting();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(await world.kinds(), []);
    uploaded();
    await world.pass(INTERVAL_MS);
    assert.equal(told.result, null);
    const segment = await readSegment(world.bucket, 17);
    assert.equal(segment?.content.kind === "delta" && segment.content.blobCount, 1);
  });

  it("tells who waits for a commit that came between the look and the pin, and is in the segment by chance", async () => {
    const world = new World({ isEager: true });
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    world.commit();
    const letGo = world.hold();
    await world.shipper.cutAt(async () => {
      world.commit();
      return { frame: world.head.frames, salt1: SALT1 };
    });
    const told = world.waiting();
    await world.pass(INTERVAL_MS);
    assert.equal(told.result, undefined);
    letGo();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(await world.kinds(), ["delta 2"]);
    assert.equal(told.result, null);
  });

  it("tells those who wait when it fails, in order, and later ones too", async () => {
    const world = new World();
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    world.hold();
    world.commit();
    const told = world.waiting();
    world.shipper.fail(new Error("fenced"));
    assert.equal(told.result?.message, "fenced");
    const later = world.waiting();
    await settle();
    assert.equal(later.result?.message, "fenced");
  });
});

describe("commits", () => {
  const gateOf = ({ shipper }: World): Promise<void> | null => shipper.commitGate;
  const LIMIT = { isEager: true, unshippedBytesMax: 10 * PAGE_BYTES };

  it("wait under durability bucket while too much is unshipped, and go on when it is accepted", async () => {
    const world = new World(LIMIT);
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    const letGo = world.hold();
    world.commit(10);
    assert.equal(gateOf(world), null);
    world.commit(1);
    const gate = gateOf(world);
    assert.notEqual(gate, null);
    letGo();
    await world.pass(INTERVAL_MS);
    await gate;
    assert.equal(gateOf(world), null);
  });

  it("do not wait for what an earlier process had shipped, however long the log is", async () => {
    const world = new World({ ...LIMIT, start: at(500) });
    assert.equal(world.shipper.unshippedBytes, 0);
    assert.equal(world.shipper.commitGate, null);
    world.commit(2);
    assert.equal(world.shipper.unshippedBytes, 2 * PAGE_BYTES);
  });

  it("never wait under durability disk", () => {
    const world = new World({ ...LIMIT, isEager: false });
    world.commit(1000);
    assert.equal(world.shipper.commitGate, null);
  });
});

describe("the log", () => {
  async function shipped(options: Partial<ShipperOptions> = {}): Promise<World> {
    const world = new World(options);
    world.shipper.start();
    world.commit(5);
    await world.pass(INTERVAL_MS);
    assert.deepEqual(await world.kinds(), ["delta 5"]);
    return world;
  }

  it("may start over where all of it is accepted, which is noted before", async () => {
    const world = await shipped();
    world.commit(3);
    const answer = world.asked();
    await world.pass(0);
    assert.equal(await answer, true);
    assert.deepEqual(world.ends, [at(8)]);
    world.head = { commits: 3, frames: 2, salt1: SALT1 + 1 };
    await world.pass(INTERVAL_MS);
    world.commit();
    await world.pass(INTERVAL_MS);
    assert.equal(world.cuts.at(-1)?.from !== "start" && world.cuts.at(-1)?.toSalt1, SALT1 + 1);
    assert.deepEqual(await world.kinds(), ["delta 5", "delta 8", "delta 3"]);
    assert.deepEqual(world.lost, []);
  });

  it("goes on while a snapshot is written, or the bucket takes longer than commits can wait", async () => {
    const world = await shipped();
    const { release } = world.shipper.hold();
    assert.equal(await world.asked(), false);
    release();
    const letGo = world.hold();
    world.commit();
    const answer = world.asked();
    await world.pass(250);
    assert.equal(await answer, false);
    letGo();
    assert.deepEqual(world.ends, []);
  });

  it("is given up under durability disk where it grows too long: then a base follows", async () => {
    const world = await shipped({ unshippedBytesMax: 10 * PAGE_BYTES });
    const letGo = world.hold();
    world.commit(11);
    const told = world.waiting();
    const { isBroken } = world.shipper.hold();
    const answer = world.asked();
    assert.equal(await answer, true);
    assert.ok(isBroken());
    assert.deepEqual(world.ends, [null]);
    letGo();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(world.lost, ["more than 40960 bytes were unshipped"]);
    assert.deepEqual(world.bases, world.lost);
    assert.equal((await world.kinds()).at(-1), "base 16");
    assert.equal(told.result, null);
  });

  it("is never given up under durability bucket", async () => {
    const world = await shipped({ unshippedBytesMax: 10 * PAGE_BYTES, isEager: true });
    const letGo = world.hold();
    world.commit(11);
    const answer = world.asked();
    await world.pass(250);
    assert.equal(await answer, false);
    letGo();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(world.lost, []);
  });

  it("that cannot be cut is followed by a base, and nobody is told before that is accepted", async () => {
    const world = await shipped();
    world.cut = async () => ({ lost: "somebody emptied it" });
    const letGo = world.hold();
    world.commit();
    const told = world.waiting();
    await world.pass(INTERVAL_MS);
    assert.equal(told.result, undefined);
    letGo();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(world.bases, ["somebody emptied it"]);
    assert.deepEqual(await world.kinds(), ["delta 5", "base 6"]);
    assert.equal(told.result, null);
  });

  it("is shipped as ever behind a base, also where nothing was committed meanwhile", async () => {
    for (const duringBase of [0, 1, 2]) {
      const world = new World({ start: "base" });
      const { makeBase } = world;
      world.makeBase = async (reason) => {
        if (duringBase > 0) world.commit();
        const made = await makeBase(reason);
        if (duringBase > 1) world.commit();
        return made;
      };
      world.shipper.start();
      await world.pass(3 * INTERVAL_MS);
      const { frames } = world.head;
      world.commit();
      assert.equal(world.shipper.lagMs, 0);
      await world.pass(INTERVAL_MS);
      assert.equal((await world.kinds()).at(-1), `delta ${frames + 1}`);
    }
  });

  it("has a base that is accepted before its maker has returned", async () => {
    const world = new World({ start: "base" });
    const { makeBase } = world;
    world.makeBase = async (reason) => {
      const made = await makeBase(reason);
      await world.appender.whenAccepted(made.seq);
      return made;
    };
    world.commit();
    const told = world.waiting();
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(await world.kinds(), ["base 1"]);
    assert.equal(told.result, null);
  });
});

describe("a snapshot and a base", () => {
  function withSnapshots(world: World): Snapshotter {
    const where = directory();
    // Without a turn of the disk, which has its own time.
    world.bucket.putFile = (key, file) =>
      world.bucket.put(key, new Uint8Array(fs.readFileSync(file)));
    let pins = 0;
    const snapshotter = new Snapshotter({
      bucket: world.bucket,
      source: world.source,
      pages: {
        pin: async () => {
          assert.equal((pins += 1), 1, "one pin at a time");
          return { frame: world.head.frames, salt1: world.head.salt1 };
        },
        release: async () => void (pins -= 1),
        write: async ({ file, seq }: SnapshotRequest) => {
          await Promise.resolve();
          fs.writeFileSync(file, `of segment ${seq}, ${world.nowMs}`);
          const position = at(world.head.frames, world.head.salt1);
          return { hash: new Uint8Array(32), size: 1, databasePages: 1, position };
        },
      },
      appender: world.appender,
      blobs: { uploadAll: () => Promise.resolve() },
      replicaId: HEAD.replicaId,
      epoch: 1,
      directory: where,
      nowMs: () => world.nowMs,
    });
    world.makeBase = (reason) => {
      world.bases.push(reason);
      return snapshotter.makeBase();
    };
    return snapshotter;
  }

  for (const isFirst of [true, false]) {
    it(`that come together do not wait for each other, the snapshot ${isFirst ? "first" : "last"}`, async () => {
      const world = new World({ start: "base" });
      const snapshotter = withSnapshots(world);
      world.commit();
      const told = world.waiting();
      if (!isFirst) world.shipper.start();
      const taken = snapshotter.takeAt(world.shipper);
      if (isFirst) world.shipper.start();
      await world.pass(INTERVAL_MS);
      assert.equal(told.result, null);
      assert.equal(await taken, null);
      assert.deepEqual(await world.kinds(), ["base 1"]);
    });
  }

  it("do not wait for each other either where the base is asked for behind a cut that is under way", async () => {
    const world = new World();
    const snapshotter = withSnapshots(world);
    let fail = (): void => {};
    const lost = new Promise<Lost>((resolve) => (fail = () => resolve({ lost: "it is gone" })));
    const { cut } = world;
    world.cut = () => {
      world.cut = cut;
      return lost;
    };
    world.commit();
    const caughtUp = world.shipper.caughtUp();
    const taken = snapshotter.takeAt(world.shipper);
    fail();
    await world.pass(2 * INTERVAL_MS);
    assert.equal(await taken, null);
    await caughtUp;
    assert.deepEqual(await world.kinds(), ["base 1"]);
  });

  it("of the same segment are one: what the base names stays as it is", async () => {
    const world = new World({ start: "base" });
    const snapshotter = withSnapshots(world);
    world.shipper.start();
    world.commit();
    await world.pass(INTERVAL_MS);
    const before = await world.bucket.get(snapshotKey(17, 1));
    assert.notEqual(before, null);
    world.nowMs += 1;
    assert.equal(await snapshotter.takeAt(world.shipper), null);
    assert.deepEqual(await world.bucket.get(snapshotKey(17, 1)), before);
    world.commit();
    await world.pass(INTERVAL_MS);
    assert.equal((await snapshotter.takeAt(world.shipper))?.seq, 18);
    assert.notEqual(await world.bucket.get(snapshotKey(18, 1)), null);
    assert.equal(await snapshotter.takeAt(world.shipper), null);
  });

  it("are made after the bucket answers, however long that takes", async () => {
    const world = new World({ start: "base" });
    withSnapshots(world);
    const get = world.bucket.get.bind(world.bucket);
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    world.bucket.get = async (key) => {
      await gate;
      return await get(key);
    };
    world.commit();
    world.shipper.start();
    await world.pass(INTERVAL_MS);
    world.commit();
    letGo();
    await world.pass(INTERVAL_MS);
    assert.deepEqual(await world.kinds(), ["base 2"]);
  });
});

describe("a writer", () => {
  it("is the newest until somebody stores something behind its last segment", async () => {
    const world = new World();
    assert.equal(await world.appender.isNewest(), true);
    await world.bucket.put(segmentKey(17), new Uint8Array());
    assert.equal(await world.appender.isNewest(), false);
    world.bucket.get = async () => {
      throw new BucketError("denied", "planted");
    };
    await assert.rejects(world.appender.isNewest(), BucketError);
  });
});
