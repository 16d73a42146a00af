/** Makes a data directory what the history says it is: a snapshot, the segments behind it, and the payloads they name. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Bucket } from "./bucket.ts";
import { follow, linkOf, readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import { sameBytes } from "./format.ts";
import { blobKey, parseSnapshotKey, SNAPSHOTS, toHex } from "./names.ts";
import { PageFile } from "./page-file.ts";
import { cleanState, newId, syncDirectory, writeReplicaFile } from "./replica-file.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { readSnapshot } from "./snapshot-codec.ts";

const DATABASE_FILE = "holdfast.db";
/** What is being restored; begun anew when it is found at a start. */
const UNFINISHED = "restore.tmp";
const DOWNLOADS_MAX = 8;

export interface RestoreOptions {
  readonly bucket: Bucket;
  readonly directory: string;
  /** Throws where the database is not sound. Returns the payloads that it refers to. */
  readonly inspect: (databaseFile: string) => readonly BlobRef[];
  readonly onProgress?: (bytes: number, what: string) => void;
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
    };

/** The newest state. Throws `DamageError` or `BucketError`; the directory is then as it was. */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { bucket, directory } = options;
  const first = await readSegment(bucket, 1);
  if (first === null) return { kind: "empty" };
  const unfinished = path.join(directory, UNFINISHED);
  fs.rmSync(unfinished, { recursive: true, force: true });
  fs.mkdirSync(path.join(unfinished, "blobs"), { recursive: true, mode: 0o700 });
  try {
    return await new Restoring(options, unfinished).run(first);
  } finally {
    fs.rmSync(unfinished, { recursive: true, force: true });
  }
}

interface Snapshot {
  readonly key: string;
  readonly seq: number;
  readonly epoch: number;
}

class Restoring {
  readonly #options: RestoreOptions;
  readonly #folder: string;
  readonly #file: string;
  #bytes = 0;

  constructor(options: RestoreOptions, folder: string) {
    this.#options = options;
    this.#folder = folder;
    this.#file = path.join(folder, DATABASE_FILE);
  }

  async run(first: Segment): Promise<Restored> {
    const snapshots = await this.#snapshots();
    let damage: DamageError | null = null;
    for (const snapshot of snapshots.toReversed()) {
      try {
        const at = await this.#begin(snapshot);
        if (at !== null) return await this.#goOn(snapshot, at);
      } catch (error) {
        if (!(error instanceof DamageError)) throw error;
        // An older one and more segments lead to the same state.
        damage ??= new DamageError(`${snapshot.key}: ${error.message}`);
      }
    }
    if (damage !== null) throw damage;
    return await this.#without(first);
  }

  /** In the order of their numbers. */
  async #snapshots(): Promise<readonly Snapshot[]> {
    const found: Snapshot[] = [];
    for await (const { key } of this.#options.bucket.list(SNAPSHOTS)) {
      const parsed = parseSnapshotKey(key);
      if (parsed !== null) found.push({ key, ...parsed });
    }
    return found;
  }

  /** No snapshot counts: either nothing was ever committed, or there is no way to it. */
  async #without(first: Segment): Promise<Restored> {
    for await (const { head, content } of follow(this.#options.bucket, linkOf(first))) {
      if (content.kind !== "claim")
        throw new DamageError(`no snapshot leads to segment ${head.seq}`);
    }
    return { kind: "empty" };
  }

  /** Writes the snapshot, when it counts. Null when not. */
  async #begin({ key, seq, epoch }: Snapshot): Promise<Segment | null> {
    const { bucket } = this.#options;
    const segment = await readSegment(bucket, seq);
    if (segment === null || segment.head.epoch !== epoch) return null;
    const chunks = await bucket.read(key);
    if (chunks === null) return null;
    fs.rmSync(this.#file, { force: true });
    const pages = PageFile.open(this.#file);
    try {
      const read = await readSnapshot(this.#counted(chunks, key), (number, bytes) =>
        pages.write(number, bytes),
      );
      const { head, hash } = read;
      const isNamed =
        segment.content.kind === "base"
          ? sameBytes(segment.content.snapshotHash, hash)
          : sameBytes(head.segmentHash, segment.hash);
      return isNamed && head.seq === seq && head.epoch === epoch ? segment : null;
    } finally {
      pages.close();
    }
  }

  /** The segments behind. */
  async #goOn(snapshot: Snapshot, from: Segment): Promise<Restored> {
    const pages = PageFile.open(this.#file);
    let last = from;
    let segments = 0;
    try {
      for await (const segment of follow(this.#options.bucket, linkOf(from))) {
        const { seq } = segment.head;
        // Its snapshot would have come first, if it were there.
        if (segment.content.kind === "base")
          throw new DamageError(`the snapshot of base segment ${seq} is missing`);
        if (segment.content.kind === "delta") {
          pages.applyDelta(segment.content);
          this.#progress(segment.content.body.length, `segment ${seq}`);
        }
        last = segment;
        segments += 1;
      }
      pages.sync();
    } finally {
      pages.close();
    }
    const refs = this.#options.inspect(this.#file);
    await this.#fetchBlobs([...refs]);
    this.#place(last);
    const { seq, timeMs } = last.head;
    const facts = {
      seq,
      timeMs,
      snapshotSeq: snapshot.seq,
      segments,
      blobs: refs.length,
      bytes: this.#bytes,
    };
    return { kind: "restored", ...facts };
  }

  async #fetchBlobs(left: BlobRef[]): Promise<void> {
    const lane = async (): Promise<void> => {
      for (let ref = left.pop(); ref !== undefined; ref = left.pop()) await this.#fetchBlob(ref);
    };
    await Promise.all(Array.from({ length: DOWNLOADS_MAX }, lane));
  }

  async #fetchBlob(ref: BlobRef): Promise<void> {
    const bytes = await this.#options.bucket.get(blobKey(ref));
    const name = toHex(ref.hash);
    if (bytes === null) throw new DamageError(`the payload ${blobKey(ref)} is missing`);
    if (createHash("sha256").update(bytes).digest("hex") !== name)
      throw new DamageError(`the payload ${blobKey(ref)} is damaged`);
    const folder = path.join(this.#folder, "blobs", name.slice(0, 2));
    fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const fd = fs.openSync(path.join(folder, name), "w", 0o600);
    try {
      fs.writeFileSync(fd, bytes);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    this.#progress(bytes.length, "payloads");
  }

  /** The database last: a directory without one is restored anew. */
  #place(last: Segment): void {
    const { directory } = this.#options;
    const blobs = path.join(this.#folder, "blobs");
    for (const name of fs.readdirSync(blobs)) syncDirectory(path.join(blobs, name));
    syncDirectory(blobs);
    fs.rmSync(path.join(directory, "blobs"), { recursive: true, force: true });
    fs.renameSync(blobs, path.join(directory, "blobs"));
    const { replicaId, epoch, seq } = last.head;
    writeReplicaFile(directory, {
      replicaId,
      writerId: newId(),
      epoch,
      shippedSeq: seq,
      restart: null,
      clean: cleanState(this.#file, seq),
    });
    fs.renameSync(this.#file, path.join(directory, DATABASE_FILE));
    syncDirectory(directory);
  }

  async *#counted(chunks: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#progress(chunk.length, what);
      yield chunk;
    }
  }

  #progress(bytes: number, what: string): void {
    this.#bytes += bytes;
    this.#options.onProgress?.(this.#bytes, what);
  }
}
