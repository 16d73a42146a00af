/** What a view is made of. */
import type { ColumnType } from "./column-type.ts";

/** Its name, its type, and the SQL that makes it. */
export type Column = readonly [name: string, type: ColumnType, sql: string];

export interface View {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Behind FROM; tables of the database are in the schema `main`. */
  readonly from: string;
  readonly where?: string;
}

function selectOf({ columns, from, where }: View): string {
  const items = columns.map(([name, , sql]) => `${sql} AS "${name}"`).join(", ");
  return `SELECT ${items} FROM ${from}${where === undefined ? "" : ` WHERE ${where}`}`;
}

export function createView(name: string, view: View): string {
  return `CREATE TEMP VIEW "${name}" AS ${selectOf(view)}`;
}
