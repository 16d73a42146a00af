import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Advance, ProgressLine } from "./progress-line.ts";

const MIB = 1024 * 1024;

function screen(isTerminal: boolean, columns = 200) {
  const written: string[] = [];
  let nowMs = 5000;
  const line = new ProgressLine({
    isTerminal,
    columns,
    write: (text) => void written.push(text),
    nowMs: () => nowMs,
  });
  const show = (afterMs: number, mib: number, totalMib: number | null, what = "snapshot"): void => {
    nowMs += afterMs;
    const totalBytes = totalMib === null ? null : totalMib * MIB;
    const advance: Advance = { bytes: mib * MIB, totalBytes, what };
    line.show(advance);
  };
  return { line, written, show };
}

describe("progress on a terminal", () => {
  it("is one line that changes, with bytes, rate and what is left", () => {
    const { written, show } = screen(true);
    show(100, 1, 20);
    show(900, 5, 20);
    show(1000, 20, 20, "segments");
    assert.deepEqual(written, [
      "\r[#-------------------]   5 % of 20.0 MiB: snapshot\x1b[K",
      "\r[#####---------------]  25 % of 20.0 MiB, 5.0 MiB/s, 3 s left: snapshot\x1b[K",
      "\r[####################] 100 % of 20.0 MiB, 10.0 MiB/s, 0 s left: segments\x1b[K",
    ]);
  });

  it("changes at most ten times a second", () => {
    const { written, show } = screen(true);
    for (let count = 0; count < 100; count += 1) show(10, count, 200);
    assert.equal(written.length, 10);
  });

  it("says bytes and rate where it is not known what is to come", () => {
    const { written, show } = screen(true);
    show(1000, 3, null);
    assert.deepEqual(written, ["\r3.0 MiB, 3.0 MiB/s: snapshot\x1b[K"]);
  });

  it("is never wrapped, so that the next one replaces it", () => {
    const { written, show } = screen(true, 30);
    show(1000, 5, 20);
    assert.equal(written[0], `\r${"[#####---------------]  25 % of 20".slice(0, 29)}\x1b[K`);
    const narrow = screen(true, 0);
    narrow.show(1000, 5, 20);
    assert.equal(narrow.written[0], "\r[\x1b[K");
  });

  it("goes away at the end and for a line in between, and nothing is written where nothing was", () => {
    const { line, written, show } = screen(true);
    line.end();
    assert.deepEqual(written, []);
    show(1000, 5, 20);
    line.end();
    line.end();
    assert.deepEqual(written.slice(1), ["\r\x1b[K"]);
    show(1000, 10, 20);
    assert.equal(written.length, 3);
  });

  it("stays within a hundred percent where more comes than was expected", () => {
    const { written, show } = screen(true);
    show(1000, 30, 20);
    show(1000, 0, 0);
    assert.deepEqual(written, [
      "\r[####################] 100 % of 20.0 MiB, 30.0 MiB/s, 0 s left: snapshot\x1b[K",
      "\r[####################] 100 % of 0 B, 0 B/s: snapshot\x1b[K",
    ]);
  });
});

describe("progress elsewhere", () => {
  it("is a line every five seconds", () => {
    const { written, show } = screen(false);
    for (let count = 1; count <= 12; count += 1) show(1000, count, 20);
    assert.deepEqual(written, [
      "[#####---------------]  25 % of 20.0 MiB, 1.0 MiB/s, 15 s left: snapshot\n",
      "[##########----------]  50 % of 20.0 MiB, 1.0 MiB/s, 10 s left: snapshot\n",
    ]);
  });

  it("is silent where all is over sooner", () => {
    const { line, written, show } = screen(false);
    show(4999, 20, 20);
    line.end();
    assert.deepEqual(written, []);
  });
});
