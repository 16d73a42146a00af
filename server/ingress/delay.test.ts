import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseDelay } from "./delay.ts";

const NOW_MS = 1_795_418_772_060;

function delayOf(query: string): number | string {
  const delay = parseDelay(query, NOW_MS);
  if (delay.kind === "until") return delay.startAtMs - NOW_MS;
  return delay.kind === "problem" ? delay.problem.reason : "none";
}

test("a delay is found whatever the case of its name and however it is encoded", () => {
  const queries: Readonly<Record<string, number | string>> = {
    "": "none",
    "x=1&y": "none",
    "delay=10s": 10_000,
    "DELAY=10s": 10_000,
    "x=1&Delay=PT1M&y=2": 60_000,
    "delay=60+sec": 60_000,
    "delay=1h%205m": 3_900_000,
    "d%65lay=1s": 1000,
    "delay=0": 0,
    "delay=60ms": 60,
    "delay=": "invalid-delay",
    delay: "invalid-delay",
    "delay=5": "invalid-delay",
    "delay=1M": "invalid-delay",
    "delay=P1Y": "invalid-delay",
    "delay=-1s": "invalid-delay",
    "delay=%FF": "invalid-delay",
    "delay=%": "invalid-delay",
    "delay=1s&delay=2s": "invalid-delay",
    "delay=99999999d": "invalid-delay",
    "%FF=1": "none",
  };
  for (const [query, expected] of Object.entries(queries)) {
    assert.equal(delayOf(query), expected, query);
  }
});

test("no query makes the parser throw", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^(delay=|&|%|\+|\w){0,9}$/),
  );
  fc.assert(fc.property(text, (query) => assert.ok(delayOf(query) !== "")));
});
