import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { PageSet } from "./page-set.ts";
import { PAGE_BYTES } from "./wal.ts";

const page = (seed: number): Uint8Array => new Uint8Array(PAGE_BYTES).fill(seed);

type Step = { readonly put: number; readonly seed: number } | { readonly truncate: number };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({ put: fc.integer({ min: 1, max: 200 }), seed: fc.nat(255) }),
    },
    { weight: 1, arbitrary: fc.record({ truncate: fc.nat(200) }) },
  ),
  { maxLength: 300 },
);

describe("a set of pages", () => {
  it("holds the newest of each, whatever comes in what order, and nothing behind the database's end", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const set = new PageSet();
        const model = new Map<number, number>();
        for (const step of all) {
          if ("put" in step) {
            set.put(step.put, page(step.seed));
            model.set(step.put, step.seed);
          } else {
            set.truncate(step.truncate);
            for (const number of model.keys()) if (number > step.truncate) model.delete(number);
          }
        }
        const expected = [...model].toSorted(([one], [other]) => one - other);
        const { numbers, pages } = set.sorted();
        assert.equal(set.size, model.size);
        assert.deepEqual(
          numbers,
          expected.map(([number]) => number),
        );
        const bytes = Buffer.concat(expected.map(([, seed]) => page(seed)));
        assert.ok(bytes.equals(pages));
      }),
      { numRuns: 50 },
    );
  });

  it("keeps a copy: what was given may change", () => {
    const set = new PageSet();
    const given = page(1);
    set.put(3, given);
    given.fill(2);
    assert.equal(set.sorted().pages[0], 1);
  });
});
