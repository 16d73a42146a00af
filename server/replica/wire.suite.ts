/** A server's way to its bucket: it is slow, it fails, and it ends with the server; what is under way then may arrive much later. */
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";

export class Wire implements Bucket {
  readonly url = "memory:";
  readonly #bucket: Bucket;
  readonly #late: (() => Promise<unknown>)[] = [];
  #isCut = false;
  /** So many operations fail next; every other one after it was done. */
  failures = 0;
  /** Now and then in a way that does not pass by itself. */
  failsForGood = false;
  /** Turns of the event loop that each operation takes. */
  turns = 0;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** Nothing is answered any more. */
  cut(): void {
    this.#isCut = true;
  }

  /** What was under way when it was cut arrives now. */
  async arriveLate(): Promise<void> {
    for (const run of this.#late.splice(0)) await run();
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#over(() => this.#bucket.get(key));
  }

  read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    return this.#over(() => this.#bucket.read(key));
  }

  putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return this.#over(() => this.#bucket.putNew(key, bytes), true);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#over(() => this.#bucket.put(key, bytes), true);
  }

  putFile(key: string, file: string): Promise<void> {
    // The file may be gone when a cut-off upload arrives: such an upload never ends.
    return this.#over(() => this.#bucket.putFile(key, file));
  }

  async *list(prefix: string, after?: string): AsyncGenerator<ObjectInfo> {
    yield* await this.#over(async () => this.#bucket.list(prefix, after));
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#over(() => this.#bucket.delete(keys));
  }

  close(): void {}

  async #over<T>(run: () => Promise<T>, mayBeLate = false): Promise<T> {
    for (let turn = 0; turn < this.turns; turn += 1) {
      if (this.#isCut) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#isCut) {
      if (mayBeLate) this.#late.push(run);
      return new Promise(() => {});
    }
    if (this.failures === 0) return run();
    this.failures -= 1;
    if (this.failures % 2 === 1) await run();
    throw new BucketError(
      this.failures % 3 === 0 && this.failsForGood ? "denied" : "unavailable",
      "planted",
    );
  }
}
