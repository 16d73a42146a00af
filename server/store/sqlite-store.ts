/**
 * The store over SQLite: one connection, on the thread of the event loop, that alone writes.
 *
 * S1 A commit is a write to the write-ahead log and waits for nothing; `barrier` tells when it is on the disk.
 * S2 After a failure of the medium the store refuses everything: what is on the disk is unknown.
 * S3 Between transactions memory and database say the same.
 * S4 Large values lie in files beside the database, which are on the disk before the commit that names them (`blob-files.ts`).
 */
import fs from "node:fs";
import path from "node:path";
import type { Statement } from "better-sqlite3";
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { Deferred, type TransactOptions } from "../base/deferred.ts";
import type { StorageError } from "../base/storage-error.ts";
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { Barrier, type BarrierDone, type Sync } from "./barrier.ts";
import { type BlobDisk, NO_DISK, REAL_DISK } from "./blob-disk.ts";
import { BlobFiles } from "./blob-files.ts";
import { BlobKeeper } from "./blob-keeper.ts";
import { BlobRows } from "./blob-rows.ts";
import { Blobs } from "./blobs.ts";
import { type Passes, WorkerPasses } from "./checkpoint-worker.ts";
import { Checkpointer } from "./checkpointer.ts";
import { mediumFailure } from "./medium-error.ts";
import {
  closeDatabase,
  type OpenDatabase,
  openDatabase,
  type OpenOptions,
  type StoreDurability,
} from "./open.ts";
import { isPromiseLike } from "./promise-like.ts";
import { prepareTables } from "./tables.ts";
import { UnitOfWork } from "./unit-of-work.ts";
import { type WalHead, type WalReplication, WalShare } from "./wal-share.ts";

export interface SqliteStoreOptions extends OpenOptions {
  readonly durability: StoreDurability;
  /** The length of the write-ahead log from which on it is checkpointed. */
  readonly walBytesMax?: number;
  /** Syncs the data of a file. Default `fs.fdatasync`. */
  readonly fdatasync?: (fd: number, done: BarrierDone) => void;
  /** Runs the checkpoints. Default a thread. */
  readonly passes?: Passes;
  /** Values of this length and longer lie in files beside the database. Default 256 KiB. */
  readonly blobThresholdBytes?: number;
  /** Syncs those files, where durability is `disk`. Default the disk. */
  readonly blobDisk?: BlobDisk;
  /** For when a value lost its last reference. Default the clock. */
  readonly nowMs?: () => number;
}

/** Long enough that its pages are copied seldom, short enough that a start reads it back in a moment. */
const WAL_BYTES_MAX_DEFAULT = 16 * 1024 * 1024;
/** A page of 4096 bytes and its header. */
const WAL_FRAME_BYTES = 4120;
/** So large that a file of its own costs less than the pages, so small that segments of the replica stay so. */
const BLOB_THRESHOLD_BYTES_DEFAULT = 256 * 1024;

/** The store of a data directory. Throws `DataDirectoryError` where that cannot be used, `DataDirectoryLocked` where it is. */
export function openSqliteStore(directory: string, options: SqliteStoreOptions): SqliteStore {
  return new SqliteStore(openDatabase(directory, options.durability, options), options);
}

type WalState = [busy: number, frames: number, checkpointed: number];

export class SqliteStore implements Store {
  /** The path of the database, for those who read it on a connection of their own. */
  readonly file: string;
  /** Large values, for a replica. */
  readonly blobs: BlobKeeper;
  /** The write-ahead log, for a replica. */
  readonly #wal: WalShare;
  readonly #blobFiles: BlobFiles;
  readonly #database: OpenDatabase;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #walState: Statement<[], WalState>;
  readonly #work: UnitOfWork;
  readonly #reader: Reader;
  readonly #barrier: Barrier;
  readonly #checkpointer: Checkpointer;
  readonly #durable: boolean;
  #failure: StorageError | null = null;
  #closed = false;
  #inTransaction = false;

  constructor(database: OpenDatabase, options: SqliteStoreOptions) {
    const { durability, fdatasync = fs.fdatasync } = options;
    this.#database = database;
    const { db, walFd, databaseFd } = database;
    this.file = db.name;
    this.#durable = durability === "disk";
    this.#begin = db.prepare("BEGIN IMMEDIATE");
    this.#commit = db.prepare("COMMIT");
    this.#rollback = db.prepare("ROLLBACK");
    this.#walState = db.prepare<[], WalState>("PRAGMA wal_checkpoint(NOOP)").raw();
    this.#blobFiles = new BlobFiles(
      path.dirname(db.name),
      this.#durable ? (options.blobDisk ?? REAL_DISK) : NO_DISK,
    );
    const blobs = new Blobs({
      rows: new BlobRows(db),
      files: this.#blobFiles,
      thresholdBytes: options.blobThresholdBytes ?? BLOB_THRESHOLD_BYTES_DEFAULT,
      nowMs: options.nowMs ?? (() => systemClock.nowMs()),
    });
    this.#blobFiles.sweep((hash) => blobs.rows.has(hash));
    this.#work = new UnitOfWork(prepareTables(db, blobs));
    this.#reader = this.#work.committedState();
    const sync =
      (fd: number): Sync =>
      (done) =>
        this.#durable ? fdatasync(fd, done) : done(null);
    this.#barrier = new Barrier(sync(walFd), this.#fail);
    this.#checkpointer = new Checkpointer({
      passes: options.passes ?? new WorkerPasses(db.name, this.#durable),
      frames: () => this.#walProgress().frames,
      framesMax: Math.ceil((options.walBytesMax ?? WAL_BYTES_MAX_DEFAULT) / WAL_FRAME_BYTES),
      syncDatabase: sync(databaseFd),
      onFailure: this.#fail,
      awaitsCopier: options.keepWal === true,
    });
    this.#wal = new WalShare({
      database,
      checkpointer: this.#checkpointer,
      progress: () => this.#walProgress(),
      committed: () => {
        this.#committed();
        this.#wal.tell();
      },
    });
    this.blobs = new BlobKeeper({
      blobs,
      forget: (rows) => this.#run((work) => work.forgetBlobs(rows)),
      barrier: (done) => this.#barrier.wait(done),
    });
  }

  /**
   * Not null while a checkpoint wants no commit between it and the end of the log; resolves when commits may go on. The writer
   * awaits it before its next transaction. A transaction that comes all the same is correct, but lets the log grow. With a replica
   * also while that is too far behind.
   */
  get commitGate(): Promise<void> | null {
    return this.#wal.commitGate;
  }

  /** Of the database file, for reading, until the store is closed. */
  get databaseFd(): number {
    return this.#database.databaseFd;
  }

  /** Not within a transaction. */
  head(): WalHead {
    return this.#wal.head();
  }

  /** `fn` is called after every commit and must not throw. Once. */
  onCommit(fn: () => void): void {
    this.#wal.onCommit(fn);
  }

  /** From now on the log starts over only when the replica says so. Once, where it was opened with `keepWal`. */
  replicate(replication: WalReplication): void {
    this.#assertUsable();
    try {
      this.#wal.replicate(replication);
      this.blobs.replicate();
    } catch (error) {
      throw this.#judge(error);
    }
  }

  get isDurable(): boolean {
    return this.#barrier.isDurable;
  }

  /** Large values are written and synced before the commit: on this thread, unless `mayDefer`. */
  transact<T>(fn: (tx: Transactor) => T, options?: TransactOptions): T {
    return this.#run(fn, options?.mayDefer === true);
  }

  #run<T>(fn: (work: UnitOfWork) => T, mayDefer = false): T {
    this.#assertUsable();
    this.#inTransaction = true;
    let value: T;
    let wrote: boolean;
    try {
      this.#work.begin();
      this.#begin.run();
      value = fn(this.#work);
      assert(!isPromiseLike(value), "a transaction is synchronous");
      wrote = this.#work.flush();
      if (mayDefer && this.#blobFiles.hasPending) throw this.#deferred();
      this.#blobFiles.write();
      this.#commit.run();
    } catch (error) {
      throw this.#abort(error);
    } finally {
      this.#inTransaction = false;
    }
    this.#work.committed();
    if (wrote) this.#committed();
    this.blobs.committed();
    if (wrote) this.#wal.tell();
    return value;
  }

  #deferred(): Deferred {
    const until = this.#blobFiles.writeAhead().catch((error: unknown) => {
      throw this.#judge(error);
    });
    // Whoever awaits it gets the error all the same.
    until.catch(() => {});
    return new Deferred(until);
  }

  read<T>(fn: (reader: Reader) => T): T {
    this.#assertUsable();
    try {
      return fn(this.#reader);
    } catch (error) {
      throw this.#judge(error);
    }
  }

  /** Calls back after it has returned, in the order of the calls. Without a sync when everything is durable already. */
  barrier(done: BarrierDone): void {
    assert(!this.#closed, "the store is closed");
    this.#barrier.wait(done);
  }

  /**
   * Waits for what is under way; what was committed is durable after it. The lock on the directory goes last. The write-ahead log is
   * copied into the database and removed, unless `keepWal`, for a replica that has not got all of it.
   */
  async close({ keepWal = false }: { readonly keepWal?: boolean } = {}): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const removed = this.blobs.close();
    await new Promise<void>((resolve) => this.#barrier.wait(() => resolve()));
    await removed;
    await this.#checkpointer.close();
    this.#wal.close();
    closeDatabase(this.#database, keepWal);
  }

  #committed(): void {
    if (this.#durable) this.#barrier.committed();
    this.#wal.committed();
    this.#checkpointer.committed();
  }

  #walProgress(): { frames: number; checkpointed: number } {
    const [, frames, checkpointed] = this.#walState.get() ?? [0, 0, 0];
    return { frames, checkpointed };
  }

  #assertUsable(): void {
    if (this.#failure !== null) throw this.#failure;
    assert(!this.#closed, "the store is closed");
    assert(!this.#inTransaction, "a transaction neither nests nor is read around");
  }

  /** Undoes what the transaction did, on disk and in memory. Returns the error to throw. */
  #abort(error: unknown): unknown {
    const judged = this.#judge(error);
    try {
      if (this.#database.db.inTransaction) this.#rollback.run();
    } catch (rollbackError) {
      return this.#judge(rollbackError);
    } finally {
      this.#work.rolledBack();
    }
    return judged;
  }

  #judge(error: unknown): unknown {
    const failure = mediumFailure(error);
    if (failure === undefined) return error;
    this.#fail(failure);
    return failure;
  }

  readonly #fail = (error: StorageError): void => {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#barrier.fail(error);
  };
}
