import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { segmentKey, snapshotKey } from "./names.ts";
import { AGE_MS_MIN, expiredSnapshots, isExpiredSegment } from "./retention.ts";
import { CLAIM_BYTES } from "./segment-codec.ts";

const HOUR_MS = 60 * 60 * 1000;
const NOW_MS = 1_700_000_000_000;

const snapshot = (seq: number, ageMs: number) => ({
  key: snapshotKey(seq, 1),
  size: 1000,
  modifiedAtMs: NOW_MS - ageMs,
});

describe("retention", () => {
  it("keeps what a restore to its horizon begins with", () => {
    const all = [30, 25, 20, 10, 1].map((hours, index) => snapshot(index + 1, hours * HOUR_MS));
    const policy = { retentionMs: 24 * HOUR_MS, snapshotsMin: 1 };
    const { deleted, oldestKept } = expiredSnapshots(all, policy, NOW_MS);
    assert.deepEqual(deleted, all.slice(0, 1));
    assert.equal(oldestKept, all[1]);
  });

  it("keeps so many, whatever their age", () => {
    const all = [90, 80, 70, 60].map((hours, index) => snapshot(index + 1, hours * HOUR_MS));
    const kept = (snapshotsMin: number) =>
      4 - expiredSnapshots(all, { retentionMs: HOUR_MS, snapshotsMin }, NOW_MS).deleted.length;
    assert.deepEqual([1, 2, 3, 4, 5].map(kept), [1, 2, 3, 4, 4]);
  });

  it("never frees what a moment within its horizon needs, and deletes nothing young", () => {
    const ages = fc.array(fc.nat(100 * HOUR_MS), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(ages, fc.nat(50), fc.integer({ min: 1, max: 5 }), (some, hours, snapshotsMin) => {
        const sorted = some.toSorted((one, other) => other - one);
        const all = sorted.map((ageMs, index) => snapshot(index + 1, ageMs));
        const retentionMs = hours * HOUR_MS;
        const { deleted, oldestKept } = expiredSnapshots(
          all,
          { retentionMs, snapshotsMin },
          NOW_MS,
        );
        const horizonMs = NOW_MS - Math.max(retentionMs, AGE_MS_MIN);
        const begin = all.findLast(({ modifiedAtMs }) => modifiedAtMs <= horizonMs);
        assert(begin === undefined || !deleted.includes(begin));
        for (const { modifiedAtMs } of deleted) assert(modifiedAtMs <= horizonMs);
        assert.equal(oldestKept, all[deleted.length]);
      }),
    );
  });

  it("frees segments before the oldest snapshot, but never a claim", () => {
    const oldest = snapshot(100, HOUR_MS);
    const segment = (seq: number, size: number) => ({
      key: segmentKey(seq),
      size,
      modifiedAtMs: 0,
    });
    assert(isExpiredSegment(segment(99, 5000), oldest));
    assert(!isExpiredSegment(segment(100, 5000), oldest));
    assert(!isExpiredSegment(segment(99, CLAIM_BYTES), oldest));
    assert(!isExpiredSegment({ key: "segments/other", size: 1, modifiedAtMs: 0 }, oldest));
  });
});
