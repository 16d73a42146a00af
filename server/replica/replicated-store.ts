/**
 * The store under durability `bucket`: what was committed is durable once its segment is accepted, too. The disk comes first, so that
 * further batches commit while segments are under way.
 */
import type { TransactOptions } from "../base/deferred.ts";
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";

/** Of a replicator. */
export interface Shipping {
  readonly isShipped: boolean;
  /** Calls back once the commits so far are accepted; in the order of the calls. */
  whenShipped(done: (error: Error | null) => void): void;
}

export class ReplicatedStore implements Store {
  readonly #store: Store;
  readonly #shipping: Shipping;

  constructor(store: Store, shipping: Shipping) {
    this.#store = store;
    this.#shipping = shipping;
  }

  get commitGate(): Promise<void> | null {
    return this.#store.commitGate;
  }

  get isDurable(): boolean {
    return this.#store.isDurable && this.#shipping.isShipped;
  }

  transact<T>(fn: (tx: Transactor) => T, options?: TransactOptions): T {
    return this.#store.transact(fn, options);
  }

  read<T>(fn: (reader: Reader) => T): T {
    return this.#store.read(fn);
  }

  /** The segment is asked for at once, so that it is cut as soon as the disk is done. */
  barrier(done: (error: Error | null) => void, synced?: () => void): void {
    let failure: Error | null = null;
    let left = 2;
    const one = (error: Error | null): void => {
      failure ??= error;
      left -= 1;
      if (left === 0) done(failure);
    };
    this.#store.barrier((error) => {
      synced?.();
      one(error);
    });
    this.#shipping.whenShipped(one);
  }
}
