/** Verification: a sound replica is sound, and each damage is found and said to be where it is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resealed } from "./format.suite.ts";
import { directories, flipped, MadeHistory, smallHistory } from "./made-history.suite.ts";
import type { MemoryBucket } from "./memory-bucket.ts";
import { blobKey, segmentKey, snapshotKey } from "./names.ts";
import type { BlobRef } from "./segment.ts";
import { WINDOW } from "./segment-codec.ts";
import { type Verified, verify } from "./verify.ts";

const directory = directories();

type Checked = Verified & { readonly said: readonly string[] };

async function check(bucket: MemoryBucket, refs: readonly BlobRef[] = []): Promise<Checked> {
  const said: string[] = [];
  const verified = await verify({
    bucket,
    directory: directory(),
    inspect: () => refs,
    onDamage: (line) => said.push(line),
  });
  assert.equal(verified.damages, said.length);
  return { ...verified, said };
}

describe("verification", () => {
  it("reads a sound replica, all of it", async () => {
    const { history, third, blob } = await smallHistory();
    const { damages, segments, snapshots, blobs, newest, notes, bytes } = await check(
      history.bucket,
      [blob],
    );
    assert.deepEqual([damages, notes], [0, []]);
    // The first claim comes before the first snapshot, and is read all the same.
    assert.deepEqual([segments, snapshots, blobs], [5, 2, 1]);
    assert.equal(newest?.head.seq, third);
    assert(bytes > 0);
  });

  it("goes over claims, and what is left in the window behind them", async () => {
    const { history, third } = await smallHistory();
    const claimSeq = await history.claim("beta");
    // What the writer before still had under way.
    const late = (await history.bucket.get(segmentKey(third))) ?? assert.fail();
    await history.bucket.put(segmentKey(claimSeq + 2), late);
    const last = await history.delta([1], "of beta");
    assert.equal(last, claimSeq + WINDOW);
    const { damages, notes, newest } = await check(history.bucket);
    assert.deepEqual([damages, notes], [0, ["segments that nobody reads: 1"]]);
    assert.equal(newest?.head.seq, last);
  });

  it("is told a replica that begins, and one of which retention deletes the beginning", async () => {
    const begun = new MadeHistory();
    await begun.claim("alpha");
    const empty = await check(begun.bucket);
    assert.deepEqual([empty.damages, empty.newest], [0, null]);

    const { history, baseSeq, second } = await smallHistory();
    await history.bucket.delete([snapshotKey(baseSeq, 1)]);
    const { damages, notes } = await check(history.bucket);
    assert.equal(damages, 0);
    assert.deepEqual(notes, [
      `segments before segment ${second} that no snapshot leads to: 2 (retention was deleting them, or a snapshot was deleted)`,
      "payloads that no kept state names: 1, of 15 bytes",
    ]);
  });

  it("says what lies behind the end, and is not called damage", async () => {
    const { history, third } = await smallHistory();
    await history.delta([1], "late");
    await history.remove(third);
    const { damages, notes, newest } = await check(history.bucket);
    assert.equal(damages, 0);
    assert.equal(newest?.head.seq, third - 1);
    assert.match(notes.join(), new RegExp(`behind the end, without segment ${third} .*: 1 `));
  });
});

describe("damage is found:", () => {
  type Small = Awaited<ReturnType<typeof smallHistory>>;
  const cases: Record<string, (small: Small) => Promise<string | RegExp>> = {
    "a byte of a segment": async ({ history, first }) => {
      await history.change(segmentKey(first), flipped(200));
      return `segment ${first}: the checksum of the segment is wrong`;
    },
    "a cut segment": async ({ history, first }) => {
      await history.change(segmentKey(first), (bytes) => bytes.subarray(0, 210));
      return new RegExp(`^segment ${first}: `);
    },
    "an empty object": async ({ history, first }) => {
      await history.change(segmentKey(first), () => new Uint8Array());
      return new RegExp(`^segment ${first}: `);
    },
    "a segment whose checksum was made to fit": async ({ history, first }) => {
      await history.change(segmentKey(first), (bytes) =>
        resealed(bytes, (copy) => copy.writeUInt8(9, 130)),
      );
      return `segment ${first + 1} does not follow the one before it`;
    },
    "another segment in its place": async ({ history, first, second }) => {
      const other = (await history.bucket.get(segmentKey(second))) ?? assert.fail();
      await history.change(segmentKey(first), () => other);
      return `segment ${first}: it says to be segment ${second}`;
    },
    "a byte of the first snapshot": async ({ history, baseSeq }) => {
      await history.change(snapshotKey(baseSeq, 1), flipped(120));
      return new RegExp(`^snapshots/0{14}11-00000001: the checksum of the pages`);
    },
    "a byte of a later snapshot": async ({ history, snapshot }) => {
      await history.change(snapshot, flipped(120));
      return new RegExp(`^${snapshot}: the checksum of the pages`);
    },
    "a cut snapshot": async ({ history, snapshot }) => {
      await history.change(snapshot, (bytes) => bytes.subarray(0, bytes.length - 33));
      return new RegExp(`^${snapshot}: `);
    },
    "a snapshot of another state, all its checksums right": async ({
      history,
      snapshot,
      second,
    }) => {
      const forged = await forgedSnapshot();
      await history.change(snapshot, () => forged);
      return `the snapshot of segment ${second}: 4 pages are not what the segments lead to: 1, 2, 3, 4`;
    },
    "the only snapshot is missing": async ({ history, baseSeq, snapshot }) => {
      await history.bucket.delete([snapshot, snapshotKey(baseSeq, 1)]);
      return `no snapshot leads to segment ${baseSeq}`;
    },
    "a payload is missing": async ({ history, blob }) => {
      await history.bucket.delete([blobKey(blob)]);
      return `${blobKey(blob)}: the payload is missing`;
    },
    "a payload is another one": async ({ history, blob }) => {
      await history.change(blobKey(blob), flipped(3));
      return `${blobKey(blob)}: the payload is not the one that was stored`;
    },
  };
  for (const [what, damage] of Object.entries(cases)) {
    it(what, async () => {
      const small = await smallHistory();
      const expected = await damage(small);
      const { said, notes } = await check(small.history.bucket, [small.blob]);
      assert.doesNotMatch(notes.join("\n"), /nobody reads|behind the end/);
      const [line = "", ...more] = said;
      assert.deepEqual(more, [], "it is said once");
      if (typeof expected === "string") assert.equal(line, expected);
      else assert.match(line, expected);
    });
  }

  it("a segment is missing in the midst, and what lies behind it is read nevertheless", async () => {
    const history = await longHistory();
    await history.remove(20);
    await history.change(segmentKey(30), flipped(200));
    const { said, segments } = await check(history.bucket);
    assert.deepEqual(said, [
      "segment 20 is missing, and segment 36 is there",
      "segment 30: the checksum of the segment is wrong",
    ]);
    assert.equal(segments, history.states.size - 2);
  });

  it("the segment of a snapshot is missing", async () => {
    const history = await longHistory();
    await history.remove(17);
    const { said } = await check(history.bucket);
    assert.equal(said[0], `segment 17 is missing, of which ${snapshotKey(17, 1)} is the state`);
  });

  it("the snapshot of a base in the midst is missing", async () => {
    const history = await longHistory();
    const base = await history.base(2, "anew");
    await history.bucket.delete([snapshotKey(base, 1)]);
    const { said } = await check(history.bucket);
    assert.deepEqual(said, [`the snapshot of base segment ${base} is missing`]);
  });

  it("behind a damage the next snapshot is gone on from", async () => {
    const history = await longHistory();
    const at = history.lastSeq;
    await history.snapshot();
    await history.delta([1], "behind");
    await history.change(segmentKey(19), flipped(200));
    const { said, newest } = await check(history.bucket);
    assert.deepEqual(said, ["segment 19: the checksum of the segment is wrong"]);
    assert.equal(newest?.head.seq, at + 1);
  });

  it("what SQLite finds in a state whose checksums are right", async () => {
    const { history } = await smallHistory();
    const said: string[] = [];
    const inspect = () => {
      throw new Error("row 3 is missing from an index");
    };
    const onDamage = (line: string) => said.push(line);
    await verify({ bucket: history.bucket, directory: directory(), inspect, onDamage });
    assert.match(
      said.join("\n"),
      /^snapshots\/0{14}11-00000001: row 3 .*\nthe state after segment 19: row 3/,
    );
  });
});

/** Segments 1, and 17 to 58. */
async function longHistory(): Promise<MadeHistory> {
  const history = new MadeHistory();
  await history.claim("alpha");
  await history.base(3, "begun");
  for (let count = 0; count < 41; count += 1) await history.delta([2], `delta ${count}`);
  return history;
}

/** Of the second delta of a small history, but for what its pages hold. */
async function forgedSnapshot(): Promise<Uint8Array> {
  const history = new MadeHistory();
  await history.claim("alpha");
  await history.base(3, "begun");
  await history.delta([2], "first");
  const blob = await history.blob("a large payload");
  await history.delta([1, 4], "second", { pages: 4, blobs: [blob] });
  return (await history.bucket.get(await history.snapshot("forged"))) ?? assert.fail();
}
