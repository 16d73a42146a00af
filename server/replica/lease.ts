/** The writer's sign of life: `docs/spec/replica.md` section 5. It decides nothing: a claim does. */
import type { WriterIdentity } from "./attachment.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { leaseKey, toHex } from "./names.ts";

export interface LeaseKeeperOptions {
  readonly bucket: Bucket;
  readonly identity: WriterIdentity;
  readonly ttlMs: number;
  readonly after: (ms: number, fn: () => void) => () => void;
  readonly onTrouble: (error: BucketError) => void;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #intervalMs: number;
  #count = 0;
  /** A segment was accepted since the last renewal: it is as good a sign. */
  #isSeen = false;
  #isBusy = false;
  #closed = false;
  #cancel: () => void = () => {};

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#intervalMs = Math.max(1, Math.floor(options.ttlMs / 3));
  }

  start(): void {
    this.#renew();
    this.#arm();
  }

  accepted(): void {
    this.#isSeen = true;
  }

  close(): void {
    this.#closed = true;
    this.#cancel();
  }

  #arm(): void {
    this.#cancel = this.#options.after(this.#intervalMs, () => {
      if (!this.#isSeen && !this.#isBusy) this.#renew();
      this.#isSeen = false;
      this.#arm();
    });
  }

  #renew(): void {
    const { bucket, identity, ttlMs, onTrouble } = this.#options;
    this.#isBusy = true;
    this.#count += 1;
    const lease = {
      epoch: identity.epoch,
      writer: toHex(identity.writerId),
      host: identity.host,
      count: this.#count,
      intervalMs: this.#intervalMs,
      ttlMs,
    };
    bucket
      .put(leaseKey(identity.epoch), new TextEncoder().encode(JSON.stringify(lease)))
      .catch((error: unknown) => {
        if (this.#closed) return;
        if (error instanceof BucketError) return onTrouble(error);
        throw error;
      })
      .finally(() => (this.#isBusy = false));
  }
}
