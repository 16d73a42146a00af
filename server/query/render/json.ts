/** A result as `{"rows":[{…}]}`. Nulls are left out; integers are written as they are, also beyond 2^53. */
import { durationText, timestampText } from "../functions/time.ts";
import type { ColumnType } from "../views/column-type.ts";
import type { Result, SqlValue } from "./result.ts";

const DECIMAL = /^\d+$/;

export function jsonOf({ columns, rows }: Result): string {
  const names = columns.map(({ name }) => `${JSON.stringify(name)}:`);
  const lines = rows.map((row) => {
    let line = "";
    for (const [at, value] of row.entries()) {
      if (value === null) continue;
      line += `${line === "" ? "" : ","}${names[at]}${valueText(value, columns[at]?.type)}`;
    }
    return `{${line}}`;
  });
  return `{"rows":[${lines.join(",")}]}`;
}

function valueText(value: Exclude<SqlValue, null>, type: ColumnType | undefined): string {
  if (typeof value === "bigint") return integerText(value, type);
  if (typeof value === "number") return realText(value, type);
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("hex"));
  const isRaw = (type === "u64" && DECIMAL.test(value)) || isList(value, type);
  return isRaw ? value : JSON.stringify(value);
}

function isList(value: string, type: ColumnType | undefined): boolean {
  return (type === "s[]" || type === "u32[]") && value.startsWith("[");
}

function integerText(value: bigint, type: ColumnType | undefined): string {
  if (type === "b") return String(value !== 0n);
  if (type === "ts") return `"${timestampText(Number(value))}"`;
  if (type === "dur") return `"${durationText(Number(value))}"`;
  return value.toString();
}

/** A mean of times or durations has fractions of a millisecond. */
function realText(value: number, type: ColumnType | undefined): string {
  if (type === "ts") return `"${timestampText(Math.round(value))}"`;
  if (type === "dur") return `"${durationText(Math.round(value))}"`;
  return Number.isFinite(value) ? JSON.stringify(value) : "null";
}
