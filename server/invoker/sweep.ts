/**
 * One coarse timer for the timeouts of all attempts: an eighth of the shortest one, so that a timeout is never early and
 * late by little, and no attempt arms a timer of its own.
 */

/** Calls once after a delay; returns how to call it off. */
export type After = (delayMs: number, fn: () => void) => () => void;

const RESOLUTION_MS_MIN = 20;
const RESOLUTION_MS_MAX = 1000;
const TICKS_PER_TIMEOUT = 8;

export class Sweep {
  /** Looks at everything; returns the shortest timeout there is, Infinity when nothing is left to look at. */
  readonly #look: () => number;
  readonly #after: After;
  #cancel: (() => void) | null = null;
  #resolutionMs = Infinity;

  constructor(look: () => number, after: After) {
    this.#look = look;
    this.#after = after;
  }

  /** Something with this timeout is to be looked at. */
  cover(timeoutMs: number): void {
    const resolutionMs = resolutionFor(timeoutMs);
    if (this.#cancel !== null && resolutionMs >= this.#resolutionMs) return;
    this.#arm(resolutionMs);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(resolutionMs: number): void {
    this.stop();
    this.#resolutionMs = resolutionMs;
    this.#cancel = this.#after(resolutionMs, this.#tick);
  }

  readonly #tick = (): void => {
    this.#cancel = null;
    const shortestMs = this.#look();
    if (shortestMs !== Infinity && this.#cancel === null) this.#arm(resolutionFor(shortestMs));
  };
}

function resolutionFor(timeoutMs: number): number {
  return Math.min(Math.max(timeoutMs / TICKS_PER_TIMEOUT, RESOLUTION_MS_MIN), RESOLUTION_MS_MAX);
}
