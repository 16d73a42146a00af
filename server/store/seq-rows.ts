/**
 * Hands out seqs: rising, and no two invocations ever get the same. They are reserved in blocks, so that an insert seldom
 * writes the counter; what a process leaves of its block stays unused.
 */
import type { Database, Statement } from "better-sqlite3";
import { present } from "../base/assert.ts";

export const SEQ_BLOCK = 4096;

export class SeqRows {
  readonly #reserve: Statement<[], number>;
  #next = 0;
  /** The first seq behind the reserved block. */
  #end = 0;
  #nextBefore = 0;
  #endBefore = 0;

  constructor(db: Database) {
    this.#reserve = db
      .prepare<[], number>(
        `UPDATE meta SET value = value + ${SEQ_BLOCK} WHERE key = 'next_seq' RETURNING value`,
      )
      .pluck();
  }

  begin(): void {
    this.#nextBefore = this.#next;
    this.#endBefore = this.#end;
  }

  /** Inside a transaction. */
  next(): number {
    if (this.#next === this.#end) {
      this.#end = present(this.#reserve.get(), "the counter next_seq");
      this.#next = this.#end - SEQ_BLOCK;
    }
    return this.#next++;
  }

  /** The transaction is undone, and with it a reservation it made. */
  rolledBack(): void {
    this.#next = this.#nextBefore;
    this.#end = this.#endBefore;
  }
}
