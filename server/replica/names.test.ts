import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  blobKey,
  BLOBS,
  fromHex,
  leaseKey,
  parseBlobKey,
  parseSnapshotKey,
  segmentKey,
  SEGMENTS,
  seqOfKey,
  snapshotKey,
  SNAPSHOTS,
  toHex,
} from "./names.ts";

const seqs = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const epochs = fc.integer({ min: 1, max: 0xffff_ffff });

const sign = (one: number | bigint, other: number | bigint): number =>
  one < other ? -1 : one > other ? 1 : 0;

describe("a key", () => {
  it("looks as the format says", () => {
    assert.equal(segmentKey(31), "segments/000000000000001f");
    assert.equal(snapshotKey(31, 2), "snapshots/000000000000001f-00000002");
    assert.equal(leaseKey(26), "leases/0000001a");
    const hash = new Uint8Array(32).fill(0xab);
    const id = new Uint8Array(8).fill(0x01);
    assert.equal(blobKey({ hash, id }), `blobs/${"ab".repeat(32)}-${"01".repeat(8)}`);
  });

  it("of a segment tells its number, and begins with the prefix", () => {
    fc.assert(
      fc.property(seqs, (seq) => {
        assert.equal(seqOfKey(segmentKey(seq)), seq);
        assert.ok(segmentKey(seq).startsWith(SEGMENTS));
      }),
    );
  });

  it("of a snapshot tells its number and epoch, and begins with the prefix", () => {
    fc.assert(
      fc.property(seqs, epochs, (seq, epoch) => {
        assert.deepEqual(parseSnapshotKey(snapshotKey(seq, epoch)), { seq, epoch });
        assert.ok(snapshotKey(seq, epoch).startsWith(SNAPSHOTS));
      }),
    );
  });

  it("of a blob is made of its hash and id, behind the prefix", () => {
    const exactly = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
    fc.assert(
      fc.property(exactly(32), exactly(8), (hash, id) => {
        assert.equal(blobKey({ hash, id }), `${BLOBS}${toHex(hash)}-${toHex(id)}`);
        assert.deepEqual(parseBlobKey(blobKey({ hash, id })), { hash, id });
      }),
    );
  });

  it("sorts as its numbers do", () => {
    fc.assert(
      fc.property(seqs, seqs, epochs, epochs, (one, other, epoch, otherEpoch) => {
        assert.equal(byBytes(segmentKey(one), segmentKey(other)), sign(one, other));
        const keys = byBytes(snapshotKey(one, epoch), snapshotKey(other, otherEpoch));
        assert.equal(keys, sign(one, other) || sign(epoch, otherEpoch));
      }),
    );
  });

  it("that is nobody's is no key", () => {
    for (const key of [
      "segments/",
      "segments/1f",
      "segments/000000000000001F",
      "segments/000000000000001f/",
      "segments/000000000000001f\n",
      "prefix/segments/000000000000001f",
      "segments/0000000000000000",
      "segments/0020000000000000",
      "snapshots/000000000000001f-00000001",
      "",
    ]) {
      assert.equal(seqOfKey(key), null, key);
    }
    for (const key of [
      "snapshots/000000000000001f",
      "snapshots/000000000000001f-0000001",
      "snapshots/0000000000000000-00000001",
      "snapshots/000000000000001f-00000000",
      "snapshots/ffffffffffffffff-00000001",
      "segments/000000000000001f",
    ]) {
      assert.equal(parseSnapshotKey(key), null, key);
    }
    for (const key of [
      `blobs/${"ab".repeat(32)}`,
      `blobs/${"ab".repeat(32)}-${"01".repeat(7)}`,
      `blobs/${"AB".repeat(32)}-${"01".repeat(8)}`,
    ]) {
      assert.equal(parseBlobKey(key), null, key);
    }
  });

  it("is not made of what is no counting number", () => {
    for (const seq of [-1, 1.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]) {
      assert.throws(() => segmentKey(seq), { name: "AssertionError" });
    }
    assert.throws(() => snapshotKey(1, 0x1_0000_0000), { name: "AssertionError" });
  });
});

describe("hexadecimal", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => assert.deepEqual(fromHex(toHex(bytes)), bytes)),
    );
  });
});

/** As a bucket sorts: by bytes. */
function byBytes(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}
