import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { listReplica } from "./list.ts";
import { flipped, MadeHistory, smallHistory } from "./made-history.suite.ts";
import { segmentKey, snapshotKey } from "./names.ts";
import { WINDOW } from "./segment-codec.ts";

describe("the list of a replica", () => {
  it("has each snapshot, with the segments from there to the next", async () => {
    const { history, baseSeq, first, second, third, snapshot } = await smallHistory();
    const { newest, restorePoints, epochs, ...sums } = await listReplica(history.bucket);
    assert.deepEqual(newest, { seq: third, timeMs: history.timeOf(third) });
    const sizes = new Map<string, number>();
    for await (const { key, size } of history.bucket.list("")) sizes.set(key, size);
    const sizeOf = (key: string): number => sizes.get(key) ?? assert.fail(key);
    assert.deepEqual(restorePoints, [
      {
        seq: baseSeq,
        timeMs: history.timeOf(baseSeq),
        epoch: 1,
        bytes: sizeOf(snapshotKey(baseSeq, 1)),
        behind: {
          firstSeq: first,
          // That after `second` is a restore point of its own.
          lastSeq: first,
          count: 1,
          bytes: sizeOf(segmentKey(first)),
          timeMs: history.timeOf(first),
        },
      },
      {
        seq: second,
        timeMs: history.timeOf(second),
        epoch: 1,
        bytes: sizeOf(snapshot),
        behind: {
          firstSeq: third,
          lastSeq: third,
          count: 1,
          bytes: sizeOf(segmentKey(third)),
          timeMs: history.timeOf(third),
        },
      },
    ]);
    assert.deepEqual(
      epochs.map(({ seq, epoch, host }) => [seq, epoch, host]),
      [[1, 1, "alpha"]],
    );
    const { bytes, segments, snapshots, payloads } = sums;
    assert.deepEqual([segments.count, snapshots.count, payloads.count], [5, 2, 1]);
    const all = [...sizes.values()].reduce((sum, size) => sum + size, 0);
    assert.deepEqual([bytes, segments.bytes + snapshots.bytes + payloads.bytes], [all, all]);
  });

  it("has no restore point in the window behind a claim, and counts claims", async () => {
    const { history, second, third } = await smallHistory();
    const claimSeq = await history.claim("beta");
    const late = (await history.bucket.get(segmentKey(third))) ?? assert.fail();
    await history.bucket.put(segmentKey(claimSeq + WINDOW - 1), late);
    const { restorePoints, epochs, newest } = await listReplica(history.bucket);
    assert.deepEqual(newest?.seq, claimSeq);
    const { behind } = restorePoints.at(-1) ?? assert.fail();
    assert.deepEqual([behind?.firstSeq, behind?.lastSeq, behind?.count], [third, claimSeq, 2]);
    assert.equal(restorePoints.at(-1)?.seq, second);
    assert.deepEqual(
      epochs.map(({ host }) => host),
      ["alpha", "beta"],
    );
  });

  it("leaves out a snapshot whose segment is not there, and says where the end is damaged", async () => {
    const { history, baseSeq, first, second, third, snapshot } = await smallHistory();
    await history.remove(baseSeq);
    // Of a writer whose claim never stood.
    const other = (await history.bucket.get(snapshot)) ?? assert.fail();
    for (const seq of [first, third]) await history.bucket.put(snapshotKey(seq, 9), other);
    await history.change(segmentKey(third), flipped(150));
    const { restorePoints, newest, snapshots } = await listReplica(history.bucket);
    assert.deepEqual(
      restorePoints.map(({ seq }) => seq),
      [second],
    );
    assert.equal(restorePoints[0]?.behind?.timeMs, null);
    assert.deepEqual([newest, snapshots.count], [null, 4]);
  });

  it("of an empty prefix is empty", async () => {
    const { restorePoints, epochs, newest, bytes } = await listReplica(new MadeHistory().bucket);
    assert.deepEqual([restorePoints, epochs, newest, bytes], [[], [], null, 0]);
  });
});
