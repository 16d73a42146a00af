/**
 * The simulated world: one seeded source of chance, one clock, one queue of events. Nothing in it reads the real clock or the real
 * random numbers, so the same seed gives the same history.
 *
 * W1 Events happen in the order (due time, order of scheduling).
 * W2 After each event the promises of handlers run to their end (`settle`), before the next event.
 * W3 `trace` takes one line per thing that matters; its hash is the fingerprint of a run.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../base/clock.ts";

interface Event {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A simulated history that goes on for longer than this many events is stuck in a loop. */
const EVENTS_MAX = 500_000;

export class World implements Clock {
  readonly seed: number;
  readonly #events: Event[] = [];
  readonly #hash = createHash("sha256");
  readonly #lastLines: string[] = [];
  readonly #linesMax: number;
  #state: number;
  #nowMs = 1_800_000_000_000;
  #order = 0;
  #count = 0;

  /** The last lines that are traced are kept for people. */
  constructor(seed: number, linesMax = 60) {
    this.seed = seed;
    this.#linesMax = linesMax;
    this.#state = seed >>> 0;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  /** A number in [0, 1): mulberry32. */
  random(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0 to `bound` - 1. */
  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  after(delayMs: number, run: () => void): void {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    this.#push({ dueMs, order: this.#order++, run });
  }

  trace(line: string): void {
    this.#hash.update(line).update("\n");
    this.#lastLines.push(`${this.#nowMs - 1_800_000_000_000} ${line}`);
    if (this.#lastLines.length > this.#linesMax) this.#lastLines.shift();
  }

  /** The fingerprint of everything traced so far, with the clock and the state of the dice. */
  fingerprint(): string {
    return `${this.#hash.copy().digest("hex").slice(0, 16)}@${this.#nowMs}#${this.#state}`;
  }

  lastLines(): string {
    return this.#lastLines.join("\n");
  }

  /** Lets events happen until `done`, or until there are none. Returns whether it is done. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    while (!done()) {
      const event = this.#events[0];
      if (event === undefined || event.dueMs > untilMs) return false;
      this.#events.shift();
      this.#count += 1;
      if (this.#count > EVENTS_MAX) throw new Error("the simulation does not come to an end");
      this.#nowMs = event.dueMs;
      event.run();
      await settle();
    }
    return true;
  }

  #push(event: Event): void {
    const events = this.#events;
    let low = 0;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = events[middle];
      if (other !== undefined && other.dueMs <= event.dueMs) low = middle + 1;
      else high = middle;
    }
    events.splice(low, 0, event);
  }
}

/** Microtasks run to their end before the next macrotask: one turn is enough, whatever their number. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
