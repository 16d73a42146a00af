/** A transaction is to be run again once `until` resolves; nothing of it is stored. `until` rejects with a `StorageError`. */
export class Deferred extends Error {
  override readonly name = "Deferred";
  readonly until: Promise<void>;

  constructor(until: Promise<void>) {
    super("the transaction is to be run again, when its large values are on the disk");
    this.until = until;
  }
}

export interface TransactOptions {
  /** The caller can wait: where the transaction stores large values it throws `Deferred`, while they are written off this thread. */
  readonly mayDefer: boolean;
}
