/**
 * Opens the database of a data directory: locked, in WAL mode, at the newest schema, and durable as it stands.
 *
 * Everything a start reads back may be acted upon at once, so what a killed process left in the page cache alone is made
 * durable here, before anybody reads it.
 */
import fs from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { ask } from "./ask.ts";
import {
  DATABASE_FILE,
  directoryError,
  type DirectoryLock,
  holdDirectory,
  syncPath,
} from "./data-directory.ts";
import { DataDirectoryError } from "./data-directory-error.ts";
import { migrate } from "./migrate.ts";

/** `disk`: a barrier is an fdatasync. `none`: nothing is synced, for tests and throw-away development. */
export type StoreDurability = "disk" | "none";

export interface OpenOptions {
  /** On the directory, held already; released on close, or when opening fails. Default: one is taken. */
  readonly lock?: DirectoryLock;
  /** The write-ahead log goes on where it is, for somebody who copies it; else it is emptied. */
  readonly keepWal?: boolean;
}

export interface OpenDatabase {
  readonly db: Database.Database;
  /** Of the write-ahead log. */
  readonly walFd: number;
  /** Of the database file; must stay open as long as `db`: closing it would release the locks of SQLite on the file. */
  readonly databaseFd: number;
  readonly lock: DirectoryLock;
}

const CACHE_KIB = 32 * 1024;
/** After a flood the file of the log is cut back to this. */
const WAL_FILE_BYTES_MAX = 64 * 1024 * 1024;
/** How long a commit waits for a foreign program that holds the write lock, such as a `sqlite3` shell. */
const BUSY_TIMEOUT_MS = 5000;

export function openDatabase(
  directory: string,
  durability: StoreDurability,
  options: OpenOptions = {},
): OpenDatabase {
  const lock = options.lock ?? holdDirectory(directory);
  const file = path.join(directory, DATABASE_FILE);
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    configure(db, durability);
    migrate(db);
    if (options.keepWal !== true) db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const walFd = fs.openSync(`${file}-wal`, "r+");
    const databaseFd = fs.openSync(file, "r+");
    if (durability === "disk") {
      // What is in the log alone: all of it, or what a foreign reader kept from being copied.
      fs.fdatasyncSync(walFd);
      syncPath(directory);
    }
    return { db, walFd, databaseFd, lock };
  } catch (error) {
    if (db !== undefined) close(db, options.keepWal === true);
    lock.release();
    throw directoryError(file, error);
  }
}

function configure(db: Database.Database, durability: StoreDurability): void {
  db.exec("PRAGMA page_size = 4096");
  const mode = ask(db, "PRAGMA journal_mode = WAL");
  if (mode !== "wal") {
    throw new DataDirectoryError(
      `${db.name}: the file system has no shared memory for a write-ahead log: use a local disk`,
    );
  }
  // NORMAL: no sync at a commit, which the barrier makes up for, but one of the log's header when the log starts over.
  db.exec(`PRAGMA synchronous = ${durability === "disk" ? "NORMAL" : "OFF"}`);
  db.exec("PRAGMA wal_autocheckpoint = 0");
  db.exec(`PRAGMA journal_size_limit = ${WAL_FILE_BYTES_MAX}`);
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  db.exec("PRAGMA temp_store = MEMORY");
  db.exec("PRAGMA foreign_keys = OFF");
  // No memory map: an I/O error would come as a signal that kills the process, not as an error that says so.
  db.exec("PRAGMA mmap_size = 0");
}

/** The last connection copies the log into the database and removes it, unless it only reads. */
function close(db: Database.Database, keepWal: boolean): void {
  let keeper: Database.Database | undefined;
  try {
    if (keepWal) {
      keeper = new Database(db.name, { readonly: true });
      ask(keeper, "SELECT count(*) FROM sqlite_schema");
    }
  } catch {
    // It cannot be read: then nothing is copied, either.
  }
  try {
    db.close();
  } finally {
    keeper?.close();
  }
}

/** In this order: whoever opens the directory next finds no descriptor of ours. */
export function closeDatabase(
  { db, walFd, databaseFd, lock }: OpenDatabase,
  keepWal = false,
): void {
  try {
    close(db, keepWal);
  } finally {
    fs.closeSync(walFd);
    fs.closeSync(databaseFd);
    lock.release();
  }
}
