/**
 * The writer of a replica: ships what is committed, stores restore points, deletes what is past its retention, and says how far it is.
 * Once fenced it acknowledges nothing more.
 */
import fs from "node:fs";
import type { Log } from "../base/log.ts";
import { Appender } from "./appender.ts";
import type { Attachment } from "./attachment.ts";
import type { BlobSource } from "./blob-source.ts";
import { BlobUploader } from "./blob-uploader.ts";
import type { Bucket } from "./bucket.ts";
import type { BucketWatch, Trouble } from "./bucket-watch.ts";
import { DamageError } from "./damage-error.ts";
import type { FencedError } from "./fenced-error.ts";
import { cleanState, readReplicaFile, type ReplicaFile, writeReplicaFile } from "./replica-file.ts";
import type { RetentionPolicy } from "./retention.ts";
import type { Shipping } from "./replicated-store.ts";
import type { Segment, WalPosition } from "./segment.ts";
import { WINDOW } from "./segment-codec.ts";
import { Shipper } from "./shipper.ts";
import { Snapshotter } from "./snapshotter.ts";
import type { Source } from "./source.ts";
import { sweep } from "./sweep.ts";
import type { WalThread } from "./wal-thread.ts";

/** Payloads that no row names are looked for this often: they come of deaths alone, and the look lists all payloads. */
const ORPHANS_MS = 24 * 60 * 60 * 1000;

export interface ReplicatorOptions {
  readonly bucket: Bucket;
  readonly watch: BucketWatch;
  readonly attachment: Attachment;
  readonly source: Source;
  /** Of that store; closed with the replicator. */
  readonly pages: Pick<WalThread, "cut" | "pin" | "write" | "release" | "close">;
  readonly blobs: BlobSource;
  readonly directory: string;
  readonly isEager: boolean;
  readonly segmentIntervalMs: number;
  readonly segmentBytes: number;
  readonly snapshotIntervalMs: number;
  readonly snapshotSegments: number;
  readonly unshippedBytesMax: number;
  readonly retention: RetentionPolicy;
  readonly after: (ms: number, fn: () => void) => () => void;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  readonly random: () => number;
  readonly log: Log;
  readonly onPut: (durationMs: number, bytes: number) => void;
  /** Somebody else writes the history: the process must end. */
  readonly onFenced: (error: FencedError) => void;
  /** The replica cannot go on: the process must end. */
  readonly onFatal: (error: unknown) => void;
}

export interface ReplicaStatus {
  readonly url: string;
  readonly epoch: number;
  readonly acceptedSeq: number;
  readonly unshippedBytes: number;
  readonly lagMs: number;
  readonly lastSnapshot: { readonly seq: number; readonly atMs: number } | null;
  readonly trouble: Trouble | null;
}

export class Replicator implements Shipping {
  readonly #options: ReplicatorOptions;
  readonly #appender: Appender;
  readonly #shipper: Shipper;
  readonly #snapshotter: Snapshotter;
  readonly #uploader: BlobUploader;
  #file: ReplicaFile;
  #lastSnapshot: ReplicaStatus["lastSnapshot"] = null;
  /** The newest accepted segment, the claim at first. */
  #acceptedSeq: number;
  #acceptedSinceSnapshot = 0;
  #isSnapshotting = false;
  #orphansDueMs = 0;
  #cancelSnapshot: (() => void) | null = null;
  #closed = false;

  constructor(options: ReplicatorOptions) {
    const { bucket, attachment, source, directory, blobs } = options;
    const file = readReplicaFile(directory);
    if (file === null) throw new Error(`${directory} is not attached to a replica`);
    this.#options = options;
    this.#file = file;
    this.#acceptedSeq = attachment.end.seq - WINDOW;
    this.#uploader = new BlobUploader({
      bucket,
      source: blobs,
      onMissing: ({ hash }) =>
        options.log.error("payload-missing", {
          file: blobs.blobFile(hash),
          meaning: "neither this directory nor the bucket has it: what refers to it cannot go on",
        }),
    });
    this.#appender = this.#makeAppender();
    const { identity } = attachment;
    this.#snapshotter = new Snapshotter({
      ...options,
      appender: this.#appender,
      blobs: this.#uploader,
      replicaId: identity.replicaId,
      epoch: identity.epoch,
    });
    this.#shipper = new Shipper({
      ...options,
      appender: this.#appender,
      start: attachment.start,
      intervalMs: options.segmentIntervalMs,
      uploadNewBlobs: () => this.#uploader.uploadNew(),
      makeBase: (reason) => this.#makeBase(reason),
      noteEnd: (end) => this.#note({ restart: end }),
      onDefect: options.onFatal,
      onLost: (reason) =>
        options.log.warn("replica-continuity-lost", { reason, follows: "a snapshot" }),
    });
    source.replicate({
      // A log that starts over has one more commit: not once the last ones are to be shipped.
      mayStartOver: (done) => this.#shipper.mayStartOver((ok) => done(ok && !this.#closed)),
      commitGate: () => this.#shipper.commitGate,
    });
  }

  /** To be awaited before anything is shipped. */
  recover(): Promise<void> {
    return this.#uploader.recover();
  }

  /** Begins to ship. */
  start(): void {
    this.#shipper.start();
    this.#armSnapshot();
  }

  get isShipped(): boolean {
    return this.#shipper.isShipped;
  }

  whenShipped(done: (error: Error | null) => void): void {
    this.#shipper.whenShipped(done);
  }

  status(): ReplicaStatus {
    return {
      url: this.#options.bucket.url,
      epoch: this.#options.attachment.identity.epoch,
      acceptedSeq: this.#acceptedSeq,
      unshippedBytes: this.#shipper.unshippedBytes,
      lagMs: this.#shipper.lagMs,
      lastSnapshot: this.#lastSnapshot,
      trouble: this.#options.watch.trouble,
    };
  }

  /** Ships what is left, for so long at most. False: something is not in the bucket. */
  async stop(timeoutMs: number): Promise<boolean> {
    this.#closed = true;
    this.#cancelSnapshot?.();
    const isShipped = await this.#shippedWithin(timeoutMs);
    this.#shipper.close();
    this.#appender.close();
    await this.#options.pages.close();
    if (!isShipped) {
      this.#options.log.warn("replica-not-shipped", {
        unshippedBytes: this.#shipper.unshippedBytes,
        meaning: "the next start on this directory ships it",
      });
    }
    return isShipped;
  }

  /** After the store is closed, all of it shipped: the database file alone is the state, unless a foreign reader kept the log. */
  noteClean(): void {
    if (fs.existsSync(`${this.#options.source.file}-wal`)) return;
    const seq = this.#acceptedSeq;
    this.#note({
      shippedSeq: seq,
      clean: cleanState(this.#options.source.file, seq),
      restart: null,
    });
  }

  async #shippedWithin(timeoutMs: number): Promise<boolean> {
    return await new Promise((resolve) => {
      const cancel = this.#options.after(timeoutMs, () => resolve(false));
      this.#shipper.whenShipped((error) => {
        cancel();
        resolve(error === null);
      });
    });
  }

  #makeAppender(): Appender {
    const { bucket, attachment, watch, onPut, after, random, nowMs } = this.#options;
    return new Appender({
      bucket,
      ...attachment,
      after,
      random,
      nowMs,
      onPut,
      onTrouble: (error) => watch.failed(error),
      onAccepted: (segment) => this.#accepted(segment),
      onFenced: (error) => {
        // First: those who wait take their error for that of a medium that failed.
        this.#options.onFenced(error);
        this.#shipper.fail(error);
      },
    });
  }

  #accepted(segment: Segment): void {
    this.#acceptedSeq = segment.head.seq;
    this.#options.watch.answered();
    this.#shipper.accepted(segment);
    this.#acceptedSinceSnapshot += 1;
    if (this.#acceptedSinceSnapshot >= this.#options.snapshotSegments) this.#snapshot();
  }

  #makeBase(reason: string): Promise<{ position: WalPosition; commits: number; seq: number }> {
    this.#options.log.info("replica-base", { reason });
    return this.#snapshotter.makeBase().then((base) => {
      this.#snapshotted(base.seq);
      return base;
    });
  }

  #armSnapshot(): void {
    this.#cancelSnapshot = this.#options.after(this.#options.snapshotIntervalMs, () => {
      this.#armSnapshot();
      this.#snapshot();
    });
  }

  /** A restore point, when anything was shipped since the last. */
  #snapshot(): void {
    if (this.#isSnapshotting || this.#closed || this.#acceptedSinceSnapshot === 0) return;
    this.#isSnapshotting = true;
    this.#takeSnapshot()
      .catch((error: unknown) => {
        if (!this.#closed) this.#options.onFatal(error);
      })
      .finally(() => (this.#isSnapshotting = false));
  }

  async #takeSnapshot(): Promise<void> {
    const { log, monotonicMs } = this.#options;
    const beganMs = monotonicMs();
    const taken = await this.#snapshotter.takeAt(this.#shipper);
    if (taken === null) return;
    this.#snapshotted(taken.seq);
    log.info("snapshot", { ...taken, tookMs: Math.round(monotonicMs() - beganMs) });
    await this.#sweep();
  }

  /** What is damaged in the bucket keeps retention from its work, but not this server from its own. */
  async #sweep(): Promise<void> {
    const { log } = this.#options;
    const nowMs = this.#options.nowMs();
    const findsOrphans = nowMs >= this.#orphansDueMs;
    if (findsOrphans) this.#orphansDueMs = nowMs + ORPHANS_MS;
    const isStillWriter = () => this.#appender.isNewest();
    try {
      const swept = await sweep({ ...this.#options, findsOrphans, isStillWriter });
      const isAnything = swept.snapshots + swept.segments + swept.blobs > 0;
      if (isAnything) log.info("replica-swept", { ...swept });
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      log.error("replica-not-swept", { reason: error.message, do: "run holdfast replica verify" });
    }
  }

  #snapshotted(seq: number): void {
    this.#acceptedSinceSnapshot = 0;
    this.#lastSnapshot = { seq, atMs: this.#options.nowMs() };
    this.#note({ shippedSeq: Math.min(seq, this.#acceptedSeq) });
  }

  #note(change: Partial<ReplicaFile>): void {
    this.#file = { ...this.#file, ...change };
    writeReplicaFile(this.#options.directory, this.#file);
  }
}
