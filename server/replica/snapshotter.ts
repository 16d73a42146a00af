/** Stores the whole: as a restore point now and then, and as the base of a history that does not follow from what was there. */
import fs from "node:fs";
import path from "node:path";
import type { Appender } from "./appender.ts";
import type { BlobUploader } from "./blob-uploader.ts";
import type { Bucket } from "./bucket.ts";
import { snapshotKey } from "./names.ts";
import type { Appended, Shipper } from "./shipper.ts";
import type { WalPosition } from "./segment.ts";
import { durable, type Source } from "./source.ts";
import type { WalThread } from "./wal-thread.ts";

const FILE = "snapshot.tmp";
const NO_HASH = new Uint8Array(32);

export interface SnapshotterOptions {
  readonly bucket: Bucket;
  readonly source: Source;
  readonly pages: Pick<WalThread, "pin" | "write" | "release">;
  readonly appender: Appender;
  readonly blobs: Pick<BlobUploader, "uploadAll">;
  readonly replicaId: Uint8Array;
  readonly epoch: number;
  readonly directory: string;
  readonly nowMs: () => number;
}

export interface StoredSnapshot {
  readonly seq: number;
  /** Bytes in the bucket. */
  readonly size: number;
}

export class Snapshotter {
  readonly #options: SnapshotterOptions;
  readonly #file: string;
  /** One pin, one file: one after another. */
  #last: Promise<void> = Promise.resolve();
  /** The state after this segment is stored. That of a base must stay as it is: the segment names its hash. */
  #storedSeq = 0;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
    this.#file = path.join(options.directory, FILE);
  }

  /**
   * A restore point: the state after a segment. Null when there is one already, or the log was given up meanwhile: then a base
   * follows by itself.
   */
  async takeAt(shipper: Shipper): Promise<StoredSnapshot | null> {
    const { pages, appender } = this.#options;
    const hold = shipper.hold();
    // Before the state: whatever ends after it, ends later.
    const timeMs = this.#options.nowMs();
    const turns: (() => void)[] = [];
    try {
      let at: Appended | null;
      let written: Written;
      try {
        at = await shipper.cutAt(async () => {
          turns.push(await this.#turn());
          return await pages.pin();
        });
        if (at === null || at.seq === this.#storedSeq) return null;
        written = await this.#write(at.seq, at.hash, timeMs);
        if (hold.isBroken()) return null;
      } finally {
        hold.release();
        if (turns.length > 0) await pages.release();
      }
      await appender.whenAccepted(at.seq);
      await this.#store(at.seq);
      return { seq: at.seq, size: written.size };
    } finally {
      for (const end of turns) end();
    }
  }

  /** For the shipper: everything as it is now, as a base segment. */
  async makeBase(): Promise<{ position: WalPosition; commits: number; seq: number }> {
    const { bucket, source, pages, appender, blobs } = this.#options;
    const end = await this.#turn();
    try {
      // A snapshot that waits for hours to be stored is worth nothing: first the bucket has to answer.
      await bucket.get(snapshotKey(appender.nextSeq, this.#options.epoch));
      const { commits } = source.head();
      const timeMs = this.#options.nowMs();
      let written: Written;
      try {
        await pages.pin();
        await durable(source);
        written = await this.#write(appender.nextSeq, NO_HASH, timeMs);
      } finally {
        await pages.release();
      }
      await blobs.uploadAll();
      // Else a claim may come before what is under way, and the base land in its window: a snapshot that counts, of no history.
      await appender.whenAccepted(appender.nextSeq - 1);
      await this.#store(appender.nextSeq);
      const { position, databasePages, hash, size } = written;
      const base = { kind: "base", databasePages, position, snapshotHash: hash } as const;
      const seq = appender.append({ ...base, snapshotSize: size });
      return { position, commits, seq };
    } finally {
      end();
    }
  }

  #write(seq: number, segmentHash: Uint8Array, timeMs: number): Promise<Written> {
    const { pages, epoch, replicaId } = this.#options;
    const head = { seq, epoch, replicaId, segmentHash, timeMs };
    return pages.write({ file: this.#file, ...head });
  }

  async #store(seq: number): Promise<void> {
    const { bucket, epoch } = this.#options;
    try {
      await bucket.putFile(snapshotKey(seq, epoch), this.#file);
      this.#storedSeq = seq;
    } finally {
      fs.rmSync(this.#file, { force: true });
    }
  }

  /** The shipper's turn comes before this one: whoever has this one waits for nothing that the shipper does. */
  async #turn(): Promise<() => void> {
    const before = this.#last;
    return await new Promise((taken) => {
      this.#last = new Promise((end) => before.then(() => taken(end)));
    });
  }
}

type Written = Awaited<ReturnType<WalThread["write"]>>;
