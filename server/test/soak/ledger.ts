/** What callers were told, and when: what no crash may take back. */

/** - placed: the call was accepted; paid: the signal was accepted; done: the result was handed out */
export type Promised = "placed" | "paid" | "done";

export interface Lost {
  readonly orderId: string;
  readonly what: Promised;
  /** From the acknowledgement to the moment the server's memory of it was lost. */
  readonly ageMs: number;
}

/** What a journal knows of an order. */
export interface OrderState {
  readonly isPaid: boolean;
  readonly isDone: boolean;
}

export class Ledger {
  readonly #acknowledged = new Map<string, Map<Promised, number>>();
  /** Rises when a machine is lost and so may be what was acknowledged: callers go through their orders again. */
  era = 0;
  /** Promises that were broken, in words. */
  readonly broken: string[] = [];

  get orders(): number {
    return this.#acknowledged.size;
  }

  acknowledge(orderId: string, what: Promised): void {
    const mine = this.#acknowledged.get(orderId) ?? new Map<Promised, number>();
    this.#acknowledged.set(orderId, mine);
    if (!mine.has(what)) mine.set(what, Date.now());
  }

  acknowledgedAtMs(orderId: string, what: Promised): number | null {
    return this.#acknowledged.get(orderId)?.get(what) ?? null;
  }

  /** What was acknowledged before the end and is not in the journal. */
  lost(journal: ReadonlyMap<string, OrderState>, endMs: number): Lost[] {
    const found: Lost[] = [];
    for (const [orderId, mine] of this.#acknowledged) {
      const state = journal.get(orderId);
      for (const [what, atMs] of mine) {
        if (atMs > endMs || isKnown(state, what)) continue;
        found.push({ orderId, what, ageMs: endMs - atMs });
      }
    }
    return found;
  }

  /** Whoever was told so will be told anew. */
  forget(lost: readonly Lost[]): void {
    for (const { orderId, what } of lost) this.#acknowledged.get(orderId)?.delete(what);
  }

  breach(text: string): void {
    this.broken.push(`${new Date().toISOString()} ${text}`);
  }
}

function isKnown(state: OrderState | undefined, what: Promised): boolean {
  if (state === undefined) return false;
  return what === "placed" || (what === "paid" ? state.isPaid : state.isDone);
}
