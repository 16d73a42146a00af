import assert from "node:assert/strict";
import { test } from "node:test";
import { rfc3339Nanos } from "./rfc3339.ts";

test("a time is RFC 3339 with nanoseconds", () => {
  assert.equal(
    rfc3339Nanos(Date.UTC(2026, 10, 23, 9, 4, 46, 167)),
    "2026-11-23T09:04:46.167000000Z",
  );
});

test("what lies beyond the years of RFC 3339 is their last moment", () => {
  for (const ms of [Date.UTC(10_000), 8_640_000_000_000_001, Number.MAX_SAFE_INTEGER]) {
    assert.equal(rfc3339Nanos(ms), "9999-12-31T23:59:59.999000000Z");
  }
});
