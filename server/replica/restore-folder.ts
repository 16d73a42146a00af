/**
 * Where a state is made, in a folder of its own, before it becomes that of the data directory. The database moves last, so that a
 * directory without one is begun anew.
 */
import fs from "node:fs";
import path from "node:path";
import { downloadBlobs } from "./blob-download.ts";
import type { Bucket } from "./bucket.ts";
import { type HeldReport, removeHeldFile, writeHeldFile } from "./held-file.ts";
import type { Meter } from "./meter.ts";
import { toHex } from "./names.ts";
import { cleanState, newId, syncDirectory, writeReplicaFile } from "./replica-file.ts";
import type { BlobRef, Segment } from "./segment.ts";

export const DATABASE_FILE = "holdfast.db";
const BLOBS = "blobs";
/** What is being restored; begun anew when it is found at a start. */
const UNFINISHED = "restore.tmp";

export class RestoreFolder {
  /** The database that is being made. */
  readonly file: string;
  /** Of the data directory to be. */
  readonly writerId = newId();
  readonly #directory: string;
  readonly #folder: string;

  private constructor(directory: string, folder: string) {
    this.#directory = directory;
    this.#folder = folder;
    this.file = path.join(folder, DATABASE_FILE);
  }

  /** Empty, in a data directory that is held by this process. */
  static make(directory: string): RestoreFolder {
    const folder = path.join(directory, UNFINISHED);
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(path.join(folder, BLOBS), { recursive: true, mode: 0o700 });
    return new RestoreFolder(directory, folder);
  }

  /** For another database beside that one. */
  fileBeside(name: string): string {
    return path.join(this.#folder, name);
  }

  /** What is there already is left. */
  async download(bucket: Bucket, refs: readonly BlobRef[], meter: Meter): Promise<void> {
    await downloadBlobs(bucket, refs, path.join(this.#folder, BLOBS), meter);
  }

  /** Removes payloads that are not among these. */
  keepOnly(refs: readonly BlobRef[]): void {
    const kept = new Set(refs.map(({ hash }) => toHex(hash)));
    const blobs = path.join(this.#folder, BLOBS);
    for (const part of fs.readdirSync(blobs)) {
      for (const name of fs.readdirSync(path.join(blobs, part))) {
        if (!kept.has(name)) fs.rmSync(path.join(blobs, part, name), { force: true });
      }
    }
  }

  /** The state is that after `last`, and becomes the directory's. Epoch 0: whatever follows is another server's. */
  place(last: Segment, epoch: number, held: HeldReport | null): void {
    const directory = this.#directory;
    const blobs = path.join(this.#folder, BLOBS);
    for (const name of fs.readdirSync(blobs)) syncDirectory(path.join(blobs, name));
    syncDirectory(blobs);
    fs.rmSync(path.join(directory, BLOBS), { recursive: true, force: true });
    fs.renameSync(blobs, path.join(directory, BLOBS));
    if (held === null) removeHeldFile(directory);
    else writeHeldFile(directory, held);
    const { replicaId, seq } = last.head;
    writeReplicaFile(directory, {
      replicaId,
      writerId: this.writerId,
      epoch,
      // Retention may delete the restored segment before anybody rolls back to it.
      shippedSeq: held?.latest?.seq ?? seq,
      restart: null,
      clean: cleanState(this.file, seq),
      rolledBack: held !== null,
    });
    // What another database left would be taken for the log of this one.
    for (const end of ["-wal", "-shm"])
      fs.rmSync(path.join(directory, DATABASE_FILE + end), { force: true });
    // All the above is on the disk before the database can be.
    syncDirectory(directory);
    fs.renameSync(this.file, path.join(directory, DATABASE_FILE));
    syncDirectory(directory);
  }

  remove(): void {
    fs.rmSync(this.#folder, { recursive: true, force: true });
  }
}
