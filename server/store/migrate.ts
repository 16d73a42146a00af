/**
 * Brings a database to the newest schema. Migrations are immutable numbered files; how many were applied stands in
 * `PRAGMA user_version` and changes in the same transaction as the schema.
 */
import type { Database } from "better-sqlite3";
import { ask } from "./ask.ts";
import { DataDirectoryError } from "./data-directory-error.ts";
import init from "./migrations/0001-init.sql";
import blobs from "./migrations/0002-blobs.sql";
import lambda from "./migrations/0003-lambda.sql";

/** `Hold` in ASCII: marks the file as ours, so that no other database is taken for one. */
const APPLICATION_ID = 0x486f6c64;

/** In order; the version is the place in this list, from 1. */
export const MIGRATIONS: readonly string[] = [init, blobs, lambda];

export function migrate(db: Database, migrations: readonly string[] = MIGRATIONS): void {
  const version = Number(ask(db, "PRAGMA user_version"));
  const applicationId = Number(ask(db, "PRAGMA application_id"));
  const tables = Number(ask(db, "SELECT count(*) FROM sqlite_schema"));
  if (applicationId !== APPLICATION_ID && (applicationId !== 0 || version !== 0 || tables > 0)) {
    throw new DataDirectoryError(
      `${db.name} is the database of another application: choose another data directory`,
    );
  }
  if (version > migrations.length) {
    throw new DataDirectoryError(
      `${db.name} was written by a newer Holdfast (schema ${version}, this one knows ${migrations.length}): ` +
        "run that version or a later one",
    );
  }
  for (const [index, sql] of migrations.entries()) {
    if (index >= version) applyMigration(db, index + 1, sql);
  }
}

function applyMigration(db: Database, version: number, sql: string): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(sql);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
    db.exec(`PRAGMA user_version = ${version}`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
