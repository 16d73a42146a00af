/** The writer of a replica over a real store, as far as `prefix.test.ts` does not say it: what does not end it, and what does. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { text } from "../store/fixtures.suite.ts";
import { FencedError } from "./fenced-error.ts";
import { readSegment } from "./chain.ts";
import { Images, Life, type Surroundings } from "./life.suite.ts";
import { materialise } from "./materialise.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { Meter } from "./meter.ts";
import { readReplicaFile } from "./replica-file.ts";
import { listSnapshots } from "./restore-point.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();
const CART = { service: "Cart", key: "a" };
const HOUR_MS = 3_600_000;

class World {
  skewMs = 0;
  readonly bucket = new MemoryBucket(() => this.nowMs());
  readonly around: Surroundings;
  #number = 0;

  constructor(replication: Partial<Surroundings["replication"]> = {}) {
    this.around = {
      bucket: this.bucket,
      images: new Images(),
      directory,
      nowMs: () => this.nowMs(),
      walBytesMax: 40 * 4120,
      replication: {
        isEager: false,
        segmentBytes: 1_000_000,
        snapshotSegments: 1000,
        unshippedBytesMax: 1_000_000_000,
        retention: { retentionMs: HOUR_MS, snapshotsMin: 1 },
        ...replication,
      },
    };
  }

  readonly nowMs = (): number => Date.now() + this.skewMs;

  begin(where = directory()): Promise<Life> {
    return Life.begin(this.around, where);
  }

  commit({ store }: Life, bytes = 1000): void {
    this.#number += 1;
    const value = new Uint8Array(bytes).fill(this.#number % 256);
    store.transact((tx) => tx.setState(CART, text(String(this.#number)), value));
  }

  /** What a restore gives is what the database is. */
  async assertShipped(life: Life): Promise<void> {
    const file = path.join(directory(), "latest.db");
    const point = { kind: "latest" } as const;
    for (let tries = 0; tries < 20; tries += 1) {
      const { frames, salt1, commits } = life.store.head();
      await life.shipped();
      const made = await materialise({ bucket: this.bucket, file, point, meter: new Meter() });
      // The log may start over at any moment, which is a commit.
      if (life.store.head().commits !== commits) continue;
      assert.ok(made !== null && made.last.content.kind !== "claim");
      const { position } = made.last.content;
      assert.deepEqual([position.frame, position.salt1], [frames, salt1]);
      assert.ok(fs.readFileSync(file).equals(this.around.images.at(position)));
      return;
    }
    assert.fail("the database never rests");
  }
}

const count = (life: Life, event: string): number =>
  life.events.filter((each) => each === event).length;

describe("a writer", () => {
  it("goes on while the bucket refuses what it stores, also where somebody has to act, and stores it later", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    life.wire.failures = 30;
    world.commit(life, 5000);
    await life.shipped();
    life.wire.failures = 10;
    await life.snapshot();
    assert.equal(life.wire.failures, 0);
    assert.equal(count(life, "snapshot"), 1);
    await world.assertShipped(life);
    await life.stop();
  });

  it("goes on where something is damaged in the bucket that retention looks at, and says so", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    const [first] = await listSnapshots(world.bucket);
    assert.ok(first !== undefined);
    await world.bucket.put(first.key, new Uint8Array(200));
    world.commit(life);
    await life.shipped();
    await life.snapshot();
    assert.equal(count(life, "replica-not-swept"), 1);
    await world.assertShipped(life);
    await life.stop();
  });

  it("makes a restore point after so many segments", async () => {
    const world = new World({ snapshotSegments: 3 });
    const life = await world.begin();
    await life.shipped();
    world.commit(life);
    await life.shipped();
    assert.equal(count(life, "snapshot"), 0);
    for (let turn = 0; turn < 200 && count(life, "snapshot") < 2; turn += 1) {
      world.commit(life);
      await life.shipped();
      await delay(1);
    }
    assert.equal(count(life, "snapshot"), 2);
    await life.stop();
  });

  it("makes none while nothing is shipped: what a base names stays as it is", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    const before = await listSnapshots(world.bucket);
    assert.equal(before.length, 1);
    for (let times = 0; times < 3; times += 1) void life.snapshot();
    await delay(50);
    await world.assertShipped(life);
    assert.equal(count(life, "snapshot"), 0);
    await life.stop();
  });

  it("acknowledges nothing and ends once another has claimed the history", async () => {
    const world = new World({ isEager: true });
    const life = await world.begin();
    world.commit(life);
    await life.shipped();
    const other = await world.begin();
    world.commit(life);
    await assert.rejects(life.shipped(), FencedError);
    assert.ok(life.failures[0] instanceof FencedError);
    assert.equal(life.failures.length, 1);
    world.commit(other);
    await world.assertShipped(other);
    await life.end();
    await other.stop();
  });

  it("that could not ship all in time says so, and the next start on its directory does", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    life.wire.turns = Number.POSITIVE_INFINITY;
    world.commit(life);
    assert.equal(await life.replicator.stop(10), false);
    assert.equal(count(life, "replica-not-shipped"), 1);
    await life.end();
    const next = await world.begin(life.where);
    assert.notEqual(typeof next.start, "string");
    await world.assertShipped(next);
    await next.stop();
  });

  it("that shipped all notes that the database alone is the state, and the next start goes on from there", async () => {
    const world = new World();
    const life = await world.begin();
    world.commit(life);
    await life.stop();
    const file = readReplicaFile(life.where);
    assert.equal(file?.clean?.seq, file?.shippedSeq);
    const next = await world.begin(life.where);
    assert.equal(next.start, "start");
    world.commit(next);
    await world.assertShipped(next);
    assert.equal(count(next, "replica-base"), 0);
    await next.stop();
  });

  it("that was killed behind a payload loses it neither where another takes over while it ships what is left", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    life.wire.putNew = () => new Promise(() => {});
    world.commit(life, 5000);
    for (let turn = 0; turn < 500 && (await blobs(world.bucket)) === 0; turn += 1) await delay(1);
    const where = await life.kill();
    // The other has restored all there is, and is about to claim, when the segment is stored after all.
    const { bucket } = world;
    const putNew = bucket.putNew.bind(bucket);
    let next: Life | null = null;
    bucket.putNew = async (key, bytes) => {
      bucket.putNew = putNew;
      next = await world.begin(where);
      await world.assertShipped(next);
      return await putNew(key, bytes);
    };
    const after = await world.begin();
    const value = after.store.read((reader) => reader.stateValue(CART, text("1")));
    assert.equal(value?.length, 5000);
    await after.stop();
    await lifeOf(next).end();
  });

  it("that was killed between a payload and the segment that names it loses neither", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    const putNew = life.wire.putNew.bind(life.wire);
    life.wire.putNew = () => new Promise(() => {});
    world.commit(life, 5000);
    for (let turn = 0; turn < 500 && (await blobs(world.bucket)) === 0; turn += 1) await delay(1);
    assert.equal(await blobs(world.bucket), 1);
    life.wire.putNew = putNew;
    const next = await world.begin(await life.kill());
    await world.assertShipped(next);
    const after = await world.begin();
    const value = after.store.read((reader) => reader.stateValue(CART, text("1")));
    assert.equal(value?.length, 5000);
    await next.end();
    await after.stop();
  });
});

const lifeOf = (life: Life | null): Life => life ?? assert.fail("it has not begun");

async function blobs(bucket: MemoryBucket): Promise<number> {
  let found = 0;
  for await (const _ of bucket.list("blobs/")) found += 1;
  return found;
}

describe("another program that empties the write-ahead log", () => {
  const DRIVER = createRequire(import.meta.url).resolve("better-sqlite3");
  const PROGRAM = `
    const [driver, file, timeout] = process.argv.slice(1);
    const db = new (require(driver))(file, { timeout: Number(timeout) });
    console.log(JSON.stringify(db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").raw().get()));
  `;

  /** Waits so long for the log to be free. Resolves with what SQLite says: busy or not, frames, those in the database. */
  async function truncate(file: string, timeoutMs: number): Promise<readonly number[]> {
    const child = spawn(process.execPath, ["-e", PROGRAM, DRIVER, file, String(timeoutMs)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => (said += chunk.toString()));
    await once(child, "close");
    const row: unknown = JSON.parse(said);
    assert.ok(Array.isArray(row));
    return row.map(Number);
  }

  it("is refused while the server runs, and holds commits up no longer than it waits itself", async () => {
    const world = new World();
    const life = await world.begin();
    for (const timeoutMs of [0, 700]) {
      const state = { isOver: false };
      const answer = truncate(life.store.file, timeoutMs).finally(() => (state.isOver = true));
      let longestMs = 0;
      while (!state.isOver) {
        await life.gate();
        const beganMs = performance.now();
        world.commit(life);
        longestMs = Math.max(longestMs, performance.now() - beganMs);
        await delay(1);
      }
      const [busy] = await answer;
      assert.equal(busy, 1);
      assert.ok(longestMs < timeoutMs + 2000, `${longestMs} ms`);
      await world.assertShipped(life);
    }
    life.assertSound();
    assert.equal(count(life, "replica-base"), 1, "the first");
    await life.stop();
  });

  it("while no server runs is followed by a base, and nothing is lost", async () => {
    const world = new World();
    const life = await world.begin();
    await life.shipped();
    life.wire.turns = Number.POSITIVE_INFINITY;
    world.commit(life);
    assert.equal(await life.replicator.stop(10), false);
    await life.end();
    const [busy] = await truncate(life.store.file, 0);
    assert.equal(busy, 0);
    const next = await world.begin(life.where);
    assert.equal(next.start, "base");
    await world.assertShipped(next);
    const last = next.replicator.status().acceptedSeq;
    assert.notEqual(await readSegment(world.bucket, last), null);
    await next.stop();
  });
});
