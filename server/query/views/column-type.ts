/** The types of columns: how their values stand in SQLite, and what they are called outside. */
import { assert } from "../../base/assert.ts";

/**
 * - s: text, b: boolean (0 or 1), u32 and i64: integers
 * - u64: decimal text where it comes from a key, since SQLite's integers are signed; an integer elsewhere
 * - ts: milliseconds since the Unix epoch, dur: milliseconds, bin: bytes
 * - s[] and u32[]: JSON text of an array
 */
const TYPES = ["s", "b", "u32", "u64", "i64", "ts", "dur", "bin", "s[]", "u32[]"] as const;
export type ColumnType = (typeof TYPES)[number];

export function columnType(text: string): ColumnType {
  const type = TYPES.find((each) => each === text);
  assert(type !== undefined, `there is no column type ${text}`);
  return type;
}

/** As `information_schema` and DESCRIBE show them: the names of Arrow types. */
export const TYPE_NAMES: Readonly<Record<ColumnType, string>> = {
  s: "LargeUtf8",
  b: "Boolean",
  u32: "UInt32",
  u64: "UInt64",
  i64: "Int64",
  ts: 'Timestamp(ms, "UTC")',
  dur: "Duration(ms)",
  bin: "LargeBinary",
  "s[]": "List(LargeUtf8)",
  "u32[]": "List(UInt32)",
};
