import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { formatDurationMs, parseDurationMs } from "./duration.ts";

const ACCEPTED: Readonly<Record<string, number>> = {
  // ISO 8601
  PT60S: 60_000,
  "PT0.5S": 500,
  PT1H30M: 5_400_000,
  P1D: 86_400_000,
  P1W: 604_800_000,
  P1DT12H: 129_600_000,
  PT0S: 0,
  P0D: 0,
  "PT1.5H": 5_400_000,
  "PT0,25S": 250,
  PT86400S: 86_400_000,
  // friendly
  "10s": 10_000,
  "60 sec": 60_000,
  "60ms": 60,
  "1m": 60_000,
  "1m30s": 90_000,
  "1m 30s": 90_000,
  "1h 5m": 3_900_000,
  "1h, 5m": 3_900_000,
  "1d": 86_400_000,
  "1w": 604_800_000,
  "1 week": 604_800_000,
  "2days": 172_800_000,
  "1hour": 3_600_000,
  "1.5s": 1500,
  "1.1m": 66_000,
  "4.35s": 4350,
  "10us": 1,
  "10µs": 1,
  "10ns": 1,
  "1500us": 2,
  "0": 0,
  "0s": 0,
  "0ns": 0,
  "  90s ": 90_000,
  "1w 2d 3h 4m 5s 6ms": 604_800_000 + 2 * 86_400_000 + 3 * 3_600_000 + 4 * 60_000 + 5006,
};

const REFUSED = [
  ..."|5|1M|1H|1S|-1s|+1s|P1M|P1Y|P|PT|P1DT|PT1|-PT1S|pt60s|PT1H30|1 x|s|1mo|1y".split("|"),
  ..."5m 1h|1s 1s|1h5|1h,|,1h|1.5h 10m|PT1.5H10M|PT1.5M1S|1..5s|.5s|1e3s|0x1s|10s!|１s".split("|"),
  "9".repeat(63) + "d",
  "1s ".repeat(40),
  "999999999999d",
];

test("durations of both notations are understood", () => {
  for (const [text, ms] of Object.entries(ACCEPTED)) assert.equal(parseDurationMs(text), ms, text);
});

test("what is no duration, or an ambiguous one, is refused", () => {
  for (const text of REFUSED) assert.equal(parseDurationMs(text), undefined, JSON.stringify(text));
});

test("durations are printed normalised, in days and below", () => {
  const printed = ["90s", "1 week", "1500ms", "0s", "PT1H", "2d", "P1DT1S"].map((text) =>
    formatDurationMs(parseDurationMs(text) ?? -1),
  );
  assert.deepEqual(printed, ["1m 30s", "7d", "1s 500ms", "0s", "1h", "2d", "1d 1s"]);
});

test("a printed duration reads as the same duration", () => {
  const range = fc.oneof(fc.maxSafeNat(), fc.nat(100_000), fc.nat(1_000_000_000));
  fc.assert(
    fc.property(range, (ms) => assert.equal(parseDurationMs(formatDurationMs(ms)), ms)),
    { numRuns: 2000 },
  );
});

test("both notations of the same units mean the same", () => {
  const part = fc.nat(1_000_000);
  const fraction = fc.nat(999).map((value) => String(value).padStart(3, "0"));
  fc.assert(
    fc.property(fc.tuple(part, part, part, part, fraction), ([d, h, m, s, ms]) => {
      const iso = parseDurationMs(`P${d}DT${h}H${m}M${s}.${ms}S`);
      assert.equal(iso, parseDurationMs(`${d}d ${h}h ${m}min ${s}.${ms}sec`));
      assert.equal(iso, ((d * 24 + h) * 60 + m) * 60_000 + s * 1000 + Number(ms));
    }),
  );
});

test("no text makes the parser throw, and what it returns can be counted", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[PT0-9.,WDHMSwdhmsun ]{0,30}$/),
  );
  fc.assert(
    fc.property(text, (value) => {
      const ms = parseDurationMs(value);
      assert.ok(ms === undefined || (Number.isSafeInteger(ms) && ms >= 0));
    }),
    { numRuns: 3000 },
  );
});
