/** Requests that wait for a published event of an invocation. */
import type { EventState, Published } from "../machine/effect.ts";

export interface EventWaiter {
  readonly key: string;
  /** Called for each new value, until removed; null once the invocation is over. */
  readonly onEvent: (state: EventState | null) => void;
}

export class EventWaiters {
  readonly #waiters = new Map<number, Set<EventWaiter>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(seq: number, waiter: EventWaiter): void {
    const present = this.#waiters.get(seq);
    if (present === undefined) this.#waiters.set(seq, new Set([waiter]));
    else present.add(waiter);
    this.#size += 1;
  }

  /** Nothing happens when it is not there any more. */
  remove(seq: number, waiter: EventWaiter): void {
    const present = this.#waiters.get(seq);
    if (present?.delete(waiter) !== true) return;
    this.#size -= 1;
    if (present.size === 0) this.#waiters.delete(seq);
  }

  published({ seq, key, state }: Published): void {
    for (const waiter of this.#waiters.get(seq) ?? []) {
      if (waiter.key === key) waiter.onEvent(state);
    }
  }

  finished(seq: number): void {
    for (const waiter of this.#waiters.get(seq) ?? []) waiter.onEvent(null);
  }
}
