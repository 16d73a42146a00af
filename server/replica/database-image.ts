/** A database that is made out of a snapshot and segments: a file that no SQLite has open meanwhile. */
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { DamageError } from "./damage-error.ts";
import { sameBytes } from "./format.ts";
import type { Meter } from "./meter.ts";
import { snapshotKey } from "./names.ts";
import { PageFile } from "./page-file.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { type ReadSnapshot, readSnapshot } from "./snapshot-codec.ts";

/** A download that breaks off begins anew this often. */
const DOWNLOADS_MAX = 5;

type OnPages = (firstPage: number, pages: Uint8Array) => void;

export class DatabaseImage {
  readonly #pages: PageFile;

  /** Goes on from what the file holds; it is made where it is missing. */
  constructor(file: string) {
    this.#pages = PageFile.open(file);
  }

  /** Becomes the state after `segment`. False: there is no such snapshot. Throws `DamageError`; the image is then void. */
  async load(bucket: Bucket, segment: Segment, meter: Meter): Promise<boolean> {
    const begin = (): OnPages => {
      this.#pages.truncate(0);
      return (first, pages) => this.#pages.write(first, pages);
    };
    return (await readSnapshotOf(bucket, segment, meter, begin)) !== null;
  }

  /**
   * From the state before `segment` to the one after it, where that follows from it; a base has to be loaded. Returns the payloads
   * that came with it. Throws `DamageError`.
   */
  apply({ head, content }: Segment): readonly BlobRef[] {
    if (content.kind !== "delta") return [];
    try {
      return this.#pages.applyDelta(content);
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      throw new DamageError(`segment ${head.seq}: ${error.message}`);
    }
  }

  /** Durable when it returns. */
  close(): void {
    try {
      this.#pages.sync();
    } finally {
      this.#pages.close();
    }
  }
}

/**
 * Reads the snapshot of the state after `segment`; null where there is none. `begin` is called before each try, and what it returns
 * is told the pages as they come. Throws `DamageError` where it is damaged, or is one of another segment.
 */
export async function readSnapshotOf(
  bucket: Bucket,
  segment: Segment,
  meter: Meter,
  begin: () => OnPages,
): Promise<ReadSnapshot | null> {
  const { seq, epoch } = segment.head;
  const key = snapshotKey(seq, epoch);
  for (let download = 1; ; download += 1) {
    try {
      const chunks = await bucket.read(key);
      if (chunks === null) return null;
      const read = await readSnapshot(meter.counted(chunks, "snapshot"), begin());
      if (!isOf(read, segment)) throw new DamageError(`it is not the state after segment ${seq}`);
      return read;
    } catch (error) {
      if (error instanceof DamageError) throw new DamageError(`${key}: ${error.message}`);
      const passes = error instanceof BucketError && error.isTransient;
      if (!passes || download === DOWNLOADS_MAX) throw error;
    }
  }
}

/** One of the two names the hash of the other. */
function isOf({ head, hash }: ReadSnapshot, segment: Segment): boolean {
  if (head.seq !== segment.head.seq || head.epoch !== segment.head.epoch) return false;
  if (segment.content.kind === "base") return sameBytes(segment.content.snapshotHash, hash);
  return sameBytes(head.segmentHash, segment.hash);
}
