/** The cells of one column as Arrow's buffers. */
import { parseJson } from "../functions/parse-json.ts";
import type { SqlValue } from "./result.ts";

export type Cells = readonly SqlValue[];

/** A bit a cell: it is not null. */
export function validity(values: Cells): {
  readonly nullCount: number;
  readonly nullBitmap: Uint8Array;
} {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  let nullCount = 0;
  for (const [at, value] of values.entries()) {
    if (value === null) nullCount += 1;
    else setBit(nullBitmap, at);
  }
  return { nullCount, nullBitmap };
}

/** A bit a cell: it is true. */
export function bits(values: Cells): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, value] of values.entries()) {
    if (value !== null && Number(value) !== 0) setBit(bitmap, at);
  }
  return bitmap;
}

function setBit(bitmap: Uint8Array, at: number): void {
  bitmap[at >> 3] = (bitmap[at >> 3] ?? 0) | (1 << (at & 7));
}

/** Whole numbers; 0 where there is none. */
export function numbers(values: Cells): bigint[] {
  return values.map((value) => {
    if (typeof value === "bigint") return value;
    if (typeof value === "number") return BigInt(Math.round(value));
    return typeof value === "string" && /^\d+$/.test(value) ? BigInt(value) : 0n;
  });
}

/** Texts or bytes one behind the other. */
export function bytesColumn(values: Cells): {
  readonly valueOffsets: BigInt64Array;
  readonly data: Uint8Array;
} {
  const parts = values.map(bytesOfCell);
  const valueOffsets = new BigInt64Array(values.length + 1);
  let offset = 0;
  for (const [at, part] of parts.entries()) {
    offset += part.length;
    valueOffsets[at + 1] = BigInt(offset);
  }
  return { valueOffsets, data: Buffer.concat(parts) };
}

const NOTHING = new Uint8Array(0);

function bytesOfCell(value: SqlValue): Uint8Array {
  if (value === null) return NOTHING;
  return value instanceof Uint8Array ? value : Buffer.from(String(value));
}

/** Arrays, which come as JSON: where each begins, and their elements. */
export function listCells(values: Cells): {
  readonly valueOffsets: Int32Array;
  readonly cells: Cells;
} {
  const valueOffsets = new Int32Array(values.length + 1);
  const cells: SqlValue[] = [];
  for (const [at, value] of values.entries()) {
    if (typeof value === "string") {
      for (const element of parseJson<unknown[]>(value)) cells.push(cellOf(element));
    }
    valueOffsets[at + 1] = cells.length;
  }
  return { valueOffsets, cells };
}

function cellOf(element: unknown): SqlValue {
  if (typeof element === "number" || typeof element === "string") return element;
  return element === null ? null : JSON.stringify(element);
}
