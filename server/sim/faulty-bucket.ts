/**
 * The bucket as one process sees it: slow, and every now and then a write happens late, twice or not at all, whatever its writer was told;
 * an answer gets lost; a list is behind; for a while nothing goes. What it promises (K1-K3 in `bucket.ts`) it keeps.
 */
import fs from "node:fs";
import type { Bucket, ObjectInfo } from "../replica/bucket.ts";
import { BucketError, type BucketFailure } from "../replica/bucket-error.ts";
import type { Life } from "./life.ts";
import type { SimObjects } from "./sim-objects.ts";
import type { World } from "./world.ts";

/** One for all processes; what heals is set to zero. */
export interface BucketFaults {
  /** The chance that an operation fails, as far as its caller is told. */
  fail: number;
  /** The chance that a write reaches the store twice. */
  twice: number;
  latencyMsMax: number;
  /** What the caller believes to have failed happens up to this much later. */
  lateMsMax: number;
  /** Lists are behind by up to this. */
  listLagMsMax: number;
  /** The chance that a process falls asleep when it is about to write, and writes when it wakes up, up to `stallMsMax` later. */
  stall: number;
  stallMsMax: number;
  /** Not null: nothing goes. */
  outage: BucketFailure | null;
}

export const NO_FAULTS: Readonly<BucketFaults> = {
  fail: 0,
  twice: 0,
  latencyMsMax: 20,
  lateMsMax: 0,
  listLagMsMax: 0,
  stall: 0,
  stallMsMax: 0,
  outage: null,
};

/**
 * - done: and its caller is told
 * - refused: nothing happens; lost: it happens; late: it will happen. All three have failed, as far as the caller is told
 * - twice: it happens, and again later; the caller is told the result of either
 */
type Fate = "done" | "refused" | "lost" | "late" | "twice";

/** Who asks waits for no answer longer than this. */
const ANSWER_MS_MAX = 30_000;
/** Of what was to be deleted together, so much is when the answer is an error. */
const PARTLY = 0.5;

export class FaultyBucket implements Bucket {
  readonly url = "sim:";
  readonly #world: World;
  readonly #life: Life;
  readonly #objects: SimObjects;
  readonly #faults: Readonly<BucketFaults>;

  constructor(world: World, life: Life, objects: SimObjects, faults: Readonly<BucketFaults>) {
    this.#world = world;
    this.#life = life;
    this.#objects = objects;
    this.#faults = faults;
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#read(() => this.#objects.bucket.get(key));
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    const bytes = await this.get(key);
    return bytes === null ? null : this.#pieces(bytes);
  }

  putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return this.#write(`new ${key}`, () => this.#objects.putNew(key, bytes));
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#write(`put ${key}`, () => this.#objects.put(key, bytes));
  }

  putFile(key: string, file: string): Promise<void> {
    return this.put(key, new Uint8Array(fs.readFileSync(file)));
  }

  async *list(prefix: string, after = ""): AsyncGenerator<ObjectInfo> {
    const lagMs = this.#world.below(1 + this.#faults.listLagMsMax);
    yield* await this.#read(async () =>
      this.#objects.listed(prefix, after, this.#world.nowMs() - lagMs),
    );
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#write(`delete ${keys.length} from ${keys[0]}`, (isAnswered) =>
      this.#objects.delete(isAnswered ? keys : keys.filter(() => this.#world.chance(PARTLY))),
    );
  }

  close(): void {}

  /** A download may break off. */
  async *#pieces(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    const middle = bytes.length >>> 1;
    yield bytes.subarray(0, middle);
    yield await this.#read(async () => bytes.subarray(middle));
  }

  #read<T>(look: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const error = this.#fails() ? this.#error() : null;
      this.#world.after(this.#latencyMs(), () => {
        if (error !== null) this.#answer(() => reject(error));
        else void look().then((value) => this.#answer(() => resolve(value)));
      });
    });
  }

  async #write<T>(what: string, act: (isAnswered: boolean) => Promise<T>): Promise<T> {
    if (this.#world.chance(this.#faults.stall)) await this.#stalled(what);
    return await this.#sent(what, act);
  }

  #stalled(what: string): Promise<void> {
    this.#world.trace(`${this.#life.name} falls asleep before ${what}`);
    this.#life.sleep();
    this.#world.after(this.#world.below(this.#faults.stallMsMax), () => this.#life.wake());
    return new Promise((resolve) => this.#life.tell(resolve));
  }

  async #happen<T>(what: string, act: () => Promise<T>, then: (value: T) => void): Promise<void> {
    const value = await act();
    const told = typeof value === "string" ? value : "";
    this.#world.trace(`${this.#life.name}: ${what} ${told}`);
    then(value);
  }

  #sent<T>(what: string, act: (isAnswered: boolean) => Promise<T>): Promise<T> {
    const fate = this.#fate();
    return new Promise((resolve, reject) => {
      const happens = (ms: number, then: (value: T) => void): void =>
        this.#world.after(ms, () => {
          void this.#happen(
            `${what} (${fate})`,
            () => act(fate === "done" || fate === "twice"),
            then,
          );
        });
      const error = this.#error();
      const fails = (): void => this.#answer(() => reject(error));
      const answers = (value: T): void => this.#answer(() => resolve(value));
      const lateMs = this.#world.below(1 + this.#faults.lateMsMax);
      const isFirstAnswered = lateMs > ANSWER_MS_MAX || this.#world.chance(0.5);
      switch (fate) {
        case "done":
          return happens(this.#latencyMs(), answers);
        case "refused":
          return this.#world.after(this.#latencyMs(), fails);
        case "lost":
          return happens(this.#latencyMs(), fails);
        case "late":
          happens(lateMs, () => {});
          return this.#world.after(this.#latencyMs(), fails);
        case "twice":
          return happens(this.#latencyMs(), (first) => {
            if (isFirstAnswered) answers(first);
            happens(lateMs, isFirstAnswered ? () => {} : answers);
          });
      }
    });
  }

  #fate(): Fate {
    if (this.#faults.outage !== null) return "refused";
    if (this.#world.chance(this.#faults.twice)) return "twice";
    if (!this.#fails()) return "done";
    return (["refused", "lost", "late"] as const)[this.#world.below(3)] ?? "refused";
  }

  #fails(): boolean {
    return this.#faults.outage !== null || this.#world.chance(this.#faults.fail);
  }

  #error(): BucketError {
    const kind = this.#faults.outage ?? (this.#world.chance(0.5) ? "unavailable" : "throttled");
    return new BucketError(kind, `${kind}, as the simulation has it`);
  }

  #answer(tell: () => void): void {
    this.#world.after(this.#latencyMs(), () => this.#life.tell(tell));
  }

  #latencyMs(): number {
    return this.#world.below(1 + this.#faults.latencyMsMax);
  }
}
