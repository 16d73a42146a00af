import assert from "node:assert/strict";
import { test } from "node:test";
import type { ManifestInput, ManifestOutput } from "../../sdk/protocol/manifest.ts";
import { contentProblem, outputContentType } from "./content.ts";

const JSON_TYPE = "application/json";
const json: ManifestInput = { contentType: JSON_TYPE };
const required: ManifestInput = { contentType: JSON_TYPE, required: true };
const schema: ManifestInput = { contentType: JSON_TYPE, jsonSchema: {} };
const OK = null;

type Row = readonly [
  input: ManifestInput | undefined,
  type: string | undefined,
  bytes: number,
  reason: string | null,
];

const INPUT_RULES: readonly Row[] = [
  [undefined, undefined, 0, OK],
  [undefined, "text/plain", 0, OK],
  [undefined, "text/plain", 5, OK],
  [undefined, undefined, 5, "content-type-missing"],
  [undefined, "", 5, "content-type-missing"],
  [{}, undefined, 0, OK],
  [{}, JSON_TYPE, 0, "body-not-allowed"],
  [{}, undefined, 5, "body-not-allowed"],
  [{ required: true }, undefined, 0, "content-type-missing"],
  [{ required: true }, "text/plain", 0, OK],
  [json, undefined, 0, OK],
  [json, JSON_TYPE, 0, OK],
  [json, JSON_TYPE, 5, OK],
  [json, "Application/JSON; charset=utf-8", 5, OK],
  [json, undefined, 5, "content-type-missing"],
  [json, "text/plain", 5, "content-type-mismatch"],
  [json, "application/jsonx", 5, "content-type-mismatch"],
  [json, "application", 5, "content-type-mismatch"],
  [json, "application/", 5, "content-type-mismatch"],
  [json, "text/plain", 0, "content-type-mismatch"],
  [required, undefined, 0, "content-type-missing"],
  [required, JSON_TYPE, 0, OK],
  [schema, undefined, 0, OK],
  [schema, JSON_TYPE, 0, "body-required"],
  [schema, JSON_TYPE, 5, OK],
  [{ jsonSchema: {} }, JSON_TYPE, 5, OK],
  [{ jsonSchema: {} }, "text/plain", 5, "content-type-mismatch"],
  [{ contentType: "*/*" }, "x/y", 5, OK],
  [{ contentType: "text/*" }, "text/html;q=1", 5, OK],
  [{ contentType: "text/*" }, "image/png", 5, "content-type-mismatch"],
  [{ contentType: "text/*" }, "text", 5, "content-type-mismatch"],
];

test("what a handler accepts follows its declared input", () => {
  for (const [input, type, bytes, reason] of INPUT_RULES) {
    const problem = contentProblem(input, type, bytes);
    const row = JSON.stringify([input, type, bytes]);
    assert.equal(problem?.reason ?? null, reason, row);
    assert.equal(problem?.status ?? 400, 400);
  }
});

const OUTPUT_RULES: readonly (readonly [ManifestOutput | undefined, number, string | undefined])[] =
  [
    [undefined, 5, JSON_TYPE],
    [undefined, 0, undefined],
    [{}, 5, undefined],
    [{ setContentTypeIfEmpty: true }, 0, undefined],
    [{ contentType: "text/plain" }, 5, "text/plain"],
    [{ contentType: "text/plain" }, 0, undefined],
    [{ contentType: "text/plain", setContentTypeIfEmpty: true }, 0, "text/plain"],
  ];

test("the content type of an answer follows the declared output", () => {
  for (const [output, bytes, type] of OUTPUT_RULES) {
    assert.equal(outputContentType(output, bytes), type, JSON.stringify([output, bytes]));
  }
});
