/** A machine that runs servers of the replica one after another, with callers who commit through them and note what is acknowledged. */
import { AttachError } from "../replica/attach.ts";
import { BucketError } from "../replica/bucket-error.ts";
import { DamageError } from "../replica/damage-error.ts";
import { FencedError } from "../replica/fenced-error.ts";
import type { Commits } from "./commits.ts";
import { type BucketFaults, FaultyBucket } from "./faulty-bucket.ts";
import { Life } from "./life.ts";
import { type ReplicaServer, type ReplicaSettings, startReplicaServer } from "./replica-server.ts";
import { SimDisk } from "./sim-disk.ts";
import type { SimObjects } from "./sim-objects.ts";
import type { TrueHistory } from "./true-history.ts";
import type { World } from "./world.ts";

export interface Surroundings {
  readonly world: World;
  readonly objects: SimObjects;
  readonly faults: BucketFaults;
  readonly history: TrueHistory;
  readonly commits: Commits;
  readonly settings: ReplicaSettings;
  /** Of a new disk. */
  readonly newDirectory: () => string;
  /** Between two commits, on average. */
  readonly loadEveryMs: () => number;
  readonly count: (what: string) => void;
}

/** Callers wait for so many commits at most. */
const OPEN_MAX = 8;
/** How busy they are may change. */
const LOOK_MS = 10_000;
/** A fenced process ends; nobody says how soon. */
const END_MS_MAX = 2000;
const SKEW_MS_MAX = 120_000;

export class ReplicaMachine {
  readonly name: string;
  readonly #around: Surroundings;
  readonly #skewMs: number;
  #disk: SimDisk;
  #life: Life | null = null;
  #lives = 0;
  #server: ReplicaServer | null = null;
  #isFenced = false;
  #open = 0;
  /** Called when a process has ended by itself. */
  onEnd: () => void = () => {};

  constructor(name: string, around: Surroundings) {
    this.name = name;
    this.#around = around;
    this.#skewMs = around.world.below(2 * SKEW_MS_MAX) - SKEW_MS_MAX;
    this.#disk = new SimDisk(around.newDirectory());
  }

  get isRunning(): boolean {
    return this.#life !== null;
  }

  get isAsleep(): boolean {
    return this.#life?.isAsleep === true;
  }

  /** Everything it has committed is in the history. */
  get isShipped(): boolean {
    const { commits } = this.#around.history;
    return this.#server !== null && commits.length === this.#disk.commits.length;
  }

  start(): void {
    if (this.#life !== null) return;
    const { world } = this.#around;
    this.#lives += 1;
    const life = new Life(world, `${this.name}${this.#lives}`);
    this.#life = life;
    this.#isFenced = false;
    this.#open = 0;
    world.trace(`${life.name}: starts on ${this.#disk.isEmpty ? "an empty" : "its"} directory`);
    void this.#run(life);
  }

  sleep(): void {
    this.#say("sleeps");
    this.#life?.sleep();
  }

  wake(): void {
    this.#say("wakes up");
    this.#life?.wake();
  }

  /** The process is gone; the disk has all that it was told. */
  kill(): void {
    this.#say("is killed");
    this.#end();
  }

  losePower(): void {
    const { world } = this.#around;
    const { commits, durable } = this.#disk;
    this.#end();
    this.#disk.cutOff(durable + world.below(commits.length - durable + 1));
    world.trace(`${this.name} loses power: ${this.#disk.commits.length} commits survive`);
  }

  /** The machine is gone, and another has its place. */
  lose(): void {
    this.#around.world.trace(`${this.name} is lost`);
    this.#end();
    this.#disk = new SimDisk(this.#around.newDirectory());
  }

  /** Ships what is left, as far as that goes, and ends. */
  async stop(): Promise<void> {
    const life = this.#life;
    const server = this.#server;
    if (life === null || server === null) return;
    this.#server = null;
    this.#say("is asked to stop");
    const isShipped = await server.stop(5000);
    this.#say(`has stopped${isShipped ? "" : ", and left something"}`);
    if (this.#life !== life) return;
    this.#end();
    this.onEnd();
  }

  async #run(life: Life): Promise<void> {
    const { world, objects, faults, commits, settings, history, count } = this.#around;
    const acknowledged = history.acknowledgedLength;
    try {
      const server = await startReplicaServer({
        world,
        life,
        disk: this.#disk,
        bucket: new FaultyBucket(world, life, objects, faults),
        commits,
        settings,
        skewMs: this.#skewMs,
        onRestored: (restored) => {
          count("restored");
          history.restored(restored, acknowledged, `what ${life.name} restored`);
        },
        onLog: (event) => {
          if (event === "replica-swept") count("swept");
          world.trace(`${life.name}: ${event}`);
        },
        onFenced: () => this.#fenced(life),
        onFatal: (error) => this.#failed(life, error),
      });
      this.#server = server;
      this.#load(life, server);
    } catch (error) {
      this.#refused(life, error);
    }
  }

  /** A server that does not fit is begun anew on an empty directory, as it says. */
  #refused(life: Life, error: unknown): void {
    const { history, world, count, newDirectory } = this.#around;
    const isDamage = error instanceof DamageError;
    // A download that breaks off again and again.
    const isTrouble = error instanceof BucketError && error.isTransient;
    const isMoved = error instanceof AttachError && REFUSALS.has(error.code);
    world.trace(`${life.name}: refused: ${isMoved ? error.code : String(error)}`);
    if (!isDamage && !isTrouble && !isMoved)
      history.broken.push(`${life.name} cannot start: ${String(error)}`);
    count(isDamage ? "damage" : "refused");
    if (isMoved) this.#disk = new SimDisk(newDirectory());
    this.#end();
    this.onEnd();
  }

  #fenced(life: Life): void {
    const { world, count } = this.#around;
    this.#isFenced = true;
    count("fenced");
    world.trace(`${life.name}: fenced`);
    life.after(world.below(END_MS_MAX), () => {
      this.#end();
      this.onEnd();
    });
  }

  #failed(life: Life, error: unknown): void {
    if (this.#isFenced || error instanceof FencedError) return;
    this.#around.history.broken.push(`${life.name} failed: ${String(error)}`);
  }

  /** Callers, also of one that is fenced. */
  #load(life: Life, server: ReplicaServer): void {
    const { world, loadEveryMs } = this.#around;
    const everyMs = Math.min(loadEveryMs(), LOOK_MS);
    life.after(world.below(2 * everyMs), () => {
      if (this.#server !== server) return;
      const isWanted = world.chance(everyMs / loadEveryMs());
      if (isWanted && this.#open < OPEN_MAX && server.store.commitGate === null)
        this.#commit(life, server);
      this.#load(life, server);
    });
  }

  #commit({ name }: Life, { store, epoch }: ReplicaServer): void {
    const { history, settings } = this.#around;
    this.#open += 1;
    store.transact(() => {});
    const number = this.#disk.commits.at(-1) ?? 0;
    store.barrier((error) => {
      this.#open -= 1;
      if (error !== null || !settings.isEager) return;
      history.acknowledge(number, { name, epoch, isFenced: this.#isFenced });
    });
  }

  #end(): void {
    this.#life?.kill();
    this.#life = null;
    this.#server = null;
  }

  #say(what: string): void {
    if (this.#life !== null) this.#around.world.trace(`${this.#life.name} ${what}`);
  }
}

const REFUSALS: ReadonlySet<string> = new Set(["moved-on", "not-replicated"]);
