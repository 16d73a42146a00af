import assert from "node:assert/strict";
import { test } from "node:test";
import { secretMatcher } from "./secret.ts";

test("only the secret itself matches", () => {
  const matches = secretMatcher("s3cret-token");
  assert.ok(matches("s3cret-token"));
  for (const guess of ["", "s3cret-toke", "s3cret-token ", "S3cret-token", "s3cret-token\0", "é"]) {
    assert.ok(!matches(guess), guess);
  }
});
