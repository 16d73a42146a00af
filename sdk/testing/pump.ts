/**
 * Lets things happen: what is due now, one after the other, and when nothing is due any more, what a test waits for.
 *
 * P1 After each thing that happens, promises run to their end before the next.
 * P2 Time moves only when everything is at rest: no handler and no step does anything.
 * P3 It moves by itself only while a request waits for its answer, or as far as `advance` says; to the next due time, never past it.
 */
import { setImmediate, setTimeout } from "node:timers";
import type { VirtualClock } from "./virtual-clock.ts";

/** The code of a test goes on over several turns after an answer; it may be about to ask for something more. */
const QUIET_TURNS = 4;

export interface PumpOptions {
  /** False while a handler or a step does something of its own; its end is an event of the clock. */
  readonly isAtRest: () => boolean;
  /** Time moves while a request waits. */
  readonly skipsTime: boolean;
  /** Nothing further away than this is waited for without being told. */
  readonly horizonMs: number;
  /** In real time. */
  readonly stuckAfterMs: number;
  /** Nothing has happened for so long, nothing will, and requests wait. */
  readonly onStuck: () => void;
  readonly onDefect: (error: unknown) => void;
}

export class Pump {
  readonly #clock: VirtualClock;
  readonly #options: PumpOptions;
  #isRunning = false;
  #isStopped = false;
  /** Requests that wait for an answer. */
  #waits = 0;
  /** Calls of `advance` that are not over. */
  #advances = 0;
  #settling: (() => void)[] = [];
  #stuckTimer: NodeJS.Timeout | undefined;

  constructor(clock: VirtualClock, options: PumpOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Something may be due. */
  readonly wake = (): void => {
    clearTimeout(this.#stuckTimer);
    if (this.#isRunning || this.#isStopped) return;
    this.#isRunning = true;
    void this.#run();
  };

  /** A request waits from now on; returns how it ends. */
  wait(): () => void {
    this.#waits += 1;
    this.wake();
    return () => {
      this.#waits -= 1;
      if (this.#waits === 0) clearTimeout(this.#stuckTimer);
    };
  }

  /** Resolves when nothing more happens while time stands still. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve);
      this.wake();
    });
  }

  /** Moves time on; everything due by then has happened, and what it led to at once. */
  async advance(ms: number): Promise<void> {
    await this.settled();
    this.#advances += 1;
    await new Promise<void>((resolve) => this.#clock.after(ms, resolve));
    this.#advances -= 1;
    await this.settled();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#stuckTimer);
    for (const resolve of this.#settling.splice(0)) resolve();
  }

  async #run(): Promise<void> {
    let quietTurns = 0;
    while (!this.#isStopped) {
      const happen = this.#clock.takeDue();
      if (happen !== undefined) {
        quietTurns = 0;
        this.#guarded(happen);
      } else if (this.#options.isAtRest()) {
        quietTurns = this.#settle() ? 0 : quietTurns + 1;
        if (quietTurns > QUIET_TURNS && !this.#skip()) break;
      } else {
        break;
      }
      await turn();
    }
    this.#isRunning = false;
    this.#watch();
  }

  #guarded(happen: () => void): void {
    try {
      happen();
    } catch (error) {
      this.#options.onDefect(error);
    }
  }

  /** True when somebody has waited for the rest, and may do something now. */
  #settle(): boolean {
    const settling = this.#settling.splice(0);
    for (const resolve of settling) resolve();
    return settling.length > 0;
  }

  #skip(): boolean {
    const { nextDueMs } = this.#clock;
    if (nextDueMs === undefined) return false;
    if (nextDueMs > this.#clock.nowMs()) {
      const mayWait = this.#options.skipsTime && this.#waits > 0;
      const isNear = nextDueMs - this.#clock.nowMs() <= this.#options.horizonMs;
      if (this.#advances === 0 && !(mayWait && isNear)) return false;
    }
    this.#clock.moveTo(nextDueMs);
    return true;
  }

  /** Real time passes only for those who wait in vain. */
  #watch(): void {
    const { isAtRest, stuckAfterMs, onStuck } = this.#options;
    if (this.#isStopped || this.#waits === 0 || !isAtRest() || stuckAfterMs === Infinity) return;
    this.#stuckTimer = setTimeout(onStuck, stuckAfterMs);
  }
}

/** Microtasks run to their end before the next macrotask. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
