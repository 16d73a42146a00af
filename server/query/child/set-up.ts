/** Makes the views on a connection, and closes it to everything else. */
import type { Database } from "better-sqlite3";
import { informationSchema, setupStatements } from "../views/catalog.ts";
import { keep } from "./keep.ts";

/** Pages kept in memory, in KiB. */
const CACHE_KIB = 16 * 1024;
const CATALOG = "restate";

export function setUp(db: Database): void {
  const names = db.prepare<[], string>(
    "SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
  );
  const tables = keep(names).pluck().all();
  for (const statement of setupStatements(tables)) db.exec(statement);
  fillInformationSchema(db);
  db.exec(`PRAGMA cache_size = -${CACHE_KIB}`);
  // LIKE tells upper from lower case, unlike in SQLite by default.
  db.exec("PRAGMA case_sensitive_like = ON");
  db.exec("PRAGMA trusted_schema = ON");
  db.exec("PRAGMA query_only = ON");
}

function fillInformationSchema(db: Database): void {
  const { tables, columns } = informationSchema();
  const addTable = keep(db.prepare("INSERT INTO temp.tables VALUES (?, ?, ?, ?)"));
  for (const [name, type] of tables) addTable.run(CATALOG, "public", name, type);
  const addColumn = keep(
    db.prepare("INSERT INTO temp.columns VALUES (?, ?, ?, ?, ?, NULL, 'YES', ?)"),
  );
  for (const row of columns) addColumn.run(CATALOG, "public", ...row);
}
