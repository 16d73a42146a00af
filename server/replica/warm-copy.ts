/** A copy of the newest state that a standby keeps, ready to become a data directory. */
import { patiently } from "./attach.ts";
import { advance, type ImageState } from "./advance.ts";
import type { Bucket } from "./bucket.ts";
import type { BucketError } from "./bucket-error.ts";
import { follow, linkOf } from "./chain.ts";
import { claim } from "./claim.ts";
import { DamageError } from "./damage-error.ts";
import { sameBytes } from "./format.ts";
import { materialise } from "./materialise.ts";
import { Meter } from "./meter.ts";
import { RestoreFolder } from "./restore-folder.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { followWhole } from "./whole-history.ts";

/** After so many payloads those that are needed no more are removed. */
const BLOBS_MAX = 1000;

export interface WarmCopyOptions {
  /** Patient: tries again for as long as it takes. */
  readonly bucket: Bucket;
  /** Held by this process, and without a database. */
  readonly directory: string;
  /** Throws where the database is not sound. Returns the payloads that it refers to. */
  readonly inspect: (databaseFile: string) => readonly BlobRef[];
  /** The same without a look at the rest. */
  readonly payloadsOf: (databaseFile: string) => readonly BlobRef[];
}

export interface Claimant {
  /** The machine, for people. */
  readonly host: string;
  readonly nowMs: () => number;
  /** Between two tries of what failed and may pass. */
  readonly pause: (error: BucketError) => Promise<void>;
}

export class WarmCopy {
  readonly #options: WarmCopyOptions;
  readonly #folder: RestoreFolder;
  readonly #state: ImageState;
  /** Since the last look at which are needed. */
  #blobs = 0;

  private constructor(options: WarmCopyOptions, folder: RestoreFolder, state: ImageState) {
    this.#options = options;
    this.#folder = folder;
    this.#state = state;
  }

  /** Null: the history has no state yet. Throws `DamageError` or `BucketError`. */
  static async make(options: WarmCopyOptions): Promise<WarmCopy | null> {
    const { bucket, directory, inspect } = options;
    const folder = RestoreFolder.make(directory);
    const meter = new Meter();
    try {
      const { file } = folder;
      const made = await materialise({ bucket, file, point: { kind: "latest" }, meter });
      if (made !== null) {
        await folder.download(bucket, inspect(file), meter);
        return new WarmCopy(options, folder, { file, last: made.last, meter });
      }
    } catch (error) {
      folder.remove();
      throw error;
    }
    folder.remove();
    return null;
  }

  /** It is the state after this segment. */
  get last(): Segment {
    return this.#state.last;
  }

  /** A claim of its own is the last segment: its answer was lost, and the history told. */
  get isClaimed(): boolean {
    return sameBytes(this.last.head.writerId, this.#folder.writerId);
  }

  /**
   * Takes what the history went on with; returns how many segments. `isThorough`: finds out, by a list, whether the end is one that a
   * missing segment makes. Throws `DamageError` or `BucketError`.
   */
  async follow(bucket: Bucket, isThorough: boolean): Promise<number> {
    const link = linkOf(this.last);
    const segments = (isThorough ? followWhole : follow)(bucket, link, 1);
    const added = await advance(bucket, this.#state, segments);
    if (added.isReplaced) this.#options.inspect(this.#folder.file);
    this.#blobs += added.blobs.length;
    await this.#fetch(bucket, added.blobs);
    if (this.#blobs >= BLOBS_MAX) this.#forget();
    return added.segments;
  }

  /** All that the state needs is here, and nothing else. Throws `DamageError` where a payload is missing. */
  async complete(bucket: Bucket): Promise<void> {
    await this.#folder.download(bucket, this.#forget(), this.#state.meter);
  }

  /** Tried once; null: the history has gone on, or somebody was first. */
  async claim(bucket: Bucket, { host, nowMs, pause }: Claimant): Promise<Segment | null> {
    const { replicaId } = this.last.head;
    const { writerId } = this.#folder;
    const identity = { replicaId, writerId, host };
    const request = { tail: this.last, identity, nowMs: nowMs() };
    const claimed = await patiently(() => claim(bucket, request), pause);
    return claimed.kind === "claimed" ? claimed.segment : null;
  }

  /** Becomes the data directory of the claim's writer. */
  place(claimed: Segment): void {
    this.#folder.place(claimed, claimed.head.epoch, null);
    this.#folder.remove();
  }

  remove(): void {
    this.#folder.remove();
  }

  /** Ahead of time: what is missing here is looked for again when it is needed. */
  async #fetch(bucket: Bucket, blobs: readonly BlobRef[]): Promise<void> {
    try {
      await this.#folder.download(bucket, blobs, this.#state.meter);
    } catch (error) {
      // The database may need it no more.
      if (!(error instanceof DamageError)) throw error;
    }
  }

  /** Removes payloads that the state does not need; returns those that it does. */
  #forget(): readonly BlobRef[] {
    const needed = this.#options.payloadsOf(this.#folder.file);
    this.#folder.keepOnly(needed);
    this.#blobs = 0;
    return needed;
  }
}
