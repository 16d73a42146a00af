/** A standby beside a writer, on one bucket in memory, with a clock that goes on only while the standby sleeps. */
import { type Log, silentLog } from "../base/log.ts";
import { inspectRestored, payloadsOf } from "../store/restored-database.ts";
import type { Bucket } from "./bucket.ts";
import { encodeLease, leaseOf } from "./lease.ts";
import { LeaseWriter } from "./lease-writer.ts";
import type { MemoryBucket } from "./memory-bucket.ts";
import { leaseKey } from "./names.ts";
import type { Replicator } from "./replicator.ts";
import type { Segment } from "./segment.ts";
import { Standby } from "./standby.ts";

export const LEASE_MS = 9000;
export const POLL_MS = 1000;

class Halt extends Error {}

interface StandByOptions {
  readonly hasty?: Bucket;
  readonly host?: string;
}

export class Watched {
  readonly standby: Standby;
  /** Events of its log. */
  readonly events: string[] = [];
  /** Resolves when it has taken over. */
  readonly run: Promise<void>;
  readonly where: string;
  #clockMs = 0;
  #wake: (() => void) | null = null;
  #asleep: () => void = () => {};
  #isOver = false;
  #isHalted = false;

  constructor(bucket: Bucket, where: string, options: StandByOptions = {}) {
    const { hasty = bucket, host = "standby" } = options;
    this.where = where;
    const noted = (event: string): void => void this.events.push(event);
    const log: Log = { ...silentLog, info: noted, warn: noted };
    const onDefect = (error: unknown): never => {
      throw error;
    };
    const lease = new LeaseWriter({ bucket, leaseMs: LEASE_MS, after: () => () => {}, onDefect });
    this.standby = new Standby({
      bucket,
      hasty,
      directory: where,
      inspect: inspectRestored,
      payloadsOf,
      host,
      lease,
      pollMs: POLL_MS,
      pause: () => new Promise((resolve) => setImmediate(resolve)),
      sleep: (ms) => this.#sleep(ms),
      nowMs: () => 1_700_000_000_000 + this.#clockMs,
      monotonicMs: () => this.#clockMs,
      log,
    });
    this.run = this.#run();
    this.run.catch(() => {});
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Has it go on for so long by its clock, until it has taken over at most. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#clockMs + ms;
    await this.#fallenAsleep();
    while (!this.#isOver && this.#clockMs < untilMs) {
      const wake = this.#wake;
      this.#wake = null;
      wake?.();
      await this.#fallenAsleep();
    }
  }

  /** It goes on no more. */
  halt(): void {
    this.#isHalted = true;
    this.#wake?.();
  }

  async #run(): Promise<void> {
    try {
      await this.standby.run();
    } catch (error) {
      if (!(error instanceof Halt)) throw error;
    } finally {
      this.#isOver = true;
      this.#asleep();
    }
  }

  async #sleep(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#asleep();
    });
    if (this.#isHalted) throw new Halt();
    this.#clockMs += ms;
  }

  async #fallenAsleep(): Promise<void> {
    if (this.#isOver || this.#wake !== null) return;
    await new Promise<void>((resolve) => (this.#asleep = resolve));
  }
}

/** Writes the lease of whoever wrote `tail`, as often as it is told to. */
export class Beats {
  readonly #bucket: MemoryBucket;
  readonly #tail: Segment;
  #beat = 0;

  constructor(bucket: MemoryBucket, tail: Segment) {
    this.#bucket = bucket;
    this.#tail = tail;
  }

  async beat(segment = 1, ended = false): Promise<void> {
    this.#beat += 1;
    const state = { leaseMs: LEASE_MS, beat: this.#beat, segment, ended };
    const { head } = this.#tail;
    await this.#bucket.put(leaseKey(head.epoch), encodeLease(leaseOf(head, state)));
  }
}

export const acceptedOf = ({ replicator }: { readonly replicator: Replicator }): number =>
  replicator.status().acceptedSeq;
