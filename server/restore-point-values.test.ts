import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvalidArgumentError } from "commander";
import { ConfigError } from "./config-error.ts";
import { parseMoment, parseSegmentNumber, pastPoint } from "./restore-point-values.ts";

const NOW_MS = Date.parse("2026-11-26T09:00:00Z");

describe("--at", () => {
  it("is a time with its zone, or how long ago", () => {
    const read = ["2026-11-26T09:00:00Z", "2026-11-26T10:00:00.5+01:00", "2026-11-26t09:00:00z"];
    assert.deepEqual(read.map(parseMoment), [
      { atMs: NOW_MS },
      { atMs: NOW_MS + 500 },
      { atMs: NOW_MS },
    ]);
    assert.deepEqual(["10m", "1h 30m", "PT1M", "0"].map(parseMoment), [
      { agoMs: 600_000 },
      { agoMs: 5_400_000 },
      { agoMs: 60_000 },
      { agoMs: 0 },
    ]);
  });

  const refused = [
    "",
    "yesterday",
    "10",
    "-10m",
    "2026-11-26",
    "2026-11-26T09:00:00",
    "2026-11-26 09:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-11-26T25:00:00Z",
    "1764147600000",
    "2000y",
    "1000000000d",
  ];
  for (const text of refused) {
    it(`is not "${text}"`, () => {
      assert.throws(
        () => parseMoment(text),
        (error: Error) =>
          error instanceof InvalidArgumentError && /a time with its zone/.test(error.message),
      );
    });
  }
});

describe("--segment", () => {
  it("counts from 1", () => {
    assert.deepEqual(["1", "0017", "9007199254740991"].map(parseSegmentNumber), [
      1,
      17,
      Number.MAX_SAFE_INTEGER,
    ]);
    for (const text of ["0", "-1", "1.5", "1e3", "0x11", "", " 1", "9007199254740993"]) {
      assert.throws(() => parseSegmentNumber(text), /the number of a segment, from 1/, text);
    }
  });
});

describe("which state is meant", () => {
  it("is the latest where nothing is said", () => {
    assert.equal(pastPoint(undefined, undefined, NOW_MS), null);
  });

  it("is that of a moment, or after a segment", () => {
    const ago = pastPoint({ agoMs: 60_000 }, undefined, NOW_MS);
    assert.deepEqual(ago, { kind: "time", atMs: NOW_MS - 60_000 });
    const at = pastPoint({ atMs: NOW_MS }, undefined, NOW_MS);
    assert.deepEqual(at, { kind: "time", atMs: NOW_MS });
    assert.deepEqual(pastPoint(undefined, 17, NOW_MS), { kind: "segment", seq: 17 });
  });

  it("is not a moment to come, and not two at once", () => {
    assert.throws(
      () => pastPoint({ atMs: NOW_MS + 1 }, undefined, NOW_MS),
      (error: Error) =>
        error instanceof ConfigError &&
        /2026-11-26T09:00:00.001Z has not been yet/.test(error.message),
    );
    assert.throws(() => pastPoint({ agoMs: 1 }, 17, NOW_MS), /--at and --segment both say/);
  });
});
