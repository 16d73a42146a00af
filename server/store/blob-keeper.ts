/**
 * What becomes of large values after the commit: what a replica has to know, and the removal of those that nothing refers to. With a
 * replica that is the replica's decision, since restore points may need them; without one they go as soon as it is durable that
 * nothing refers to them.
 */
import { StorageError } from "../base/storage-error.ts";
import type { BarrierDone } from "./barrier.ts";
import type { BlobRow, CountedBlobRow } from "./blob-rows.ts";
import type { Blobs } from "./blobs.ts";

/** So many in one transaction: well below a millisecond. */
const FORGOTTEN_AT_ONCE = 64;

export interface BlobKeeperOptions {
  readonly blobs: Blobs;
  /** Forgets rows in a transaction of its own; returns those that it did forget. */
  readonly forget: (rows: readonly BlobRow[]) => readonly BlobRow[];
  readonly barrier: (done: BarrierDone) => void;
}

export class BlobKeeper {
  readonly #options: BlobKeeperOptions;
  #new: BlobRow[] = [];
  #isReplicated = false;
  #isCollecting = false;
  #isClosed = false;
  /** Something may be left from before the start. */
  #isUnreferenced = true;

  constructor(options: BlobKeeperOptions) {
    this.#options = options;
  }

  /** From now on somebody takes what is new, and says what is to be forgotten. */
  replicate(): void {
    this.#isReplicated = true;
  }

  /** After every commit. */
  committed(): void {
    const { blobs } = this.#options;
    const { stored, isUnreferenced } = blobs.committed();
    if (this.#isReplicated) {
      if (stored.length > 0) this.#new.push(...stored);
      return;
    }
    if (isUnreferenced) this.#isUnreferenced = true;
    if (!this.#isUnreferenced || this.#isCollecting || blobs.isEmpty) return;
    this.#isCollecting = true;
    this.#options.barrier(this.#collect);
  }

  takeNewBlobs(): BlobRow[] {
    const taken = this.#new;
    this.#new = [];
    return taken;
  }

  allBlobs(after: BlobRow | null, limit: number): CountedBlobRow[] {
    return this.#options.blobs.rows.all(after, limit);
  }

  knowsBlob({ hash, id }: Pick<BlobRow, "hash" | "id">): boolean {
    return this.#options.blobs.rows.knows(hash, id);
  }

  blobFile(hash: Uint8Array): string {
    return this.#options.blobs.files.file(hash);
  }

  unreferencedBlobs(beforeMs: number, limit: number): BlobRow[] {
    return this.#options.blobs.rows.unreferenced(beforeMs, limit);
  }

  /** Removes rows at once and files once that is durable, unless something refers to them again. */
  forgetBlobs(refs: readonly BlobRow[]): void {
    const { blobs, forget, barrier } = this.#options;
    const forgotten = forget(refs).map(({ hash }) => hash);
    if (forgotten.length === 0) return;
    barrier((error) => {
      if (error !== null || this.#isClosed) return;
      blobs.files.remove(forgotten, (hash) => blobs.rows.has(hash));
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#options.blobs.files.close();
  }

  readonly #collect = (error: Error | null): void => {
    if (error !== null || this.#isClosed || this.#isReplicated) return;
    this.#isUnreferenced = false;
    try {
      const rows = this.unreferencedBlobs(Number.MAX_SAFE_INTEGER, FORGOTTEN_AT_ONCE);
      if (rows.length > 0) {
        this.#isUnreferenced = true;
        this.forgetBlobs(rows);
      }
    } catch (failure) {
      // The store has failed, and says so to whoever asks it next.
      if (failure instanceof StorageError) return;
      throw failure;
    }
    if (!this.#isUnreferenced) this.#isCollecting = false;
    // Not within one turn: a barrier without a sync passes in a microtask.
    else setImmediate(() => this.#options.barrier(this.#collect));
  };
}
