/**
 * The clock of an environment: time stands still until somebody moves it, and what is to happen later waits in order.
 *
 * V1 What is due happens in the order (due time, order of scheduling).
 * V2 It reads neither the real clock nor real chance, so the same test gives the same history.
 */

interface Event {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

export class VirtualClock {
  /** By due time, then by order. */
  readonly #events: Event[] = [];
  /** Something may be due now. */
  readonly #onEvent: () => void;
  #nowMs: number;
  #order = 0;

  constructor(startMs: number, onEvent: () => void) {
    this.#nowMs = startMs;
    this.#onEvent = onEvent;
  }

  /** Milliseconds since the Unix epoch. */
  nowMs(): number {
    return this.#nowMs;
  }

  /** Runs once after a delay; returns how to call it off. */
  readonly after = (delayMs: number, run: () => void): (() => void) => {
    const dueMs = this.#nowMs + Math.max(0, delayMs);
    const event = { dueMs, order: this.#order++, run };
    this.#events.splice(this.#placeOf(dueMs), 0, event);
    this.#onEvent();
    return () => {
      const at = this.#events.indexOf(event);
      if (at >= 0) this.#events.splice(at, 1);
    };
  };

  /** Removes and returns the first that is due now. */
  takeDue(): (() => void) | undefined {
    const [first] = this.#events;
    if (first === undefined || first.dueMs > this.#nowMs) return undefined;
    this.#events.shift();
    return first.run;
  }

  /** When the next thing happens; undefined when nothing will. */
  get nextDueMs(): number | undefined {
    return this.#events[0]?.dueMs;
  }

  /** Never backwards. */
  moveTo(nowMs: number): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#events.length = 0;
  }

  /** Behind all that are due at the same time. */
  #placeOf(dueMs: number): number {
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#events[middle];
      if (other !== undefined && other.dueMs <= dueMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
