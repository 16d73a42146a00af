/** Answers queries on one connection, one at a time. */
import type { Database, Statement } from "better-sqlite3";
import type { TargetKind } from "../functions/call-json.ts";
import { BlobReader } from "../functions/blob.ts";
import { registerFunctions } from "../functions/register.ts";
import type { QueryAnswer, QueryRequest } from "../messages.ts";
import { arrowOf } from "../render/arrow.ts";
import { jsonOf } from "../render/json.ts";
import { bytesOf, type Result, type SqlValue } from "../render/result.ts";
import { rewrite } from "../sql/rewrite.ts";
import { parseStatement, type SqlStatement } from "../sql/statement.ts";
import { SqlError } from "../sql/tokens.ts";
import { parseTree } from "../sql/tree.ts";
import { findView, typeOfColumn } from "../views/catalog.ts";
import { explainResult } from "./explain.ts";
import { refusal } from "./refusal.ts";
import { keep } from "./keep.ts";
import { LiveTables } from "./live-tables.ts";
import { setUp } from "./set-up.ts";
import { readTargets } from "./targets.ts";

const CONTENT_TYPES = {
  json: "application/json",
  arrow: "application/vnd.apache.arrow.stream",
} as const;

/** Far longer than any statement that a person or a program writes. */
const SQL_LENGTH_MAX = 1024 * 1024;

export class SqlEngine {
  readonly #db: Database;
  readonly #live: LiveTables;
  #nowMs = 0;
  #targets: ReadonlyMap<string, TargetKind> = new Map();

  /** `db` is opened read-only on the database of a store, and used for nothing else. */
  constructor(db: Database, version: string) {
    this.#db = db;
    registerFunctions(db, {
      nowMs: () => this.#nowMs,
      version,
      blobs: new BlobReader(db.name),
      describe: (service, handler) => this.#targets.get(`${service}/${handler}`),
    });
    setUp(db);
    this.#live = new LiveTables(db);
  }

  answer(request: QueryRequest): QueryAnswer {
    try {
      const result = this.#run(request);
      const body = request.format === "json" ? Buffer.from(jsonOf(result)) : arrowOf(result);
      if (body.length > request.bytesMax) throw tooLarge(request.bytesMax);
      return { ok: true, contentType: CONTENT_TYPES[request.format], body };
    } catch (error) {
      return refusal(error);
    }
  }

  #run(request: QueryRequest): Result {
    if (request.sql.length > SQL_LENGTH_MAX) {
      throw new SqlError(`a statement has at most ${SQL_LENGTH_MAX} characters`);
    }
    this.#nowMs = request.nowMs;
    const statement = parseStatement(request.sql);
    const nodes = "nodes" in statement ? statement.nodes : parseTree(aboutViews(statement)).nodes;
    const { sql, typeOf, ids, sources } = rewrite(nodes, typeOfColumn);
    if (statement.kind === "explain") return explainResult(this.#db, sql);
    if (sources.has("sys_invocation") || sources.has("sys_invocation_state")) {
      this.#live.fill(request.live);
    }
    if (ids.size > 0) this.#live.pick(ids);
    if (sources.has("sys_journal")) this.#targets = readTargets(this.#db);
    const prepared = keep(this.#db.prepare<[], SqlValue[]>(sql));
    if (!prepared.reader || !prepared.readonly)
      throw new SqlError("only questions can be answered");
    const rows = readRows(prepared, request);
    const columns = prepared
      .columns()
      .map(({ name }) => ({ name, type: typeOf(name.toLowerCase()) }));
    return { columns, rows };
  }
}

function readRows(
  statement: Statement<[], SqlValue[]>,
  { rowsMax, bytesMax }: QueryRequest,
): SqlValue[][] {
  const rows: SqlValue[][] = [];
  let bytes = 0;
  // The read transaction lasts as long as this loop.
  for (const row of keep(statement.raw().safeIntegers().iterate())) {
    if (rows.length >= rowsMax) {
      throw new SqlError(`there are more than ${rowsMax} rows: add a LIMIT or a WHERE`);
    }
    for (const value of row) bytes += bytesOf(value);
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    rows.push(row);
  }
  return rows;
}

function tooLarge(bytesMax: number): SqlError {
  return new SqlError(
    `the answer is larger than ${bytesMax} bytes: select fewer columns, or add a LIMIT or a WHERE`,
  );
}

/** SHOW and DESCRIBE as questions to `information_schema`. */
function aboutViews(statement: Exclude<SqlStatement, { kind: "select" | "explain" }>): string {
  if (statement.kind === "show-tables") {
    return "SELECT table_catalog, table_schema, table_name, table_type FROM information_schema.tables";
  }
  const { table } = statement;
  if (findView(table) === undefined) throw new SqlError(`no such table: ${table}`);
  const columns =
    statement.kind === "describe"
      ? "column_name, data_type, is_nullable"
      : "table_catalog, table_schema, table_name, column_name, data_type, is_nullable";
  return `SELECT ${columns} FROM information_schema.columns WHERE table_name = '${table}' ORDER BY ordinal_position`;
}
