/**
 * Tells the machine when timers are due. The timers themselves are rows; here is but the earliest due time that the machine
 * named, and one timer of the event loop.
 *
 * T1 Never early: `timers-due` is submitted at a wall-clock time at or after the due time.
 * T2 Never forgotten: after `timers-due` the machine names the next due time itself, so only the earliest is kept here.
 */
import type { Clock } from "../base/clock.ts";
import type { ArmTimer } from "../machine/effect.ts";
import type { Door, TimerQueue } from "../processor/ports.ts";

/**
 * The event loop's clock stands still while the machine sleeps and does not see the wall clock being set, and its timers end
 * at 2^31 ms. So a long delay is waited for in pieces of this length, and a jump is noticed at the end of one.
 */
export const PIECE_MS_MAX = 60_000;

/** Calls once after a delay; returns how to call it off. */
export type After = (delayMs: number, fn: () => void) => () => void;

export interface TimerQueueOptions {
  readonly door: Pick<Door, "submit">;
  readonly clock: Clock;
  /** Default: `setTimeout`, which does not keep the process alive. */
  readonly after?: After;
}

export class WallTimerQueue implements TimerQueue {
  readonly #door: Pick<Door, "submit">;
  readonly #clock: Clock;
  readonly #after: After;
  #dueMs = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | null = null;
  #stopped = false;

  constructor(options: TimerQueueOptions) {
    this.#door = options.door;
    this.#clock = options.clock;
    this.#after = options.after ?? afterTimeout;
  }

  arm(effect: ArmTimer): void {
    if (this.#stopped || effect.dueMs >= this.#dueMs) return;
    this.#dueMs = effect.dueMs;
    this.#cancel?.();
    this.#wait();
  }

  /** Submits nothing any more. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #wait(): void {
    const delayMs = this.#dueMs - this.#clock.nowMs();
    if (delayMs <= 0) return this.#fire();
    this.#cancel = this.#after(Math.min(delayMs, PIECE_MS_MAX), () => this.#wait());
    return undefined;
  }

  #fire(): void {
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#cancel = null;
    this.#door.submit({ type: "timers-due" });
  }
}

function afterTimeout(delayMs: number, fn: () => void): () => void {
  const timer = setTimeout(fn, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
