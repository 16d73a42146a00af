/** Tells failures of the medium, after which nothing may be trusted, from defects of a statement. */
import { StorageError } from "../base/storage-error.ts";

/**
 * Primary result codes of SQLite; extended ones begin with them. BUSY is among them because the lock on the directory leaves
 * no rightful second writer, and LOCKED, PROTOCOL for the same reason.
 */
const MEDIUM_CODES = [
  "SQLITE_BUSY",
  "SQLITE_LOCKED",
  "SQLITE_PROTOCOL",
  "SQLITE_CANTOPEN",
  "SQLITE_CORRUPT",
  "SQLITE_FULL",
  "SQLITE_IOERR",
  "SQLITE_NOLFS",
  "SQLITE_NOMEM",
  "SQLITE_NOTADB",
  "SQLITE_PERM",
  "SQLITE_READONLY",
  "SQLITE_SCHEMA",
];

/** The `SQLITE_…` code of an error; undefined when it is not one of SQLite's. */
export function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code } = error;
  return typeof code === "string" && code.startsWith("SQLITE_") ? code : undefined;
}

/** The error as a `StorageError` when the medium failed; undefined when it did not. */
export function mediumFailure(error: unknown): StorageError | undefined {
  if (error instanceof StorageError) return error;
  const code = sqliteCode(error);
  if (code === undefined || !MEDIUM_CODES.some((medium) => code.startsWith(medium)))
    return undefined;
  return storageFailure("the database failed", error);
}

/** A failure of the medium by definition, such as that of an fsync. */
export function storageFailure(what: string, cause: unknown): StorageError {
  const code = sqliteCode(cause);
  const why = cause instanceof Error ? cause.message : String(cause);
  return new StorageError(`${what}: ${why}${code === undefined ? "" : ` (${code})`}`, { cause });
}
