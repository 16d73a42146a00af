import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decideRunRetry } from "./run-retry.ts";

const delayOf = (...args: Parameters<typeof decideRunRetry>): number | undefined | "give-up" => {
  const decision = decideRunRetry(...args);
  return decision.kind === "give-up" ? "give-up" : decision.delayMs;
};

const attempt = (number: number, durationMs = 0) => ({ attempt: number, durationMs });

describe("the retry of a step", () => {
  it("is left to the server without a policy, unless the error asks for a time", () => {
    assert.equal(delayOf(undefined, attempt(5), undefined), undefined);
    assert.equal(delayOf(undefined, attempt(5), 777), 777);
  });

  it("starts at 50 ms and doubles up to 10 s", () => {
    const delays = [1, 2, 3, 8, 9, 50, 5000].map((number) =>
      delayOf({ maxAttempts: 1e6 }, attempt(number), undefined),
    );
    assert.deepEqual(delays, [50, 100, 200, 6400, 10_000, 10_000, 10_000]);
  });

  it("ends with the last attempt, the first one included", () => {
    assert.equal(delayOf({ maxAttempts: 1 }, attempt(1), undefined), "give-up");
    assert.equal(delayOf({ maxAttempts: 3 }, attempt(2), undefined), 100);
    assert.equal(delayOf({ maxAttempts: 3 }, attempt(3), undefined), "give-up");
    assert.equal(delayOf({ maxAttempts: 3 }, attempt(3), 777), "give-up");
  });

  it("ends with its time", () => {
    assert.equal(delayOf({ maxDurationMs: 100 }, attempt(9, 99), 5), 5);
    assert.equal(delayOf({ maxDurationMs: 100 }, attempt(1, 100), 5), "give-up");
  });

  it("gives a delay within the policy, whatever the policy", () => {
    const policy = fc.record({
      initialIntervalMs: fc.nat(100_000),
      maxIntervalMs: fc.nat(100_000),
      factor: fc.double({ min: 0, max: 1000, noNaN: true }),
    });
    fc.assert(
      fc.property(policy, fc.integer({ min: 1, max: 1e6 }), (given, number) => {
        const delayMs = delayOf(given, attempt(number), undefined);
        assert.ok(Number.isInteger(delayMs), `${delayMs}`);
        assert.ok(Number(delayMs) >= 0 && Number(delayMs) <= given.maxIntervalMs);
      }),
    );
  });
});
