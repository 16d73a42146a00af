/**
 * One simulated history of a replica: several machines write to one bucket, are killed, lose power, sleep, lose everything, and the bucket
 * does what buckets do; then all heals, and somebody has to go on. `seed` decides all of it.
 */
import fs from "node:fs";
import path from "node:path";
import { restore } from "../replica/restore.ts";
import { RetryingBucket } from "../replica/retrying-bucket.ts";
import { Commits } from "./commits.ts";
import { Defects } from "./defects.ts";
import { Directories } from "./directories.ts";
import { type BucketFaults, FaultyBucket, NO_FAULTS } from "./faulty-bucket.ts";
import { Life } from "./life.ts";
import { ReplicaMachine, type Surroundings } from "./replica-machine.ts";
import type { ReplicaSettings } from "./replica-server.ts";
import { commitsOf } from "./sim-disk.ts";
import { SimObjects } from "./sim-objects.ts";
import { TrueHistory } from "./true-history.ts";
import { World } from "./world.ts";

export interface ReplicaResult {
  readonly seed: number;
  /** Equal for equal seeds, or something reads the real world. */
  readonly fingerprint: string;
  /** The promises that were broken; empty when all were kept. */
  readonly broken: readonly string[];
  /** What happened, and how often. */
  readonly counts: ReadonlyMap<string, number>;
  /** The end of the history, for people. */
  readonly trace: string;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const LINES_MAX = 3000;
/** Within so long after all has healed somebody acknowledges again. */
const HEALED_MS = 5 * MINUTE_MS;
/** So many commits after that are enough. */
const ENOUGH = 3;

/**
 * - hasty: much befalls a history before it has a state
 * - short: a second or two
 * - long: retention deletes nothing younger than an hour, so it takes longer than that for it to matter
 */
const SCALES = {
  hasty: { gapMsMax: 150, loadEveryMs: 20, lateMsMax: 2000, listLagMsMax: 1000, stall: 0.05 },
  short: { gapMsMax: 3000, loadEveryMs: 40, lateMsMax: 8000, listLagMsMax: 5000, stall: 0.02 },
  long: {
    gapMsMax: 2 * HOUR_MS,
    loadEveryMs: MINUTE_MS,
    lateMsMax: 5 * HOUR_MS,
    listLagMsMax: 45 * MINUTE_MS,
    stall: 0.1,
  },
} as const;

export async function simulateReplica(seed: number): Promise<ReplicaResult> {
  const directories = new Directories();
  const simulation = new ReplicaSimulation(seed, directories);
  try {
    return await simulation.run();
  } finally {
    directories.remove();
  }
}

class ReplicaSimulation {
  readonly #world: World;
  readonly #directories: Directories;
  readonly #history = new TrueHistory();
  readonly #defects = new Defects();
  readonly #objects: SimObjects;
  readonly #machines: readonly ReplicaMachine[];
  readonly #scale: (typeof SCALES)[keyof typeof SCALES];
  readonly #faults: BucketFaults;
  readonly #usual: Readonly<BucketFaults>;
  readonly #settings: ReplicaSettings;
  readonly #counts = new Map<string, number>();
  #isHealed = false;
  #loadEveryMs: number;

  constructor(seed: number, directories: Directories) {
    const world = new World(seed, LINES_MAX);
    this.#world = world;
    this.#directories = directories;
    this.#scale = SCALES[(["hasty", "short", "short", "long"] as const)[world.below(4)] ?? "short"];
    this.#loadEveryMs = this.#scale.loadEveryMs;
    this.#usual = this.#chosenFaults();
    this.#faults = { ...this.#usual };
    this.#settings = this.#chosenSettings();
    this.#objects = new SimObjects(
      () => world.nowMs(),
      (key, bytes) => this.#history.stored(key, bytes),
    );
    const around: Surroundings = {
      world,
      objects: this.#objects,
      faults: this.#faults,
      history: this.#history,
      commits: new Commits(),
      settings: this.#settings,
      newDirectory: () => directories.make(),
      loadEveryMs: () => this.#loadEveryMs,
      count: (what) => this.#count(what),
    };
    const names = ["a", "b", "c"].slice(0, 2 + world.below(2));
    this.#machines = names.map((name) => new ReplicaMachine(name, around));
    for (const machine of this.#machines) machine.onEnd = () => this.#ended(machine);
  }

  async run(): Promise<ReplicaResult> {
    await this.#defects.watch(() => this.#befall());
    this.#counts.set("acknowledged", this.#history.acknowledged);
    this.#counts.set("claims", this.#history.epoch);
    return {
      seed: this.#world.seed,
      fingerprint: this.#world.fingerprint(),
      broken: [...this.#history.broken, ...this.#defects.found],
      counts: this.#counts,
      trace: this.#world.lastLines(),
    };
  }

  async #befall(): Promise<void> {
    const world = this.#world;
    this.#machines[0]?.start();
    for (let left = 6 + world.below(16); left > 0; left -= 1) {
      const untilMs = world.nowMs() + this.#gapMs();
      await world.run(() => this.#isBroken, untilMs);
      if (this.#isBroken) return;
      this.#incident();
    }
    await this.#heal();
  }

  get #isBroken(): boolean {
    return this.#history.broken.length > 0 || !this.#defects.isFree;
  }

  #chosenFaults(): BucketFaults {
    const world = this.#world;
    const some = (max: number): number => (world.chance(0.6) ? world.random() * max : 0);
    return {
      fail: some(0.3),
      twice: some(0.15),
      latencyMsMax: world.chance(0.7) ? 20 : 500,
      lateMsMax: this.#scale.lateMsMax * world.random(),
      listLagMsMax: some(this.#scale.listLagMsMax),
      stall: world.chance(0.5) ? world.random() * this.#scale.stall : 0,
      stallMsMax: 1 + 2 * this.#scale.gapMsMax,
      outage: null,
    };
  }

  #chosenSettings(): ReplicaSettings {
    const world = this.#world;
    return {
      isEager: world.chance(0.8),
      segmentIntervalMs: 20 + world.below(1000),
      segmentBytes: world.chance(0.5) ? 8192 : 1024 * 1024,
      snapshotIntervalMs: Math.ceil(this.#scale.gapMsMax * (0.2 + world.random())),
      snapshotSegments: 4 + world.below(40),
      unshippedBytesMax: world.chance(0.3) ? 40_000 : 64 * 1024 * 1024,
      retention: { retentionMs: HOUR_MS * world.random() * 2, snapshotsMin: 1 + world.below(2) },
      logFramesMax: 6 + world.below(60),
    };
  }

  /** Most things happen soon after one another. */
  #gapMs(): number {
    const { gapMsMax } = this.#scale;
    return this.#world.below(this.#world.chance(0.6) ? Math.min(gapMsMax, 2000) : gapMsMax);
  }

  #incident(): void {
    const world = this.#world;
    const machine = this.#oneOf(this.#machines);
    if (machine === undefined) return undefined;
    if (!machine.isRunning) return world.chance(0.7) ? machine.start() : this.#bucketIncident();
    switch (world.below(8)) {
      case 0:
        this.#count("killed");
        return this.#stopped(machine, () => machine.kill());
      case 1:
        this.#count("power lost");
        return this.#stopped(machine, () => machine.losePower());
      case 2:
        this.#count("machine lost");
        return this.#stopped(machine, () => machine.lose());
      case 3:
      case 4:
        this.#count("slept");
        return machine.isAsleep ? machine.wake() : machine.sleep();
      case 5:
        this.#count("stopped");
        return void machine.stop();
      case 6:
        return void this.#look();
      default:
        return this.#bucketIncident();
    }
  }

  #stopped(machine: ReplicaMachine, stop: () => void): void {
    stop();
    if (this.#world.chance(0.5)) this.#startLater(machine);
  }

  #bucketIncident(): void {
    const world = this.#world;
    const { outage } = this.#faults;
    if (outage !== null || world.chance(0.5)) {
      Object.assign(this.#faults, this.#usual);
      return world.trace("the bucket is as usual");
    }
    if (world.chance(0.5)) {
      this.#count("outage");
      this.#faults.outage = world.chance(0.5) ? "unavailable" : "throttled";
      return world.trace("the bucket is gone");
    }
    this.#faults.fail = 0.6;
    this.#faults.latencyMsMax = 3000;
    return world.trace("the bucket is slow");
  }

  #ended(machine: ReplicaMachine): void {
    const isNeeded = this.#isHealed && !this.#machines.some(({ isRunning }) => isRunning);
    if (isNeeded || (!this.#isHealed && this.#world.chance(0.5))) this.#startLater(machine);
  }

  #startLater(machine: ReplicaMachine): void {
    this.#world.after(this.#world.below(2000), () => machine.start());
  }

  /** No faults any more; what is late may still come. */
  async #heal(): Promise<void> {
    const world = this.#world;
    world.trace("all heals");
    this.#isHealed = true;
    Object.assign(this.#faults, NO_FAULTS);
    this.#loadEveryMs = 100;
    for (const machine of this.#machines) if (machine.isAsleep) machine.wake();
    const [first] = this.#machines;
    if (first !== undefined && !this.#machines.some(({ isRunning }) => isRunning)) first.start();
    const before = this.#history.commits.length + ENOUGH;
    const goneOn = (): boolean =>
      this.#history.commits.length >= before && this.#machines.some(({ isShipped }) => isShipped);
    const isDone = await world.run(() => this.#isBroken || goneOn(), world.nowMs() + HEALED_MS);
    if (!isDone) this.#history.broken.push(`nobody goes on within ${HEALED_MS} ms`);
    if (this.#isBroken) return;
    let isOver = false;
    void this.#restored(null).finally(() => (isOver = true));
    await world.run(() => isOver, world.nowMs() + HEALED_MS);
    if (!isOver) this.#history.broken.push("a restore does not come to its end");
  }

  /** Somebody restores elsewhere, to look; a state of the past may be gone. */
  async #look(): Promise<void> {
    const { states } = this.#history;
    const seq = this.#world.chance(0.5) ? (this.#oneOf(states) ?? null) : null;
    await this.#restored(seq);
  }

  /** `seq`: null for the latest state. */
  async #restored(seq: number | null): Promise<void> {
    const world = this.#world;
    const history = this.#history;
    const what = seq === null ? "the latest state" : `the state after segment ${seq}`;
    const life = new Life(world, "x");
    const bucket = new RetryingBucket(new FaultyBucket(world, life, this.#objects, this.#faults), {
      attemptsMax: null,
      after: life.afterWhole,
      random: () => world.random(),
    });
    const directory = this.#directories.make();
    const common = { bucket, directory, inspect: () => [] };
    const acknowledged = history.acknowledgedLength;
    const mustSucceed = this.#isHealed;
    try {
      const { kind } =
        seq === null
          ? await restore({ ...common, point: { kind: "latest" } })
          : await restore({
              ...common,
              point: { kind: "segment", seq },
              compare: nothingToCompare,
            });
      world.trace(`restored ${what}: ${kind}`);
      this.#count(seq === null ? "looked" : "looked back");
      const file = path.join(directory, "holdfast.db");
      const commits = kind === "empty" ? [] : commitsOf(fs.readFileSync(file));
      history.restored(commits, seq === null ? acknowledged : 0, what);
      const expected = seq === null ? null : history.stateAfter(seq);
      if (expected !== null && expected.length !== commits.length)
        history.broken.push(`${what} has ${commits.length} commits, not ${expected.length}`);
    } catch (error) {
      world.trace(`not restored: ${what}: ${String(error)}`);
      if (mustSucceed) history.broken.push(`${what} cannot be restored: ${String(error)}`);
    }
  }

  #oneOf<T>(all: readonly T[]): T | undefined {
    return all[this.#world.below(all.length)];
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}

const nothingToCompare = () => ({ invocations: [], total: 0, unknownCount: 0 });
