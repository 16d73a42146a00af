import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { PAGE_BYTES, pagesFrom } from "./format.suite.ts";
import { ImageDiff } from "./image-diff.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();

function diff(own: Uint8Array, runs: readonly Uint8Array[]): string | null {
  const file = path.join(directory(), "image.db");
  fs.writeFileSync(file, own);
  const comparison = new ImageDiff(file);
  let next = 1;
  for (const run of runs) {
    comparison.compare(next, run);
    next += run.length / PAGE_BYTES;
  }
  return comparison.close();
}

/** With one byte of these pages flipped. */
function flipped(pages: Uint8Array, numbers: readonly number[]): Uint8Array {
  const copy = pages.slice();
  for (const number of numbers) {
    const at = number * PAGE_BYTES - 1;
    copy[at] = (copy[at] ?? 0) ^ 1;
  }
  return copy;
}

describe("a comparison with an image", () => {
  const own = pagesFrom(1, 9);

  it("finds nothing where all is the same, in runs of any length", () => {
    assert.equal(diff(own, [own]), null);
    assert.equal(diff(own, [pagesFrom(1, 1), pagesFrom(2, 5), pagesFrom(7, 3)]), null);
    assert.equal(diff(new Uint8Array(), []), null);
  });

  it("names the pages that differ by a byte, the first of many", () => {
    assert.equal(diff(own, [flipped(own, [4])]), "1 pages are not what the segments lead to: 4");
    assert.equal(
      diff(own, [flipped(own, [1, 2, 3, 5, 6, 8, 9])]),
      "7 pages are not what the segments lead to: 1, 2, 3, 5, 6, …",
    );
    const runs = [pagesFrom(1, 3), flipped(pagesFrom(4, 6), [6])];
    assert.match(diff(own, runs) ?? "", /: 9$/);
  });

  it("finds pages that are missing, and pages too many", () => {
    const says = (pages: number) => `it has ${pages} pages where the segments lead to 9`;
    assert.equal(diff(own, [pagesFrom(1, 8)]), says(8));
    assert.equal(diff(own, [own, pagesFrom(10, 1)]), says(10));
    assert.equal(diff(own, []), says(0));
  });
});
