/** Requests that wait for the result of an invocation. Only those: an invocation nobody waits for occupies nothing here. */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { EventWaiters } from "./event-waiters.ts";
import type { Finished, Published } from "../machine/effect.ts";
import type { Waiters } from "../processor/ports.ts";

export type Waiter = (outcome: Outcome) => void;

export class ResultWaiters implements Waiters {
  /** Nearly always one for each invocation; a set only where there are more. */
  readonly #waiters = new Map<number, Waiter | Set<Waiter>>();
  readonly events = new EventWaiters();
  #size = 0;

  get size(): number {
    return this.#size + this.events.size;
  }

  /** Called once when the invocation finishes, unless removed before. */
  add(seq: number, waiter: Waiter): void {
    const present = this.#waiters.get(seq);
    if (present === undefined) this.#waiters.set(seq, waiter);
    else if (present instanceof Set) present.add(waiter);
    else this.#waiters.set(seq, new Set([present, waiter]));
    this.#size += 1;
  }

  /** Nothing happens when it is not there any more. */
  remove(seq: number, waiter: Waiter): void {
    const present = this.#waiters.get(seq);
    if (present === waiter) {
      this.#waiters.delete(seq);
      this.#size -= 1;
    } else if (present instanceof Set && present.delete(waiter)) {
      if (present.size === 0) this.#waiters.delete(seq);
      this.#size -= 1;
    }
  }

  published(effect: Published): void {
    this.events.published(effect);
  }

  finished(effect: Finished): void {
    this.events.finished(effect.seq);
    const present = this.#waiters.get(effect.seq);
    if (present === undefined) return;
    this.#waiters.delete(effect.seq);
    if (present instanceof Set) {
      this.#size -= present.size;
      for (const waiter of present) waiter(effect.outcome);
    } else {
      this.#size -= 1;
      present(effect.outcome);
    }
  }
}
