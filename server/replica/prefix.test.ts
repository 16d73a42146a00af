/**
 * Whatever becomes of the servers that write a replica, one after another: every state that it holds is, page by page and payload by
 * payload, what the database was at that commit.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import fc from "fast-check";
import { text } from "../store/fixtures.suite.ts";
import { Chance, randomPlan } from "../store/random-transactions.suite.ts";
import { inspectRestored } from "../store/restored-database.ts";
import { readBlob } from "./blob-download.ts";
import { follow, linkOf, readSegment } from "./chain.ts";
import { DATABASE, Images, Life, type Surroundings } from "./life.suite.ts";
import { materialise } from "./materialise.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { Meter } from "./meter.ts";
import { listSnapshots, RestoreError } from "./restore-point.ts";
import type { Segment } from "./segment.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();
const CART = { service: "Cart", key: "a" };
const HOUR_MS = 3_600_000;
const PAGE_BYTES = 4096;

type Replication = Surroundings["replication"];

type Step =
  | { readonly do: "commit"; readonly count: number }
  | { readonly do: "ship" | "snapshot" | "restart" | "crash" | "lose" | "meddle" }
  | { readonly do: "fail"; readonly count: number }
  | { readonly do: "slow"; readonly turns: number }
  | { readonly do: "wait"; readonly hours: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    weighted(10, { do: fc.constant("commit" as const), count: fc.integer({ min: 1, max: 8 }) }),
    weighted(4, { do: fc.constantFrom("ship" as const, "snapshot") }),
    weighted(3, { do: fc.constantFrom("restart" as const, "crash", "crash", "lose", "meddle") }),
    weighted(2, { do: fc.constant("fail" as const), count: fc.nat(5) }),
    weighted(2, { do: fc.constant("slow" as const), turns: fc.nat(40) }),
    weighted(2, { do: fc.constant("wait" as const), hours: fc.integer({ min: 1, max: 4 }) }),
  ),
  { minLength: 10, maxLength: 40 },
);

function weighted<T>(weight: number, model: { [K in keyof T]: fc.Arbitrary<T[K]> }) {
  return { weight, arbitrary: fc.record<T>(model, { noNullPrototype: true }) };
}

const settings = fc.record({
  isEager: fc.boolean(),
  segmentBytes: fc.constantFrom(3 * PAGE_BYTES, 20 * PAGE_BYTES, 1024 * PAGE_BYTES),
  snapshotSegments: fc.integer({ min: 3, max: 20 }),
  unshippedBytesMax: fc.constantFrom(50 * PAGE_BYTES, 100_000 * PAGE_BYTES),
  retention: fc.record({
    retentionMs: fc.constantFrom(2 * HOUR_MS, 50 * HOUR_MS),
    snapshotsMin: fc.integer({ min: 1, max: 3 }),
  }),
});

/** What comes up, so that a test that proves nothing is found out. */
const EXPECTED = [
  "claim",
  "delta",
  "base",
  "payload",
  "snapshot",
  "replica-swept",
  "crash: a position",
  "lose: start",
  "restart: start",
  "meddle: base",
];
const seen = new Map<string, number>();
const see = (what: string): void => void seen.set(what, (seen.get(what) ?? 0) + 1);

class World {
  readonly #chance: Chance;
  #skewMs = 0;
  readonly #around: Surroundings;
  #life: Life;
  #number = 0;

  private constructor(chance: Chance, around: Surroundings, life: Life) {
    this.#chance = chance;
    this.#around = around;
    this.#life = life;
  }

  static async begin(seed: number, replication: Replication): Promise<World> {
    const clock = { nowMs: Date.now };
    const around: Surroundings = {
      bucket: new MemoryBucket(() => clock.nowMs()),
      images: new Images(),
      directory,
      nowMs: () => clock.nowMs(),
      walBytesMax: 40 * 4120,
      replication,
    };
    const world = new World(new Chance(seed), around, await Life.begin(around, directory()));
    clock.nowMs = () => Date.now() + world.#skewMs;
    return world;
  }

  async step(step: Step): Promise<void> {
    const life = this.#life;
    switch (step.do) {
      case "commit":
        return await this.#commit(step.count);
      case "ship":
        return await life.shipped();
      case "snapshot":
        await this.#commit(1);
        await life.shipped();
        return await life.snapshot();
      case "fail":
        life.wire.failures = step.count;
        return undefined;
      case "slow":
        life.wire.turns = step.turns;
        return undefined;
      case "wait":
        this.#skewMs += step.hours * HOUR_MS;
        return undefined;
      default:
        await this.assertAllPrefixes();
        return await this.#nextLife(step.do);
    }
  }

  async #commit(count: number): Promise<void> {
    for (let done = 0; done < count; done += 1) {
      // As the processor does; it may be late.
      if (this.#chance.below(8) !== 0) await this.#life.gate();
      this.#number += 1;
      this.#life.store.transact(randomPlan(this.#chance, this.#number, 30));
      if (this.#chance.below(3) === 0) this.#storePayload();
      if (this.#chance.below(4) === 0) await delay(this.#chance.below(4));
    }
  }

  /** Of few kinds, so that the same comes and goes. */
  #storePayload(): void {
    const name = text(`payload ${this.#chance.below(3)}`);
    const bytes = new Uint8Array(3000 + this.#chance.below(2)).fill(this.#chance.below(3));
    const isCleared = this.#chance.below(3) === 0;
    this.#life.store.transact((tx) => {
      if (isCleared) tx.clearState(CART, name);
      else tx.setState(CART, name, bytes);
    });
  }

  async #nextLife(how: "restart" | "crash" | "lose" | "meddle"): Promise<void> {
    const before = this.#life;
    for (const event of before.events) see(event);
    let where = before.where;
    if (how === "restart") await before.stop();
    else where = await before.kill();
    if (how === "lose") where = directory();
    // Somebody opened the database while no server ran: the log is gone when they leave.
    if (how === "meddle") new Database(path.join(where, DATABASE)).exec("VACUUM").close();
    this.#life = await Life.begin(this.#around, where);
    await before.wire.arriveLate();
    see(`${how}: ${typeof this.#life.start === "string" ? this.#life.start : "a position"}`);
  }

  async end(): Promise<void> {
    await this.#life.shipped();
    await this.assertAllPrefixes();
    await this.#life.stop();
    await this.assertAllPrefixes();
  }

  /** From the oldest snapshot on. */
  async assertAllPrefixes(): Promise<void> {
    const { bucket } = this.#around;
    const snapshots = await listSnapshots(bucket);
    const counting: Segment[] = [];
    for (const { seq, epoch } of snapshots) {
      const segment = await readSegment(bucket, seq);
      if (segment?.head.epoch === epoch) counting.push(segment);
    }
    const [first] = counting;
    if (first === undefined) return;
    const segments = [first];
    for await (const each of follow(bucket, linkOf(first))) segments.push(each);
    let expected: Uint8Array = new Uint8Array();
    for (const { head, content } of segments) {
      // A claim leaves the state as it is, and so does what was shipped before the log began.
      if (content.kind !== "claim" && content.position.frame > 0)
        expected = this.#around.images.at(content.position);
      await this.#assertPrefix({ kind: "segment", seq: head.seq }, expected);
      see(content.kind);
    }
    await this.#assertPrefix({ kind: "latest" }, expected);
    await assert.rejects(
      this.#materialised({ kind: "segment", seq: first.head.seq - 1 }, "early.db"),
      RestoreError,
    );
  }

  async #assertPrefix(point: Point, expected: Uint8Array): Promise<void> {
    const what = point.kind === "segment" ? `after segment ${point.seq}` : "the latest";
    const file = await this.#materialised(point, "restored.db");
    const found = fs.readFileSync(file);
    assert.equal(found.length, expected.length, `${what}: as many pages`);
    for (let at = 0; at < found.length; at += PAGE_BYTES) {
      const isSame = found
        .subarray(at, at + PAGE_BYTES)
        .equals(expected.subarray(at, at + PAGE_BYTES));
      assert.ok(isSame, `${what}: page ${at / PAGE_BYTES + 1} differs`);
    }
    const refs = inspectRestored(file);
    for (const ref of refs) await readBlob(this.#around.bucket, ref);
    if (refs.length > 0) see("payload");
  }

  async #materialised(point: Point, name: string): Promise<string> {
    const file = path.join(this.#life.where, name);
    fs.rmSync(file, { force: true });
    const { bucket } = this.#around;
    const made = await materialise({ bucket, file, point, meter: new Meter() });
    assert.ok(made !== null);
    return file;
  }
}

type Point = { readonly kind: "latest" } | { readonly kind: "segment"; readonly seq: number };

const commit = (count: number): Step => ({ do: "commit", count });

/** One of each, so that every run has them. */
const TOUR: readonly Step[] = [
  commit(8),
  { do: "snapshot" },
  commit(8),
  { do: "crash" },
  commit(8),
  { do: "fail", count: 3 },
  { do: "snapshot" },
  { do: "wait", hours: 4 },
  commit(8),
  { do: "ship" },
  { do: "lose" },
  commit(8),
  { do: "wait", hours: 4 },
  { do: "snapshot" },
  { do: "restart" },
  { do: "slow", turns: 10 },
  commit(8),
  { do: "snapshot" },
  { do: "meddle" },
  commit(3),
  { do: "crash" },
];

const TOUR_SETTINGS: Replication = {
  isEager: true,
  segmentBytes: 20 * PAGE_BYTES,
  snapshotSegments: 20,
  unshippedBytesMax: 100_000 * PAGE_BYTES,
  retention: { retentionMs: 2 * HOUR_MS, snapshotsMin: 1 },
};

describe("a replica", () => {
  it("gives back every state that was shipped, whatever became of its servers", async () => {
    const run = async (seed: number, replication: Replication, all: readonly Step[]) => {
      const world = await World.begin(seed, replication);
      for (const step of all) await world.step(step);
      await world.end();
    };
    await fc.assert(fc.asyncProperty(fc.integer(), settings, steps, run), {
      numRuns: 7,
      examples: [[1, TOUR_SETTINGS, TOUR]],
      // What happens depends on threads, too: fewer steps say nothing.
      endOnFailure: true,
    });
    for (const what of EXPECTED) assert.ok(seen.has(what), `${what}: ${JSON.stringify([...seen])}`);
  });
});
