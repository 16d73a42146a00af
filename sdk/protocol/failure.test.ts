import assert from "node:assert/strict";
import { test } from "node:test";
import { failureCode, makeFailure, withoutMetadata } from "./failure.ts";

test("a code that does not fit 16 bits reads as 500", () => {
  for (const code of [0, 1, 404, 65535]) assert.equal(failureCode(code), code);
  for (const code of [-1, 65536, 2 ** 32, 4.5, Number.NaN]) assert.equal(failureCode(code), 500);
});

test("a failure has metadata only if there is any", () => {
  assert.deepEqual(makeFailure(404, "no"), { code: 404, message: "no" });
  assert.deepEqual(makeFailure(99_999, "no", []), { code: 500, message: "no" });
  const metadata = [{ key: "a", value: "b" }];
  assert.deepEqual(makeFailure(404, "no", metadata), { code: 404, message: "no", metadata });
});

test("a failure for V5 carries no metadata", () => {
  const failure = makeFailure(404, "no", [{ key: "a", value: "b" }]);
  assert.deepEqual(withoutMetadata(failure), { code: 404, message: "no" });
  const plain = makeFailure(404, "no");
  assert.equal(withoutMetadata(plain), plain);
});
