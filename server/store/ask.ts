/**
 * One-off questions to a database. Their statements are kept for the life of the process: better-sqlite3 12 aborts Node 24.19 and
 * later when the garbage collector finds a dropped one while no JavaScript runs. For the same reason settings are made
 * with `exec`, which makes no statement, and rows are read with `all`, never with `iterate`, whose iterators are dropped, too.
 */
import type { Database, Statement } from "better-sqlite3";

const kept: Statement[] = [];

/** The first column of the first row. */
export function ask(db: Database, sql: string): unknown {
  const statement = db.prepare(sql).pluck();
  kept.push(statement);
  return statement.get();
}

/** All rows. */
export function askAll<Row>(db: Database, sql: string, ...parameters: unknown[]): Row[] {
  const statement = db.prepare<unknown[], Row>(sql);
  kept.push(statement);
  return statement.all(...parameters);
}
