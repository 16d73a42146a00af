/**
 * Makes a data directory what the history says it is: a snapshot, the segments behind it, and the payloads they name. All of it is
 * made and verified in a folder of its own.
 */
import fs from "node:fs";
import { rfc3339 } from "../base/rfc3339.ts";
import type { Bucket } from "./bucket.ts";
import { readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import type { Comparison, HeldReport, HistoryMoment } from "./held-file.ts";
import { type Materialised, materialise } from "./materialise.ts";
import { Meter, type ReadSoFar } from "./meter.ts";
import { RestoreFolder } from "./restore-folder.ts";
import type { PastPoint } from "./restore-point.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { type SuccessionOptions, succeed } from "./succession.ts";

interface CommonOptions {
  readonly bucket: Bucket;
  /** Without a database; held by this process. */
  readonly directory: string;
  /** Throws where the database is not sound. Returns the payloads that it refers to. */
  readonly inspect: (databaseFile: string) => readonly BlobRef[];
  readonly onProgress?: (soFar: ReadSoFar) => void;
}

export type RestoreOptions = CommonOptions & (LatestOptions | PastOptions);

interface LatestOptions {
  readonly point: { readonly kind: "latest" };
  readonly compare?: undefined;
  /** Become the writer of the history, too: whoever writes it now may go on until the very end of the restore. */
  readonly succession?: SuccessionOptions;
}

interface PastOptions {
  readonly point: PastPoint;
  /** What the latest state knows and the restored one does not. Neither file is open. */
  readonly compare: (restoredFile: string, latestFile: string) => Comparison;
}

/** `seq`: the state after this segment. `bytes`: read from the bucket. */
export type Restored =
  | { readonly kind: "empty" }
  | {
      readonly kind: "restored";
      readonly seq: number;
      readonly timeMs: number;
      readonly snapshotSeq: number;
      readonly segments: number;
      readonly blobs: number;
      readonly bytes: number;
      /** Snapshots that would have been nearer, with what is wrong with them. */
      readonly damages: readonly string[];
      /** Null: it is the latest state, and nothing is held. */
      readonly held: HeldReport | null;
    };

/** Throws `RestoreError`, `DamageError` or `BucketError`; the directory is then as it was. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { bucket, directory } = options;
  if (options.point.kind === "latest" && (await readSegment(bucket, 1)) === null)
    return { kind: "empty" };
  const folder = RestoreFolder.make(directory);
  try {
    return await new Restoring(options, folder).run();
  } finally {
    folder.remove();
  }
}

class Restoring {
  readonly #options: RestoreOptions;
  readonly #folder: RestoreFolder;
  readonly #meter: Meter;
  #blobs = 0;

  constructor(options: RestoreOptions, folder: RestoreFolder) {
    this.#options = options;
    this.#folder = folder;
    this.#meter = new Meter(options.onProgress);
  }

  async run(): Promise<Restored> {
    const { bucket, point } = this.#options;
    const { file } = this.#folder;
    const made = await materialise({ bucket, file, point, meter: this.#meter });
    if (made === null) return { kind: "empty" };
    await this.#complete();
    const held = await this.#report(made);
    const { last, epoch } = await this.#end(made);
    this.#folder.place(last, epoch, held);
    const { seq, timeMs } = last.head;
    const { snapshotSeq, segments, damages } = made;
    const facts = { seq, timeMs, snapshotSeq, segments, damages, held };
    return { kind: "restored", ...facts, blobs: this.#blobs, bytes: this.#meter.bytes };
  }

  /** Looks at the database as SQLite does, and brings what it refers to. */
  async #complete(): Promise<void> {
    const refs = this.#options.inspect(this.#folder.file);
    this.#blobs = refs.length;
    await this.#folder.download(this.#options.bucket, refs, this.#meter);
  }

  /** Where the history goes on from. Epoch 0: whatever follows is another server's. */
  async #end({ last }: Materialised): Promise<{ readonly last: Segment; readonly epoch: number }> {
    const options = this.#options;
    if (options.compare !== undefined || options.succession === undefined)
      return { last, epoch: 0 };
    const { file, writerId } = this.#folder;
    const state = { file, last, meter: this.#meter };
    const writer = { ...options.succession, writerId };
    const { claim, isAdvanced } = await succeed(options.bucket, state, writer);
    if (isAdvanced) await this.#complete();
    return { last: claim, epoch: claim.head.epoch };
  }

  /** Compares with the latest state, as far as that can be had. Null: it is the latest. */
  async #report({ isNewest, last }: Materialised): Promise<HeldReport | null> {
    const options = this.#options;
    if (isNewest || options.compare === undefined) return null;
    const restoredTo = momentOf(last);
    const file = this.#folder.fileBeside("latest.db");
    const { bucket, compare } = options;
    const request = { bucket, file, point: { kind: "latest" }, meter: this.#meter } as const;
    try {
      const latest = await materialise({ ...request, isTolerant: true });
      if (latest === null) throw new DamageError("there is no state any more");
      const [problem = null] = latest.damages;
      const compared = comparedBy(() => compare(this.#folder.file, file));
      return { restoredTo, latest: momentOf(latest.last), problem, ...compared };
    } catch (error) {
      // A damaged end is what such a restore is for.
      if (!(error instanceof DamageError)) throw error;
      const nothing = { invocations: [], total: 0, unknownCount: 0 };
      return { restoredTo, latest: null, problem: error.message, ...nothing };
    } finally {
      fs.rmSync(file, { force: true });
    }
  }
}

/** A latest state that SQLite cannot read is a reason to restore an earlier one. Throws `DamageError`. */
function comparedBy(compare: () => Comparison): Comparison {
  try {
    return compare();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new DamageError(`the latest state cannot be compared: ${why}`);
  }
}

function momentOf({ head }: Segment): HistoryMoment {
  return { seq: head.seq, atIso: rfc3339(head.timeMs) };
}
