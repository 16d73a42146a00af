import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SqlError } from "../sql/tokens.ts";
import {
  asTimestamp,
  dateBin,
  datePart,
  dateTrunc,
  durationText,
  interval,
  parseTimeMs,
  timestampText,
  toTimestamp,
} from "./time.ts";

const MS = Date.UTC(2026, 10, 23, 7, 51, 27, 264);

describe("a time", () => {
  for (const [text, ms] of [
    ["2026-11-23T07:51:27.264Z", MS],
    ["2026-11-23 07:51:27.264", MS],
    ["2026-11-23T08:51:27.264+01:00", MS],
    ["2026-11-23T08:51:27.264+01", MS],
    ["2026-11-23T07:51:27.264999Z", MS],
    ["2026-11-23T07:51Z", Date.UTC(2026, 10, 23, 7, 51)],
    ["2026-11-23", Date.UTC(2026, 10, 23)],
    ["2026-13-01", undefined],
    ["now", undefined],
    ["", undefined],
  ] as const) {
    it(`is read from ${JSON.stringify(text)}`, () => assert.equal(parseTimeMs(text), ms));
  }

  it("is refused where it is none", () => {
    assert.throws(() => asTimestamp("x"), SqlError);
    assert.equal(asTimestamp(null), null);
    assert.equal(asTimestamp(5), 5);
    assert.equal(toTimestamp(5), 5000);
  });

  it("prints in ISO 8601, whatever its size", () => {
    assert.equal(timestampText(MS), "2026-11-23T07:51:27.264Z");
    assert.equal(timestampText(9e15), "9000000000000000");
  });

  it("is cut to the begin of its stretch", () => {
    assert.equal(dateBin(60_000, MS), Date.UTC(2026, 10, 23, 7, 51));
    assert.equal(dateBin("1 hour", MS, 60_000), Date.UTC(2026, 10, 23, 7, 1));
    assert.equal(dateBin(1000, -1), -1000);
    assert.throws(() => dateBin(0, MS), SqlError);
    assert.equal(dateTrunc("week", MS), Date.UTC(2026, 10, 23));
    assert.equal(dateTrunc("week", Date.UTC(2026, 10, 22, 5)), Date.UTC(2026, 10, 16));
    assert.equal(dateTrunc("month", MS), Date.UTC(2026, 10));
    assert.equal(dateTrunc("year", MS), Date.UTC(2026, 0));
    assert.equal(dateTrunc("HOUR", MS), Date.UTC(2026, 10, 23, 7));
    assert.throws(() => dateTrunc("constructor", MS), SqlError);
  });

  it("has parts", () => {
    const parts = ["year", "month", "day", "hour", "minute", "second", "millisecond", "dow"];
    assert.deepEqual(
      parts.map((part) => datePart(part, MS)),
      [2026, 11, 23, 7, 51, 27, 264, 1],
    );
    assert.equal(datePart("epoch", MS), MS / 1000);
    assert.throws(() => datePart("toString", MS), SqlError);
  });
});

describe("a duration", () => {
  for (const [text, ms] of [
    ["1 hour", 3_600_000],
    ["1 day 2 hours 30 minutes", 95_400_000],
    ["-1.5 seconds", -1500],
    ["5min", 300_000],
    ["1 month", 2_592_000_000],
    ["P1DT2H3M4.5S", 93_784_500],
    ["-PT5S", -5000],
  ] as const) {
    it(`is read from ${JSON.stringify(text)}`, () => assert.equal(interval(text), ms));
  }

  it("may have its unit behind it", () => assert.equal(interval("5", "minutes"), 300_000));

  it("is refused where it is none", () => {
    for (const text of ["", "1", "hour", "1 constructor", "1 hour x"]) {
      assert.throws(() => interval(text), SqlError, text);
    }
  });

  it("prints in ISO 8601", () => {
    assert.equal(durationText(86_400_000), "PT86400S");
    assert.equal(durationText(0), "P0D");
    assert.equal(durationText(80), "PT0.08S");
    assert.equal(durationText(-5000), "-PT5S");
  });
});
