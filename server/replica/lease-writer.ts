/** Keeps the lease of a writer alive. What fails is tried again at the next beat: the writer goes on either way. */
import type { WriterIdentity } from "./attachment.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { encodeLease, leaseOf } from "./lease.ts";
import { leaseKey } from "./names.ts";

/** So many beats come within a lease. */
const BEATS = 3;
const UNDER_WAY_MAX = 3;

export interface LeaseWriterOptions {
  /** Tries once: a beat that comes late is worth less than the next one. */
  readonly bucket: Pick<Bucket, "put" | "delete">;
  readonly leaseMs: number;
  readonly after: (ms: number, fn: () => void) => () => void;
  /** A defect: what the bucket cannot do is said by whoever watches it. */
  readonly onDefect: (error: unknown) => void;
}

type Holder = Omit<WriterIdentity, "replicaId">;

export class LeaseWriter {
  readonly #options: LeaseWriterOptions;
  #holder: Holder | null = null;
  #acceptedSeq: () => number = () => 0;
  #beat = 0;
  #cancel: (() => void) | null = null;
  /** A connection that hangs does not hold up the next beat: any of them is a sign of life, in whatever order they arrive. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: LeaseWriterOptions) {
    this.#options = options;
  }

  /** Its claim stands. Resolves when the first beat was tried. */
  async hold(holder: Holder, acceptedSeq: () => number): Promise<void> {
    this.release();
    this.#holder = holder;
    this.#acceptedSeq = acceptedSeq;
    this.#arm();
    await this.#beats(false);
    // That of the writer before: nobody looks at it any more.
    await this.#tried(() => this.#options.bucket.delete([leaseKey(holder.epoch - 1)]));
  }

  /** No more beats: it lapses. */
  release(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#holder = null;
  }

  /** All is shipped: a standby need not wait for the lapse. Tried once, for so long at most. */
  async end(timeoutMs: number): Promise<void> {
    if (this.#holder === null) return;
    this.#cancel?.();
    const ended = this.#lastBeat();
    await new Promise<void>((resolve) => {
      const cancel = this.#options.after(timeoutMs, resolve);
      void ended.finally(() => {
        cancel();
        resolve();
      });
    });
    this.release();
  }

  async #lastBeat(): Promise<void> {
    const before = [...this.#underWay];
    await this.#beats(true);
    if (before.length === 0) return;
    // One of them may have come after it.
    await Promise.all(before);
    await this.#beats(true);
  }

  #arm(): void {
    this.#cancel = this.#options.after(this.#options.leaseMs / BEATS, () => {
      this.#arm();
      if (this.#underWay.size < UNDER_WAY_MAX) void this.#beats(false);
    });
  }

  #beats(ended: boolean): Promise<void> {
    const holder = this.#holder;
    if (holder === null) return Promise.resolve();
    const { bucket, leaseMs } = this.#options;
    this.#beat += 1;
    const state = { leaseMs, beat: this.#beat, segment: this.#acceptedSeq(), ended };
    const bytes = encodeLease(leaseOf(holder, state));
    const put = this.#tried(() => bucket.put(leaseKey(holder.epoch), bytes));
    this.#underWay.add(put);
    return put.finally(() => this.#underWay.delete(put));
  }

  async #tried(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(error instanceof BucketError)) this.#options.onDefect(error);
    }
  }
}
