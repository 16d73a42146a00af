/** Every commit of a simulated history has a number; what it did can be done again, for the machine is deterministic. */
import type { Transactor } from "../machine/tx.ts";

export type Transaction = (tx: Transactor) => unknown;

export class Commits {
  readonly #transactions: Transaction[] = [];

  /** Numbers begin with 1, and no two servers have the same. */
  add(transaction: Transaction): number {
    return this.#transactions.push(transaction);
  }

  /** A commit that changes nothing. */
  nothing(): number {
    return this.add(() => {});
  }

  at(number: number): Transaction {
    const transaction = this.#transactions[number - 1];
    if (transaction === undefined) throw new Error(`there is no commit ${number}`);
    return transaction;
  }
}
