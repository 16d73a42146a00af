import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { excerptOf, headProblem, retryAfterDelayMs } from "./response-head.ts";
import { text } from "./fixtures.suite.ts";

const CONTENT_TYPE = "application/vnd.restate.invocation.v6";
const NOW_MS = Date.UTC(2026, 0, 1);

function problem(status: number, contentType?: string, retryAfter?: string) {
  return headProblem({ status, contentType, retryAfter }, 6, NOW_MS);
}

describe("the head of a response", () => {
  it("is good with a 2xx and exactly the content type of the request", () => {
    assert.equal(problem(200, CONTENT_TYPE), null);
    assert.equal(problem(202, CONTENT_TYPE), null);
  });

  for (const contentType of [
    undefined,
    "text/html",
    `${CONTENT_TYPE}; charset=utf-8`,
    "application/vnd.restate.invocation.v5",
    CONTENT_TYPE.toUpperCase(),
  ]) {
    it(`is a violation with content type ${contentType}`, () => {
      assert.equal(problem(200, contentType)?.failure.errorCode, "RT0012");
    });
  }

  for (const [status, errorCode, countsForSdk] of [
    [100, "RT0012", true],
    [301, "RT0012", true],
    [401, "RT0012", true],
    [404, "RT0012", true],
    [413, "RT0019", true],
    [415, "RT0015", false],
    [429, "RT0023", true],
    [500, "RT0012", true],
    [502, "RT0010", true],
    [503, "RT0023", true],
    [504, "RT0010", true],
  ] as const) {
    it(`${status} is ${errorCode}`, () => {
      const failing = problem(status, CONTENT_TYPE);
      assert.equal(failing?.failure.errorCode, errorCode);
      assert.equal(failing.countsForSdk, countsForSdk);
      assert.match(failing.failure.message, new RegExp(`${status}`));
      assert.deepEqual([failing.behavior, failing.retryAfterMs], ["retry", null]);
    });
  }

  it("sets the delay of the retry by Retry-After, for 429 and 503 only", () => {
    assert.equal(problem(429, undefined, "7")?.retryAfterMs, 7000);
    assert.equal(problem(503, undefined, "0")?.retryAfterMs, null, "at once would be a loop");
    assert.equal(problem(500, undefined, "7")?.retryAfterMs, null);
    assert.equal(problem(429, undefined, "soon")?.retryAfterMs, null);
  });
});

describe("Retry-After", () => {
  it("is seconds or a date, never in the past, and bounded", () => {
    const year = 365 * 24 * 3600 * 1000;
    for (const [value, expected] of [
      ["120", 120_000],
      [" 3 ", 3000],
      ["Thu, 01 Jan 2026 00:00:30 GMT", 30_000],
      ["Wed, 31 Dec 2025 23:59:59 GMT", 0],
      ["99999999999999999999", year],
      ["Fri, 01 Jan 2100 00:00:00 GMT", year],
      ["-5", null],
      ["1.5", null],
      ["", null],
      ["2026-01-01", null],
      ["Tomorrow", null],
    ] as const) {
      assert.equal(retryAfterDelayMs(value, NOW_MS), expected, JSON.stringify(value));
    }
  });
});

describe("an excerpt", () => {
  it("is one line of visible text, whatever the bytes", () => {
    assert.equal(excerptOf(text("a\r\n\tb \u0000\u001b[31mc")), "a b [31mc");
    assert.equal(excerptOf(new Uint8Array([0xff, 0xfe, 0x41])), "\ufffd\ufffdA");
    assert.equal(excerptOf(text("x".repeat(5000))).length, 301);
    assert.equal(excerptOf(new Uint8Array(0)), "");
  });
});
