/**
 * One coarse timer for the timeouts of all attempts: an eighth of the shortest one, so that a timeout is never early and
 * late by little, and no attempt arms a timer of its own.
 */
const RESOLUTION_MS_MIN = 20;
const RESOLUTION_MS_MAX = 1000;
const TICKS_PER_TIMEOUT = 8;

export class Sweep {
  /** Looks at everything; returns the shortest timeout there is, Infinity when nothing is left to look at. */
  readonly #look: () => number;
  #timer: NodeJS.Timeout | null = null;
  #resolutionMs = Infinity;

  constructor(look: () => number) {
    this.#look = look;
  }

  /** Something with this timeout is to be looked at. */
  cover(timeoutMs: number): void {
    const resolutionMs = resolutionFor(timeoutMs);
    if (this.#timer !== null && resolutionMs >= this.#resolutionMs) return;
    this.#arm(resolutionMs);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(resolutionMs: number): void {
    this.stop();
    this.#resolutionMs = resolutionMs;
    this.#timer = setTimeout(this.#tick, resolutionMs);
  }

  readonly #tick = (): void => {
    this.#timer = null;
    const shortestMs = this.#look();
    if (shortestMs !== Infinity && this.#timer === null) this.#arm(resolutionFor(shortestMs));
  };
}

function resolutionFor(timeoutMs: number): number {
  return Math.min(Math.max(timeoutMs / TICKS_PER_TIMEOUT, RESOLUTION_MS_MIN), RESOLUTION_MS_MAX);
}
