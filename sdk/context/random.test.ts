import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SeededRandom } from "./random.ts";

describe("seeded random values", () => {
  it("follow from the seed", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (seed) => {
        const [a, b] = [new SeededRandom(seed), new SeededRandom(seed)];
        assert.equal(a.random(), b.random());
        assert.equal(a.uuidv4(), b.uuidv4());
      }),
    );
  });

  it("are spread evenly over [0, 1)", () => {
    for (const seed of [0n, 1n, 2n, 2n ** 32n, 2n ** 63n]) {
      const random = new SeededRandom(seed);
      const buckets = Array.from({ length: 10 }, () => 0);
      for (let count = 0; count < 10_000; count += 1) {
        const drawn = random.random();
        assert.ok(drawn >= 0 && drawn < 1);
        const bucket = Math.floor(drawn * 10);
        buckets[bucket] = (buckets[bucket] ?? 0) + 1;
      }
      // Five standard deviations of a binomial(10000, 0.1).
      for (const count of buckets) assert.ok(Math.abs(count - 1000) < 150, buckets.join());
    }
  });

  it("make UUIDs of version 4 that differ", () => {
    const random = new SeededRandom(42n);
    const uuids = new Set(Array.from({ length: 1000 }, () => random.uuidv4()));
    assert.equal(uuids.size, 1000);
    for (const uuid of uuids) {
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
  });
});
