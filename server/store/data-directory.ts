/** The directory of a store: made, checked, locked for one process, and itself durable. */
import fs from "node:fs";
import path from "node:path";
import Database from "better-sqlite3";
import { DataDirectoryError, DataDirectoryLocked } from "./data-directory-error.ts";
import { sqliteCode } from "./medium-error.ts";

export const DATABASE_FILE = "holdfast.db";
export const LOCK_FILE = "holdfast.lock";

/** Only the owner may look in: payloads are in the journal. */
const DIRECTORY_MODE = 0o700;

/** Makes the directory where it is missing, and sees to it that this process may use it. */
function prepareDirectory(directory: string): void {
  try {
    const made = fs.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
    if (!fs.statSync(directory).isDirectory()) throw notADirectory(directory);
    fs.accessSync(directory, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK);
    if (made !== undefined) syncParents(made, directory);
  } catch (error) {
    throw directoryError(directory, error);
  }
}

/** A new directory survives a loss of power once its parent is synced. */
function syncParents(firstMade: string, directory: string): void {
  const top = path.dirname(path.resolve(firstMade));
  for (let folder = path.dirname(path.resolve(directory)); ; folder = path.dirname(folder)) {
    syncPath(folder);
    if (folder === top || folder === path.dirname(folder)) return;
  }
}

/** Makes a file durable, or the entries of a directory: files created in it, not what they hold. */
export function syncPath(place: string): void {
  const fd = fs.openSync(place, "r");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

export interface DirectoryLock {
  release(): void;
}

/**
 * Holds the directory for this process. The lock is one of the operating system on a file of its own, taken by an open
 * transaction in a SQLite database, so it ends with the process however that ends. The file must not be opened by other means:
 * closing any descriptor of it would release the lock (POSIX record locks).
 */
function lockDirectory(directory: string): DirectoryLock {
  const file = path.join(directory, LOCK_FILE);
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { timeout: 0 });
    db.exec("PRAGMA locking_mode = EXCLUSIVE");
    // Nothing is ever committed; without this the open transaction would leave a journal file behind.
    db.exec("PRAGMA journal_mode = MEMORY");
    db.exec("BEGIN EXCLUSIVE");
    const held = db;
    return { release: () => held.close() };
  } catch (error) {
    db?.close();
    if (sqliteCode(error)?.startsWith("SQLITE_BUSY") === true)
      throw new DataDirectoryLocked(directory);
    throw directoryError(directory, error);
  }
}

/** Makes the directory where it is missing, and holds it for this process before anything is in it. */
export function holdDirectory(directory: string): DirectoryLock {
  prepareDirectory(directory);
  return lockDirectory(directory);
}

function notADirectory(directory: string): DataDirectoryError {
  return new DataDirectoryError(
    `${directory} is not a directory: choose another data directory, or move that file away`,
  );
}

const ADVICE: Readonly<Record<string, string>> = {
  EACCES:
    "this user may not read and write there: change its owner, or choose another data directory",
  EPERM:
    "this user may not read and write there: change its owner, or choose another data directory",
  EROFS: "the file system is read-only: choose another data directory",
  SQLITE_READONLY:
    "this user may not write there: change its owner, or choose another data directory",
  SQLITE_CANTOPEN: "the file cannot be opened: change its owner, or choose another data directory",
  SQLITE_NOTADB: "the file is not a database: restore it, or choose another data directory",
  SQLITE_CORRUPT: "the file is damaged: restore it from a backup, or choose another data directory",
  ENOSPC: "the disk is full: make room",
  SQLITE_FULL: "the disk is full: make room",
};

/** Any error of opening `place` as one that says what to do. */
export function directoryError(place: string, error: unknown): DataDirectoryError {
  if (error instanceof DataDirectoryError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ENOTDIR" || code === "EEXIST") return notADirectory(place);
  const known = Object.keys(ADVICE).find((each) => code.startsWith(each)) ?? "";
  const why = ADVICE[known] ?? (error instanceof Error ? error.message : String(error));
  return new DataDirectoryError(`${place}: ${why}${code === "" ? "" : ` (${code})`}`, {
    cause: error,
  });
}
