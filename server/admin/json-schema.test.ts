import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { relocated } from "./json-schema.ts";

const HERE = "#/components/schemas/A";

test("references into the schema move with it, others stay", () => {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://example.com/a.json",
    $ref: "#/$defs/part",
    $defs: {
      part: {
        properties: {
          self: { $ref: "#" },
          own: { $ref: "https://example.com/a.json#/$defs/part" },
        },
      },
      other: { anyOf: [{ $ref: "https://example.com/b.json#/x" }, { $ref: "#anchor" }] },
    },
  };
  assert.deepEqual(relocated(schema, HERE), {
    $ref: `${HERE}/$defs/part`,
    $defs: {
      part: { properties: { self: { $ref: HERE }, own: { $ref: `${HERE}/$defs/part` } } },
      other: { anyOf: [{ $ref: "https://example.com/b.json#/x" }, { $ref: "#anchor" }] },
    },
  });
});

test("data is no schema, and a property may have the name of a keyword", () => {
  const data = { $ref: "#/$defs/x" };
  const schema = {
    const: data,
    enum: [data],
    default: data,
    examples: [data],
    properties: { default: data, $ref: data, enum: { const: data } },
    items: [data],
  };
  const moved = { $ref: `${HERE}/$defs/x` };
  assert.deepEqual(relocated(schema, HERE), {
    const: data,
    enum: [data],
    default: data,
    examples: [data],
    properties: { default: moved, $ref: moved, enum: { const: data } },
    items: [moved],
  });
});

test("any JSON is taken, however deep, and without references it stays as it is", () => {
  for (const schema of [true, false, null, 1, "x"]) assert.equal(relocated(schema, HERE), schema);
  let deep: unknown = {};
  for (let level = 0; level < 5000; level += 1) deep = { not: deep };
  assert.ok(JSON.stringify(relocated(deep, HERE)).length < 2000);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), (json) => {
      if (/\$(?:ref|dynamicRef|id|schema)/.test(JSON.stringify(json))) return;
      assert.equal(JSON.stringify(relocated(json, HERE)), JSON.stringify(json));
    }),
  );
});
