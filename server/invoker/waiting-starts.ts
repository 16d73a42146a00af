/**
 * Attempts that wait for room, at most one an invocation, in the order in which they came. A bound, not a store: what does
 * not fit is derived from state again later.
 */
import type { StartAttempt } from "../machine/effect.ts";

export interface WaitingStart {
  readonly seq: number;
  epoch: number;
  knownEntries: number;
}

/** First in, first out; taking is constant time on average. */
class Fifo {
  #items: WaitingStart[] = [];
  #head = 0;

  push(item: WaitingStart): void {
    this.#items.push(item);
  }

  shift(): WaitingStart | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#head += 1;
    if (this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  get isEmpty(): boolean {
    return this.#head === this.#items.length;
  }
}

export class WaitingStarts {
  readonly #startsMax: number;
  readonly #bySeq = new Map<number, WaitingStart>();
  /** Waiting for room in general: where they run is found out when there is some. */
  readonly #general = new Fifo();
  /** Waiting for room at a deployment that is full, by deployment id. */
  readonly #parked = new Map<string, Fifo>();

  constructor(startsMax: number) {
    this.#startsMax = startsMax;
  }

  get size(): number {
    return this.#bySeq.size;
  }

  /** How many more may wait. */
  get room(): number {
    return this.#startsMax - this.#bySeq.size;
  }

  has(seq: number): boolean {
    return this.#bySeq.has(seq);
  }

  /** Takes an attempt in, or brings the one that waits for the same invocation up to date; false when there is no room. */
  add({ seq, epoch, knownEntries }: Omit<StartAttempt, "type">): boolean {
    const waiting = this.#bySeq.get(seq);
    if (waiting !== undefined) {
      if (epoch > waiting.epoch) {
        waiting.epoch = epoch;
        waiting.knownEntries = knownEntries;
      } else if (epoch === waiting.epoch) {
        waiting.knownEntries = Math.max(waiting.knownEntries, knownEntries);
      }
      return true;
    }
    if (this.room <= 0) return false;
    const start = { seq, epoch, knownEntries };
    this.#bySeq.set(seq, start);
    this.#general.push(start);
    return true;
  }

  /** More of the journal of a waiting attempt is durable now. */
  raise(seq: number, epoch: number, knownEntries: number): void {
    const waiting = this.#bySeq.get(seq);
    if (waiting === undefined || waiting.epoch !== epoch) return;
    waiting.knownEntries = Math.max(waiting.knownEntries, knownEntries);
  }

  /** The one that has waited longest for room in general. */
  take(): WaitingStart | undefined {
    return this.#remove(this.#general.shift());
  }

  /** Lets an attempt wait for room at its deployment. It was taken just now, so there is room for it. */
  park(deploymentId: string, start: WaitingStart): void {
    this.#bySeq.set(start.seq, start);
    const parked = this.#parked.get(deploymentId) ?? new Fifo();
    this.#parked.set(deploymentId, parked);
    parked.push(start);
  }

  /** The one that has waited longest for room at this deployment. */
  takeParked(deploymentId: string): WaitingStart | undefined {
    const parked = this.#parked.get(deploymentId);
    if (parked === undefined) return undefined;
    const start = parked.shift();
    if (parked.isEmpty) this.#parked.delete(deploymentId);
    return this.#remove(start);
  }

  /** Those who waited for room at this deployment wait for room in general: it may never have an attempt again. */
  unpark(deploymentId: string): void {
    const parked = this.#parked.get(deploymentId);
    if (parked === undefined) return;
    this.#parked.delete(deploymentId);
    for (let start = parked.shift(); start !== undefined; start = parked.shift()) {
      this.#general.push(start);
    }
  }

  #remove(start: WaitingStart | undefined): WaitingStart | undefined {
    if (start !== undefined) this.#bySeq.delete(start.seq);
    return start;
  }
}
