import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decisionOf } from "./model.ts";

describe("what a model says", () => {
  it("is a tool with its input, as text", () => {
    const text = '{"tool":"refund","input":{"order":1042,"all":true}}';
    assert.deepEqual(decisionOf(text), { tool: "refund", input: { order: "1042", all: "true" } });
    assert.deepEqual(decisionOf('{"tool":"refund"}'), { tool: "refund", input: {} });
  });

  it("or an answer", () => {
    assert.deepEqual(decisionOf('{"answer":"Done."}'), { answer: "Done." });
  });

  it("or makes no sense", () => {
    for (const text of ["", "Sure!", "null", "[]", "{}", '{"tool":1}', '{"tool":"a","input":[]}'])
      assert.equal(decisionOf(text), undefined, text);
  });
});
