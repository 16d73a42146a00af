/**
 * The durability barrier: tells when what was committed is on the disk.
 *
 * B1 A commit is a write to the WAL; it is durable once an fdatasync of the WAL that began after it has succeeded.
 * B2 One fdatasync at a time, on the thread pool. Whoever asks while one is under way and needs more than it covers waits for
 *    the next, together with all others who do: a slow disk makes larger groups, not a longer queue.
 * B3 Answers come in the order in which they were asked for, never before `wait` has returned.
 * B4 After a failed fdatasync nothing is durable ever again: the kernel may have dropped the pages and report success on a
 *    second try (the fsync of Linux reports an error once).
 */
import type { StorageError } from "../base/storage-error.ts";
import { storageFailure } from "./medium-error.ts";

export type BarrierDone = (error: Error | null) => void;

/** Makes all that was written so far durable, asynchronously. */
export type Sync = (done: BarrierDone) => void;

export class Barrier {
  readonly #sync: Sync;
  readonly #onFailure: (error: StorageError) => void;
  #failure: StorageError | null = null;
  /** Commits so far; those that the sync under way covers; those that are durable. */
  #commits = 0;
  #covered = 0;
  #durable = 0;
  #current: BarrierDone[] = [];
  #next: BarrierDone[] = [];
  #busy = false;

  constructor(sync: Sync, onFailure: (error: StorageError) => void) {
    this.#sync = sync;
    this.#onFailure = onFailure;
  }

  /** Something was committed. */
  committed(): void {
    this.#commits += 1;
  }

  /** Nothing that was committed is still to be made durable. */
  get isDurable(): boolean {
    return this.#durable === this.#commits;
  }

  /** Calls back once everything committed so far is durable, or cannot be made so. Without a sync when it is already. */
  wait(done: BarrierDone): void {
    if (this.#busy && this.#covered === this.#commits) {
      this.#current.push(done);
      return;
    }
    this.#next.push(done);
    if (!this.#busy) this.#start();
  }

  /** All who wait get this error, and all who come later. */
  fail(error: StorageError): void {
    this.#failure ??= error;
    if (!this.#busy) this.#start();
  }

  #start(): void {
    this.#busy = true;
    this.#current = this.#next;
    this.#next = [];
    this.#covered = this.#commits;
    if (this.#failure !== null || this.#durable === this.#commits) {
      queueMicrotask(this.#synced);
    } else {
      this.#sync(this.#synced);
    }
  }

  readonly #synced = (error: Error | null = null): void => {
    if (error !== null && this.#failure === null) {
      this.#failure = storageFailure("the write-ahead log could not be synced", error);
      this.#onFailure(this.#failure);
    }
    if (this.#failure === null) this.#durable = this.#covered;
    // While these are called the barrier counts as busy, so that whoever asks from within one queues up behind the rest.
    for (const done of this.#current) call(done, this.#failure);
    this.#busy = false;
    this.#current = [];
    if (this.#next.length > 0) this.#start();
  };
}

/** A defect of one caller must not keep the others waiting; it surfaces as an uncaught exception. */
function call(done: BarrierDone, error: Error | null): void {
  try {
    done(error);
  } catch (defect) {
    queueMicrotask(() => {
      throw defect;
    });
  }
}
