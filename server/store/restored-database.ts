/** Looks at a database that was just restored, before anybody uses it. */
import Database from "better-sqlite3";
import { ask, askAll } from "./ask.ts";
import type { BlobRow } from "./blob-rows.ts";
import { DataDirectoryError } from "./data-directory-error.ts";

/** Throws `DataDirectoryError` when SQLite finds it unsound. Returns the large values that it refers to. */
export function inspectRestored(file: string): BlobRow[] {
  const db = new Database(file, { fileMustExist: true });
  try {
    const found = ask(db, "PRAGMA quick_check(1)");
    if (found !== "ok") {
      throw new DataDirectoryError(
        `what was restored is not sound: ${String(found)}. Restore an earlier state, and keep the bucket as it is`,
      );
    }
    return neededBlobs(db);
  } finally {
    db.close();
  }
}

/** The large values that it refers to, without a look at the rest. */
export function payloadsOf(file: string): BlobRow[] {
  const db = new Database(file, { fileMustExist: true });
  try {
    return neededBlobs(db);
  } finally {
    db.close();
  }
}

function neededBlobs(db: Database.Database): BlobRow[] {
  return askAll<BlobRow>(db, "SELECT hash, id, size FROM blob WHERE refs > 0");
}
