/** A result as an Arrow IPC stream: the schema, and all rows in one batch. */
import {
  Bool,
  Duration,
  Field,
  Float64,
  Int64,
  LargeBinary,
  LargeUtf8,
  List,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimeUnit,
  Timestamp,
  Uint32,
  Uint64,
} from "apache-arrow";
import type { Data } from "apache-arrow";
import type { ColumnType } from "../views/column-type.ts";
import { bits, bytesColumn, type Cells, listCells, numbers, validity } from "./cells.ts";
import type { Result, ResultColumn, SqlValue } from "./result.ts";

export function arrowOf({ columns, rows }: Result): Uint8Array {
  const parts = columns.map((column, at) => {
    const values = rows.map((row) => row[at] ?? null);
    const data = dataOf(kindOf(column, values), values);
    return { field: new Field(column.name, data.type, true), data };
  });
  const schema = new Schema(parts.map(({ field }) => field));
  const struct = makeData({
    type: new Struct(schema.fields),
    length: rows.length,
    nullCount: 0,
    children: parts.map(({ data }) => data),
  });
  const writer = new RecordBatchStreamWriter();
  writer.write(new RecordBatch(schema, struct));
  writer.finish();
  return writer.toUint8Array(true);
}

type Kind = ColumnType | "f64";

/** By the type of the column where its values are of it, otherwise by what the values are. */
function kindOf({ type }: ResultColumn, values: readonly SqlValue[]): Kind {
  const kinds = new Set(values.filter((value) => value !== null).map((value) => typeof value));
  const only = kinds.size === 1 ? [...kinds][0] : undefined;
  if (type !== undefined && (kinds.size === 0 || fits(type, only))) return type;
  if (only === "object") return "bin";
  if (only === "bigint") return "i64";
  return kinds.size > 0 && [...kinds].every((kind) => kind === "bigint" || kind === "number")
    ? "f64"
    : "s";
}

function fits(type: ColumnType, kind: string | undefined): boolean {
  switch (type) {
    case "bin":
      return kind === "object";
    case "s":
    case "s[]":
    case "u32[]":
      return kind === "string";
    case "u64":
      return kind === "bigint" || kind === "string";
    case "ts":
    case "dur":
      return kind === "bigint" || kind === "number";
    default:
      return kind === "bigint";
  }
}

function dataOf(kind: Kind, values: Cells): Data {
  const length = values.length;
  const nulls = validity(values);
  switch (kind) {
    case "b":
      return makeData({ type: new Bool(), length, ...nulls, data: bits(values) });
    case "u32":
      return makeData({
        type: new Uint32(),
        length,
        ...nulls,
        data: Uint32Array.from(values, Number),
      });
    case "u64":
      return makeData({
        type: new Uint64(),
        length,
        ...nulls,
        data: BigUint64Array.from(numbers(values)),
      });
    case "i64":
      return makeData({
        type: new Int64(),
        length,
        ...nulls,
        data: BigInt64Array.from(numbers(values)),
      });
    case "f64":
      return makeData({
        type: new Float64(),
        length,
        ...nulls,
        data: Float64Array.from(values, Number),
      });
    case "ts": {
      const type = new Timestamp(TimeUnit.MILLISECOND, "UTC");
      return makeData({ type, length, ...nulls, data: BigInt64Array.from(numbers(values)) });
    }
    case "dur": {
      const type = new Duration(TimeUnit.MILLISECOND);
      return makeData({ type, length, ...nulls, data: BigInt64Array.from(numbers(values)) });
    }
    case "bin":
      return makeData({ type: new LargeBinary(), length, ...nulls, ...bytesColumn(values) });
    case "s[]":
      return listOf("s", values);
    case "u32[]":
      return listOf("u32", values);
    default:
      return makeData({ type: new LargeUtf8(), length, ...nulls, ...bytesColumn(values) });
  }
}

function listOf(kind: "s" | "u32", values: Cells): Data {
  const { valueOffsets, cells } = listCells(values);
  const child = dataOf(kind, cells);
  const type = new List(new Field("item", child.type, true));
  return makeData({ type, length: values.length, ...validity(values), valueOffsets, child });
}
