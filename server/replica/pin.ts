/**
 * Holds the state of the database at one commit, by a read transaction of SQLite, while commits and checkpoints go on.
 *
 * While a reader stands at frame n of the log, checkpoints copy no frame behind n, and the log does not start over: the newest
 * pages are in the frames up to n, and all others in the database file, which keeps them. A reader that finds the whole log in the
 * database instead keeps checkpoints from writing to that file: then all pages are there, and the log may start over.
 */
import type BetterSqlite3 from "better-sqlite3";
import type { Database, Statement } from "better-sqlite3";
import { NO_LOG } from "./pages-of-wal.ts";
import type { WalPosition } from "./segment.ts";
import { WalFile } from "./wal-file.ts";

/** A commit between two looks makes a try void. */
const TRIES_MAX = 500;
const PAUSE_MS = 1;
const BUSY_TIMEOUT_MS = 5000;

export interface PinnedState {
  readonly position: WalPosition;
  /** Null where there is no log that says so: then it stands in the database's header. */
  readonly databasePages: number | null;
  /** All of its pages are in the database file. */
  readonly isInDatabase: boolean;
}

type Progress = [busy: number, frames: number, checkpointed: number];

export class Pin {
  readonly #file: string;
  readonly #watcher: Database;
  readonly #reader: Database;
  readonly #progress: Statement<[], Progress>;
  readonly #touch: Statement;

  constructor(file: string, Driver: typeof BetterSqlite3) {
    this.#file = file;
    this.#watcher = new Driver(file, { fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    // As the last connection it could neither checkpoint nor remove the log.
    this.#reader = new Driver(file, {
      fileMustExist: true,
      readonly: true,
      timeout: BUSY_TIMEOUT_MS,
    });
    this.#watcher.exec("PRAGMA wal_autocheckpoint = 0");
    this.#progress = this.#watcher.prepare<[], Progress>("PRAGMA wal_checkpoint(NOOP)").raw();
    this.#touch = this.#reader.prepare("SELECT rootpage FROM sqlite_schema LIMIT 1");
  }

  take(): PinnedState {
    if (this.#reader.inTransaction) throw new Error("a state is pinned already");
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const pinned = this.#try();
      if (pinned !== null) return pinned;
      this.release();
      pause();
    }
    throw new Error("no state could be pinned between two commits");
  }

  release(): void {
    if (this.#reader.inTransaction) this.#reader.exec("ROLLBACK");
  }

  close(): void {
    this.release();
    this.#watcher.close();
    this.#reader.close();
  }

  /** Null when a commit, or the end of a checkpoint, came between. */
  #try(): PinnedState | null {
    const saltsBefore = this.#salts();
    const [, frames, checkpointed] = this.#look();
    this.#reader.exec("BEGIN");
    this.#touch.get();
    const [, framesAfter, checkpointedAfter] = this.#look();
    if (framesAfter !== frames) return null;
    if (frames === 0) return { position: NO_LOG, databasePages: null, isInDatabase: true };
    const commit = WalFile.with(this.#file, (wal) => wal?.commitAt(frames) ?? null);
    if (commit === null) return null;
    if (`${commit.position.salt1} ${commit.position.salt2}` !== saltsBefore) return null;
    if (checkpointed === frames) return { ...commit, isInDatabase: true };
    return checkpointedAfter < frames ? { ...commit, isInDatabase: false } : null;
  }

  #look(): Progress {
    return this.#progress.get() ?? [0, 0, 0];
  }

  #salts(): string {
    const header = WalFile.with(this.#file, (wal) => wal?.header() ?? null);
    return header === null ? "" : `${header.salt1} ${header.salt2}`;
  }
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}
