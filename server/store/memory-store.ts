/**
 * The store over Maps: for tests and the simulation. It keeps to the letter of what the SQLite store does, also where that is
 * unforgiving: an invocation that was changed and not saved is found unchanged, and bytes given to it are copied.
 *
 * Nothing is durable; a barrier passes at once.
 */
import { assert } from "../base/assert.ts";
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { MemoryReader } from "./memory-reader.ts";
import { emptyTables } from "./memory-tables.ts";
import { MemoryTransactor } from "./memory-transactor.ts";
import { isPromiseLike } from "./promise-like.ts";

export class MemoryStore implements Store {
  readonly #tables = emptyTables();
  #inTransaction = false;
  #closed = false;

  /** Nothing is ever checkpointed here. */
  readonly commitGate: Promise<void> | null = null;
  /** A barrier passes at once. */
  readonly isDurable = true;

  transact<T>(fn: (tx: Transactor) => T): T {
    this.#assertUsable();
    this.#inTransaction = true;
    const tx = new MemoryTransactor(this.#tables);
    try {
      const value = fn(tx);
      assert(!isPromiseLike(value), "a transaction is synchronous");
      tx.commit();
      return value;
    } catch (error) {
      tx.rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  read<T>(fn: (reader: Reader) => T): T {
    this.#assertUsable();
    return fn(new MemoryReader(this.#tables));
  }

  barrier(done: (error: Error | null) => void): void {
    assert(!this.#closed, "the store is closed");
    queueMicrotask(() => done(null));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertUsable(): void {
    assert(!this.#closed, "the store is closed");
    assert(!this.#inTransaction, "a transaction neither nests nor is read around");
  }
}
