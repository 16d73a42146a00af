import assert from "node:assert/strict";
import { it } from "node:test";
import { countText, sizeText } from "./sizes.ts";

it("sizes have the unit that keeps them short", () => {
  const sizes = [0, 1023, 1024, 1536, 1024 ** 2 * 12.34, 1024 ** 3, 1024 ** 4 * 5000];
  assert.deepEqual(sizes.map(sizeText), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "12.3 MiB",
    "1.0 GiB",
    "5000.0 TiB",
  ]);
});

it("counts agree with their noun", () => {
  const texts = [0, 1, 2].map((count) => countText(count, "segment"));
  assert.deepEqual(texts, ["0 segments", "1 segment", "2 segments"]);
});
