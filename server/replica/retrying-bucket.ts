/**
 * A bucket whose passing failures are tried again, with growing and spread delays. All but `putNew`, whose caller has to look first
 * whether it happened, and downloads that have begun.
 */
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { retryDelayMs } from "./retry-delay.ts";

const DELAY_MS_MAX = 10_000;

export interface RetryOptions {
  /** The first try included; null: for ever. */
  readonly attemptsMax: number | null;
  readonly after: (ms: number, fn: () => void) => () => void;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Told of each failure, passing or not. */
  readonly onTrouble?: (error: BucketError) => void;
  /** Told of each success. */
  readonly onAnswer?: () => void;
}

export class RetryingBucket implements Bucket {
  readonly #bucket: Bucket;
  readonly #options: RetryOptions;
  readonly #wakes = new Set<() => void>();
  #insists = false;
  #closed = false;

  constructor(bucket: Bucket, options: RetryOptions) {
    this.#bucket = bucket;
    this.#options = options;
  }

  /** From now on also what somebody has to act on is tried again: a server that runs goes on meanwhile, and says what is wrong. */
  insist(): void {
    this.#insists = true;
  }

  get url(): string {
    return this.#bucket.url;
  }

  get(key: string): Promise<Uint8Array | null> {
    return this.#retried(() => this.#bucket.get(key));
  }

  read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    return this.#retried(() => this.#bucket.read(key));
  }

  putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return this.#bucket.putNew(key, bytes);
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#retried(() => this.#bucket.put(key, bytes));
  }

  putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void> {
    return this.#retried(() => this.#bucket.putFile(key, file, onProgress));
  }

  /** What was yielded is not yielded again: a retry goes on behind it. */
  async *list(prefix: string, after?: string): AsyncGenerator<ObjectInfo> {
    let last = after;
    for (let attempt = 1; ; attempt += 1) {
      try {
        for await (const each of this.#bucket.list(prefix, last)) {
          last = each.key;
          attempt = 1;
          yield each;
        }
        this.#options.onAnswer?.();
        return;
      } catch (error) {
        await this.#failed(error, attempt);
      }
    }
  }

  delete(keys: readonly string[]): Promise<void> {
    return this.#retried(() => this.#bucket.delete(keys));
  }

  close(): void {
    this.#closed = true;
    for (const wake of this.#wakes) wake();
    this.#bucket.close();
  }

  async #retried<T>(run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const result = await run();
        this.#options.onAnswer?.();
        return result;
      } catch (error) {
        await this.#failed(error, attempt);
      }
    }
  }

  /** Returns when it is time for the next attempt. Throws where there is to be none. */
  async #failed(error: unknown, attempt: number): Promise<void> {
    if (!(error instanceof BucketError) || this.#closed) throw error;
    this.#options.onTrouble?.(error);
    const isLast = attempt >= (this.#options.attemptsMax ?? Number.POSITIVE_INFINITY);
    if ((!error.isTransient && !this.#insists) || isLast) throw error;
    await this.#pause(attempt);
    if (this.#closed) throw error;
  }

  #pause(attempt: number): Promise<void> {
    const ms = retryDelayMs(attempt - 1, DELAY_MS_MAX, this.#options.random());
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        this.#wakes.delete(wake);
        resolve();
      };
      const cancel = this.#options.after(ms, wake);
      this.#wakes.add(wake);
    });
  }
}
