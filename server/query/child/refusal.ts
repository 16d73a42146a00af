/** What a caller is told of a query that cannot be answered. */
import type { QueryAnswer } from "../messages.ts";
import { SqlError } from "../sql/tokens.ts";
import { VIEWS, withoutHiddenNames } from "../views/catalog.ts";

/** Codes of SQLite that the statement is to blame for. */
const STATEMENT_CODES = [
  "SQLITE_ERROR",
  "SQLITE_MISMATCH",
  "SQLITE_RANGE",
  "SQLITE_READONLY",
  "SQLITE_TOOBIG",
];

export function refusal(error: unknown): QueryAnswer {
  const message = error instanceof Error ? error.message : String(error);
  const status = isOfStatement(error) ? 400 : 500;
  return { ok: false, status, message: explained(withoutHiddenNames(message)) };
}

function isOfStatement(error: unknown): boolean {
  if (error instanceof SqlError) return true;
  if (!(error instanceof Error)) return false;
  // The driver's own errors: parameters without values, several statements.
  if (error instanceof RangeError || error instanceof TypeError) return true;
  return "code" in error && STATEMENT_CODES.includes(String(error.code));
}

function explained(message: string): string {
  if (message.startsWith("no such column")) return `${message}. DESCRIBE <table> lists its columns`;
  if (!message.startsWith("no such table")) return message;
  return `${message}. The tables are ${VIEWS.map(({ name }) => name).join(", ")}`;
}
