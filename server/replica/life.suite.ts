/**
 * Servers that write one replica one after another, without the servers: a store, attached and shipping, which restarts, is killed,
 * or loses its machine. What the database was after each commit is known, page by page.
 */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { silentLog } from "../base/log.ts";
import { afterTimeout } from "../base/timer.ts";
import { inspectRestored } from "../store/restored-database.ts";
import { openSqliteStore, type SqliteStore } from "../store/sqlite-store.ts";
import { attach } from "./attach.ts";
import { BucketWatch } from "./bucket-watch.ts";
import type { MemoryBucket } from "./memory-bucket.ts";
import { Replicator, type ReplicatorOptions } from "./replicator.ts";
import { restore } from "./restore.ts";
import { RetryingBucket } from "./retrying-bucket.ts";
import type { WalPosition } from "./segment.ts";
import type { Source } from "./source.ts";
import { WalFile } from "./wal-file.ts";
import { WalThread } from "./wal-thread.ts";
import { Wire } from "./wire.suite.ts";

const SNAPSHOT_INTERVAL_MS = 1_000_000_000;
/** Tries wait for no longer than this. */
const RETRY_MS_MAX = 20;
const STOP_MS_MAX = 5000;
const BLOB_THRESHOLD_BYTES = 2500;
export const DATABASE = "holdfast.db";

/** What the database was, by where its log was. */
export class Images {
  readonly #images = new Map<string, Uint8Array>();

  note(store: SqliteStore, reader: Database.Database): void {
    const { frames } = store.head();
    if (frames === 0) return;
    const commit = WalFile.with(store.file, (wal) => wal?.commitAt(frames) ?? null);
    if (commit !== null) this.#images.set(keyOf(commit.position), reader.serialize());
  }

  at(position: WalPosition): Uint8Array {
    return this.#images.get(keyOf(position)) ?? assert.fail(`no commit ends at ${keyOf(position)}`);
  }
}

const keyOf = ({ salt1, salt2, frame, checksum1, checksum2 }: WalPosition): string =>
  [salt1, salt2, frame, checksum1, checksum2].join("-");

export interface Surroundings {
  readonly bucket: MemoryBucket;
  readonly images: Images;
  readonly directory: () => string;
  readonly nowMs: () => number;
  readonly walBytesMax: number;
  readonly replication: Pick<
    ReplicatorOptions,
    "isEager" | "segmentBytes" | "snapshotSegments" | "unshippedBytesMax" | "retention"
  >;
}

export class Life {
  readonly #around: Surroundings;
  readonly where: string;
  readonly wire: Wire;
  readonly store: SqliteStore;
  readonly #reader: Database.Database;
  readonly replicator: Replicator;
  /** Of the attachment. */
  readonly start: WalPosition | "start" | "base";
  /** Events of the log. */
  readonly events: string[];
  readonly #snapshot: () => void;
  /** What would have ended the process. */
  readonly failures: readonly unknown[];

  private constructor(around: Surroundings, where: string, parts: Parts) {
    this.#around = around;
    this.where = where;
    this.wire = parts.wire;
    this.store = parts.store;
    this.#reader = parts.reader;
    this.replicator = parts.replicator;
    this.start = parts.start;
    this.events = parts.events;
    this.#snapshot = parts.snapshot;
    this.failures = parts.failures;
  }

  /** On a directory that is empty or holds what a life before left there. */
  static async begin(around: Surroundings, where: string, rollBack = false): Promise<Life> {
    const { nowMs, replication, images, walBytesMax } = around;
    const wire = new Wire(around.bucket);
    const after = (ms: number, fn: () => void) => afterTimeout(Math.min(ms, RETRY_MS_MAX), fn);
    const random = (): number => 0.5;
    const bucket = new RetryingBucket(wire, { attemptsMax: null, after, random });
    const pause = (): Promise<void> => delay(1);
    const host = path.basename(where);
    if (!fs.existsSync(path.join(where, DATABASE))) {
      await restore({
        bucket,
        directory: where,
        inspect: inspectRestored,
        point: { kind: "latest" },
        succession: { host, nowMs, pause },
      });
    }
    const store = openSqliteStore(where, {
      durability: "none",
      walBytesMax,
      keepWal: true,
      blobThresholdBytes: BLOB_THRESHOLD_BYTES,
      nowMs,
    });
    const reader = new Database(store.file, { readonly: true });
    const pages = new WalThread(store);
    images.note(store, reader);
    const source: Source = {
      file: store.file,
      databaseFd: store.databaseFd,
      head: () => store.head(),
      barrier: (done) => store.barrier(done),
      onCommit: (fn) =>
        store.onCommit(() => {
          images.note(store, reader);
          fn();
        }),
      replicate: (replicated) => store.replicate(replicated),
    };
    const options = { bucket, directory: where, databaseFile: store.file, host, rollBack };
    const attachment = await attach({ ...options, nowMs, pause }, (position) =>
      pages.locate(position),
    ).catch(async (error: unknown) => {
      await pages.close();
      reader.close();
      await store.close({ keepWal: true });
      throw error;
    });
    const events: string[] = [];
    const failures: unknown[] = [];
    const noted = (event: string): void => void events.push(event);
    const log = { ...silentLog, info: noted, warn: noted, error: noted };
    let snapshot = (): void => {};
    const replicator = new Replicator({
      ...replication,
      bucket,
      watch: new BucketWatch(silentLog, nowMs),
      attachment,
      source,
      pages,
      blobs: store.blobs,
      directory: where,
      segmentIntervalMs: 2,
      snapshotIntervalMs: SNAPSHOT_INTERVAL_MS,
      after: (ms, fn) => {
        if (ms === STOP_MS_MAX) return afterTimeout(ms, fn);
        if (ms !== SNAPSHOT_INTERVAL_MS) return after(ms, fn);
        snapshot = fn;
        return () => {};
      },
      nowMs,
      monotonicMs: () => performance.now(),
      random,
      log,
      onPut: () => {},
      onFenced: (error) => failures.push(error),
      onFatal: (error) => failures.push(error),
    });
    await replicator.recover();
    bucket.insist();
    wire.failsForGood = true;
    replicator.start();
    const { start } = attachment;
    return new Life(around, where, {
      wire,
      store,
      reader,
      replicator,
      start,
      events,
      failures,
      snapshot: () => snapshot(),
    });
  }

  assertSound(): void {
    const [failure] = this.failures;
    if (failure !== undefined) throw failure;
  }

  /** Everything committed so far is accepted. */
  async shipped(): Promise<void> {
    const shipped = new Promise<void>((resolve, reject) => {
      this.replicator.whenShipped((error) => (error === null ? resolve() : reject(error)));
    });
    await this.#within(shipped, "it ships");
    this.assertSound();
  }

  /** When commits may go on. */
  async gate(): Promise<void> {
    const { commitGate } = this.store;
    if (commitGate !== null) await this.#within(commitGate, "commits may go on");
  }

  async #within(promise: Promise<void>, what: string): Promise<void> {
    const deadline = new AbortController();
    const late = delay(STOP_MS_MAX, undefined, { signal: deadline.signal }).then(() => {
      this.assertSound();
      return assert.fail(`not within ${STOP_MS_MAX} ms: ${what}`);
    });
    await Promise.race([promise, late]).finally(() => {
      late.catch(() => {});
      deadline.abort();
    });
  }

  /** A restore point and a sweep, as far as they come within a moment. */
  async snapshot(): Promise<void> {
    const { length } = this.events;
    this.#snapshot();
    for (let turn = 0; turn < 500; turn += 1) {
      if (this.events.includes("snapshot", length)) break;
      await delay(1);
    }
    await delay(5);
    this.assertSound();
  }

  /** Ships all and closes; the directory can be begun on again. */
  async stop(): Promise<void> {
    const isShipped = await this.replicator.stop(STOP_MS_MAX);
    this.assertSound();
    assert.ok(isShipped, "all is shipped");
    this.#reader.close();
    await this.store.close();
    this.replicator.noteClean();
    this.assertSound();
  }

  /** The process is gone. Returns a directory with what was on the disk. */
  async kill(): Promise<string> {
    this.assertSound();
    this.wire.cut();
    const into = this.#around.directory();
    fs.cpSync(this.where, into, { recursive: true, filter: (file) => !/-shm$|\.lock/.test(file) });
    await this.end();
    return into;
  }

  /** Closes it as it is; the directory can be begun on again. */
  async end(): Promise<void> {
    await this.replicator.stop(0);
    this.#reader.close();
    await this.store.close({ keepWal: true });
  }
}

interface Parts extends Pick<
  Life,
  "wire" | "store" | "replicator" | "start" | "events" | "failures"
> {
  readonly reader: Database.Database;
  readonly snapshot: () => void;
}
