/** Every view, what its columns are, and the statements that set a connection up with them. */
import type { ColumnType } from "./column-type.ts";
import { TYPE_NAMES } from "./column-type.ts";
import { EMPTY_VIEWS } from "./empty-views.ts";
import { INSTANCE_VIEWS } from "./instance-views.ts";
import { sysInvocation, sysInvocationState, sysInvocationStatus } from "./invocation-views.ts";
import { sysJournal, sysJournalEvents } from "./journal-views.ts";
import { variantOf } from "./variants.ts";
import { createView, type View } from "./view.ts";

/** In the order of their names. */
export const VIEWS: readonly View[] = [
  ...INSTANCE_VIEWS,
  ...EMPTY_VIEWS,
  sysInvocation("all"),
  sysInvocationState("all"),
  sysInvocationStatus("all"),
  sysJournal("all"),
  sysJournalEvents("all"),
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

const VARIANTS: readonly (readonly [name: string, view: View])[] = [
  [variantOf("sys_invocation", "ids"), sysInvocation("ids")],
  [variantOf("sys_invocation", "open"), sysInvocation("open")],
  [variantOf("sys_invocation_status", "ids"), sysInvocationStatus("ids")],
  [variantOf("sys_invocation_status", "open"), sysInvocationStatus("open")],
  [variantOf("sys_invocation_state", "ids"), sysInvocationState("ids")],
  [variantOf("sys_journal", "ids"), sysJournal("ids")],
  [variantOf("sys_journal_events", "ids"), sysJournalEvents("ids")],
];

const TYPES: ReadonlyMap<string, ColumnType> = new Map(
  VIEWS.flatMap(({ columns }) => columns.map(([name, type]) => [name, type] as const)),
);

/** Columns of one name have one type in every view. */
export function typeOfColumn(name: string): ColumnType | undefined {
  return TYPES.get(name);
}

export function findView(name: string): View | undefined {
  return VIEWS.find((view) => view.name === name);
}

/** The attempts in flight, the invocations that the variants `ids` are about, and `information_schema`. */
const TABLES =
  'CREATE TEMP TABLE "live attempts" (seq INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, deployment_id TEXT NOT NULL, server TEXT, ' +
  "started_at_ms INTEGER NOT NULL, awaiting TEXT);" +
  'CREATE TEMP TABLE "picked ids" (seq INTEGER PRIMARY KEY);' +
  "CREATE TEMP TABLE tables (table_catalog TEXT, table_schema TEXT, table_name TEXT, table_type TEXT);" +
  "CREATE TEMP TABLE columns (table_catalog TEXT, table_schema TEXT, table_name TEXT, column_name TEXT, " +
  "ordinal_position INTEGER, column_default TEXT, is_nullable TEXT, data_type TEXT);";

/** Names that stand in for the tables of the database, so that a statement does not find those. */
const HIDDEN_PREFIX = "hidden ";

/** What makes the views; `tables` are those of the database. */
export function setupStatements(tables: readonly string[]): readonly string[] {
  const taken = new Set(["tables", "columns", ...VIEWS.map(({ name }) => name)]);
  const hidden = tables
    .filter((name) => !taken.has(name))
    .map((name) => `CREATE TEMP VIEW "${name}" AS SELECT * FROM temp."${HIDDEN_PREFIX}${name}"`);
  const all = VIEWS.map((view) => [view.name, view] as const);
  return [
    TABLES,
    ...[...all, ...VARIANTS].map(([name, view]) => createView(name, view)),
    ...hidden,
  ];
}

/** The message of an error of SQLite without what its sender did not write. */
export function withoutHiddenNames(message: string): string {
  return message.replaceAll(`temp.${HIDDEN_PREFIX}`, "").replace(/ (?:ids|open)\./g, ".");
}

type TableRow = readonly [table: string, type: string];
type ColumnRow = readonly [table: string, column: string, position: number, type: string];

/** The rows of `information_schema.tables` and `.columns`. */
export function informationSchema(): {
  readonly tables: readonly TableRow[];
  readonly columns: readonly ColumnRow[];
} {
  const tables = VIEWS.map(({ name }): TableRow => [name, "VIEW"]);
  const columns = VIEWS.flatMap((view) =>
    view.columns.map(([name, type], at): ColumnRow => [view.name, name, at + 1, TYPE_NAMES[type]]),
  );
  return { tables, columns };
}
