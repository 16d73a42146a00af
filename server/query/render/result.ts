/** The rows of a query with what is known of their columns. */
import type { ColumnType } from "../views/column-type.ts";

/** What SQLite hands over; integers are bigints. */
export type SqlValue = null | bigint | number | string | Uint8Array;

export interface ResultColumn {
  readonly name: string;
  /** Undefined: as its values are. */
  readonly type: ColumnType | undefined;
}

export interface Result {
  readonly columns: readonly ResultColumn[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** About as many bytes as the value takes in an answer. */
export function bytesOf(value: SqlValue): number {
  if (typeof value === "string") return value.length + 4;
  return value instanceof Uint8Array ? 2 * value.length + 4 : 8;
}
