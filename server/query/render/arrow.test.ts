import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import type { ColumnType } from "../views/column-type.ts";
import { arrowOf } from "./arrow.ts";
import type { SqlValue } from "./result.ts";

function columnOf(type: ColumnType | undefined, values: readonly SqlValue[]) {
  const bytes = arrowOf({ columns: [{ name: "c", type }], rows: values.map((value) => [value]) });
  const table = tableFromIPC(bytes);
  const column = table.getChildAt(0);
  return {
    type: String(table.schema.fields[0]?.type),
    values: values.map((_, at): unknown => column?.get(at)),
  };
}

describe("an Arrow stream", () => {
  for (const [type, value, name, read] of [
    ["s", "ä", "LargeUtf8", "ä"],
    ["b", 1n, "Bool", true],
    ["u32", 7n, "Uint32", 7],
    ["u64", "18446744073709551615", "Uint64", 18446744073709551615n],
    ["u64", 5n, "Uint64", 5n],
    ["ts", 1_795_420_287_264n, "Timestamp<MILLISECOND, UTC>", 1_795_420_287_264],
    ["dur", 86_400_000n, "Duration<MILLISECOND>", 86_400_000n],
    [undefined, 3n, "Int64", 3n],
    [undefined, 2.5, "Float64", 2.5],
    [undefined, "x", "LargeUtf8", "x"],
    // A column of which the values are something else is what they are.
    ["ts", "x", "LargeUtf8", "x"],
    ["b", "x", "LargeUtf8", "x"],
  ] as const) {
    it(`has ${String(value)} of type ${type} as ${name}`, () => {
      assert.deepEqual(columnOf(type, [null, value]), { type: name, values: [null, read] });
    });
  }

  it("has bytes and lists", () => {
    const bytes = columnOf("bin", [Uint8Array.of(1, 2), null]);
    assert.equal(bytes.type, "LargeBinary");
    assert.deepEqual([...(bytes.values[0] as Uint8Array)], [1, 2]);
    const list = columnOf("s[]", ['["a","b"]', null, "[]"]);
    assert.equal(list.type, "List<LargeUtf8>");
    assert.deepEqual([...(list.values[0] as Iterable<string>)], ["a", "b"]);
    assert.equal(list.values[1], null);
    assert.deepEqual([...(list.values[2] as Iterable<string>)], []);
    assert.deepEqual([...(columnOf("u32[]", ["[1,2]"]).values[0] as Iterable<number>)], [1, 2]);
  });

  it("keeps the types of columns without rows", () => {
    assert.equal(columnOf("ts", []).type, "Timestamp<MILLISECOND, UTC>");
    assert.equal(columnOf(undefined, []).type, "LargeUtf8");
  });

  it("gives texts and numbers back as they were", () => {
    const texts = fc.array(fc.option(fc.string({ unit: "grapheme" })), { maxLength: 40 });
    fc.assert(
      fc.property(texts, (values) => assert.deepEqual(columnOf("s", values).values, values)),
    );
    const integers = fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })));
    fc.assert(
      fc.property(integers, (values) => {
        if (values.every((value) => value === null)) return;
        assert.deepEqual(columnOf("i64", values).values, values);
      }),
    );
  });
});
