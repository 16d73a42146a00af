/** A data directory out of the bucket: which state it is, what is held, and what is said where it cannot be had. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { type Comparison, readHeldFile } from "./held-file.ts";
import { directories, flipped, MadeHistory, smallHistory } from "./made-history.suite.ts";
import { blobKey, segmentKey, snapshotKey, toHex } from "./names.ts";
import { readReplicaFile } from "./replica-file.ts";
import { type Restored, restore } from "./restore.ts";
import type { PastPoint } from "./restore-point.ts";

const directory = directories();

const COMPARED: Comparison = { invocations: [], total: 3, unknownCount: 4 };

interface Outcome {
  readonly restored: Extract<Restored, { readonly kind: "restored" }>;
  readonly directory: string;
  readonly image: Buffer;
  /** What `compare` was given. */
  readonly compared: readonly [restored: Buffer, latest: Buffer] | null;
}

async function restored(
  { bucket, blobs }: MadeHistory,
  past: PastPoint | null,
  { into = directory(), failure = null as Error | null } = {},
): Promise<Outcome> {
  let compared: Outcome["compared"] = null;
  const common = { bucket, directory: into, inspect: () => blobs };
  const compare = (restoredFile: string, latestFile: string): Comparison => {
    if (failure !== null) throw failure;
    compared = [fs.readFileSync(restoredFile), fs.readFileSync(latestFile)];
    return COMPARED;
  };
  const result =
    past === null
      ? await restore({ ...common, point: { kind: "latest" } })
      : await restore({ ...common, point: past, compare });
  assert(result.kind === "restored");
  const image = fs.readFileSync(path.join(into, "holdfast.db"));
  return { restored: result, directory: into, image, compared };
}

const after = (seq: number): PastPoint => ({ kind: "segment", seq });

describe("a restore", () => {
  it("of the latest state brings it with its payloads, and holds nothing", async () => {
    const { history, third, second, blob } = await smallHistory();
    const outcome = await restored(history, null);
    assert.deepEqual(outcome.image, history.states.get(third));
    const { seq, snapshotSeq, segments, blobs, held } = outcome.restored;
    assert.deepEqual([seq, snapshotSeq, segments, blobs, held], [third, second, 1, 1, null]);
    const hash = toHex(blob.hash);
    const payload = path.join(outcome.directory, "blobs", hash.slice(0, 2), hash);
    assert.equal(fs.readFileSync(payload, "utf8"), "a large payload");
    assert.deepEqual(fs.readdirSync(outcome.directory).toSorted(), [
      "blobs",
      "holdfast.db",
      "replica.json",
    ]);
    const file = readReplicaFile(outcome.directory);
    assert.deepEqual([file?.epoch, file?.shippedSeq, file?.rolledBack], [0, third, false]);
  });

  it("to a segment is the state after it, held, with what ran since", async () => {
    const { history, first, third } = await smallHistory();
    const outcome = await restored(history, after(first));
    assert.deepEqual(outcome.image, history.states.get(first));
    assert.deepEqual(outcome.compared, [history.states.get(first), history.states.get(third)]);
    assert.deepEqual(outcome.restored.held, {
      restoredTo: { seq: first, atIso: "2026-11-26T09:03:00.000Z" },
      latest: { seq: third, atIso: "2026-11-26T09:05:00.000Z" },
      problem: null,
      ...COMPARED,
    });
    assert.equal(readHeldFile(outcome.directory)?.["total"], COMPARED.total);
    const file = readReplicaFile(outcome.directory);
    assert.deepEqual([file?.shippedSeq, file?.rolledBack], [third, true]);
    assert(!fs.existsSync(path.join(outcome.directory, "restore.tmp")));
  });

  it("to a time is the last state that is not after it", async () => {
    const { history, first, second } = await smallHistory();
    const secondMs = history.timeOf(second);
    const exact = await restored(history, { kind: "time", atMs: secondMs });
    assert.deepEqual([exact.restored.seq, exact.restored.snapshotSeq], [second, second]);
    const before = await restored(history, { kind: "time", atMs: secondMs - 1 });
    assert.equal(before.restored.seq, first);
    assert.deepEqual(before.image, history.states.get(first));
  });

  it("to a point from which nothing has changed is the latest state, and holds nothing", async () => {
    const { history, third } = await smallHistory();
    const claimSeq = await history.claim("beta");
    const outcome = await restored(history, after(third));
    assert.equal(outcome.restored.held, null);
    assert.equal(outcome.restored.seq, claimSeq, "the claim goes on from this state");
    assert.equal(readReplicaFile(outcome.directory)?.rolledBack, false);
    assert.equal(readHeldFile(outcome.directory), null);
  });

  it("holds even where the latest state is damaged, missing or cannot be compared, and says which", async () => {
    const { history, first, third } = await smallHistory();
    const failing = await restored(history, after(first), {
      failure: new Error("database disk image is malformed"),
    });
    assert.deepEqual(failing.image, history.states.get(first));
    const why = "the latest state cannot be compared: database disk image is malformed";
    assert.equal(failing.restored.held?.problem, why);
    assert.equal(failing.restored.held.latest, null);

    await history.change(segmentKey(third), flipped(200));
    const { restored: partly } = await restored(history, after(first));
    assert.deepEqual(partly.held?.latest?.seq, third - 1);
    assert.equal(partly.held?.problem, `segment ${third}: the checksum of the segment is wrong`);
    assert.equal(partly.held?.total, COMPARED.total);
  });

  it("to the last segment before a damaged one is had as well, and is held", async () => {
    const { history, second, third } = await smallHistory();
    await history.change(segmentKey(third), flipped(200));
    const { image, restored: result } = await restored(history, after(second));
    assert.deepEqual(image, history.states.get(second));
    assert.deepEqual([result.seq, result.damages], [second, []]);
    assert.equal(result.held?.latest?.seq, second);
    assert.equal(result.held?.problem, `segment ${third}: the checksum of the segment is wrong`);
    // Which state that of a moment is, nobody knows: the damaged one may be of a moment before.
    await assert.rejects(
      restored(history, { kind: "time", atMs: history.timeOf(second) }),
      new RegExp(`The last state before that is the one after segment ${second}$`),
    );
  });

  it("begins anew where one was broken off, whatever that had left", async () => {
    const { history, first, third } = await smallHistory();
    const into = directory();
    fs.mkdirSync(path.join(into, "restore.tmp", "blobs"), { recursive: true });
    fs.writeFileSync(path.join(into, "restore.tmp", "holdfast.db"), "half of another");
    fs.mkdirSync(path.join(into, "blobs", "ab"), { recursive: true });
    fs.writeFileSync(path.join(into, "blobs", "ab", "abcd"), "of another state");
    const held = await restored(history, after(first), { into });
    assert.deepEqual(held.image, history.states.get(first));
    assert(!fs.existsSync(path.join(into, "blobs", "ab")));
    // Broken off before the database was in its place, and then the latest is wanted.
    fs.rmSync(path.join(into, "holdfast.db"));
    const latest = await restored(history, null, { into });
    assert.deepEqual(latest.image, history.states.get(third));
    assert.equal(readHeldFile(into), null);
  });

  it("takes an older snapshot for a damaged one, and says so", async () => {
    const { history, baseSeq, third, snapshot } = await smallHistory();
    await history.change(snapshot, flipped(120));
    const outcome = await restored(history, null);
    assert.deepEqual(outcome.image, history.states.get(third));
    const { snapshotSeq, damages } = outcome.restored;
    assert.equal(snapshotSeq, baseSeq);
    assert.match(damages.join(), new RegExp(`^${snapshot}: the checksum of the pages`));
  });

  it("of a prefix that is empty, or only claimed, is told so", async () => {
    const history = new MadeHistory();
    const options = { bucket: history.bucket, directory: directory(), inspect: () => [] };
    const compare = () => COMPARED;
    const none = { kind: "empty" };
    assert.deepEqual(await restore({ ...options, point: { kind: "latest" } }), none);
    assert.deepEqual(await restore({ ...options, point: after(1), compare }), none);
    await history.claim("alpha");
    assert.deepEqual(await restore({ ...options, point: { kind: "latest" } }), none);
    // A base is under way: its snapshot is there, its segment not yet.
    await history.base(2, "begun");
    await history.remove(17);
    assert.deepEqual(await restore({ ...options, point: { kind: "latest" } }), none);
  });
});

describe("a restore that cannot be had says why, and leaves the directory as it was:", () => {
  type Small = Awaited<ReturnType<typeof smallHistory>>;
  const FIRST =
    "has no state so early: the first one is that after segment 17 of 2026-11-26T09:02:00.000Z";
  const cases: Record<string, (small: Small) => Promise<readonly [PastPoint | null, RegExp]>> = {
    "before the first segment": async () => [after(3), new RegExp(FIRST)],
    "before the first moment": async ({ history, baseSeq }) => [
      { kind: "time", atMs: history.timeOf(baseSeq) - 1 },
      new RegExp(FIRST),
    ],
    "a number in the window behind a claim": async ({ history, third }) => {
      const claimSeq = await history.claim("beta");
      const next = await history.delta([1], "of beta");
      const said = `has no segment ${claimSeq + 3}: segment ${claimSeq} is followed by segment ${next}`;
      assert.equal(claimSeq, third + 1);
      return [after(claimSeq + 3), new RegExp(said)];
    },
    "a number that has not been yet": async ({ third }) => [
      after(third + 1000),
      new RegExp(`has no segment ${third + 1000}: it ends with segment ${third}`),
    ],
    "a damaged segment": async ({ history, third }) => {
      await history.change(segmentKey(third), flipped(200));
      return [
        null,
        new RegExp(
          `segment ${third}: the checksum .* is wrong. The last state before that is the one after segment ${third - 1}`,
        ),
      ];
    },
    "a missing segment": async ({ history, third }) => {
      for (let count = 0; count < 20; count += 1) await history.delta([1], `delta ${count}`);
      await history.remove(third);
      return [null, new RegExp(`segment ${third} is missing, and segment ${third + 16} is there`)];
    },
    "no snapshot that is whole": async ({ history, baseSeq, snapshot }) => {
      await history.change(snapshot, flipped(120));
      await history.change(snapshotKey(baseSeq, 1), (bytes) => bytes.subarray(0, 150));
      return [null, new RegExp(`^DamageError: ${snapshot}: `)];
    },
    "no snapshot at all": async ({ history, baseSeq, snapshot }) => {
      await history.bucket.delete([snapshot, snapshotKey(baseSeq, 1)]);
      return [null, new RegExp(`the snapshot of base segment ${baseSeq} is missing`)];
    },
    "the segment of the only snapshot is missing": async ({ history, baseSeq, snapshot }) => {
      await history.bucket.delete([snapshot]);
      await history.remove(baseSeq);
      return [
        null,
        new RegExp(`segment ${baseSeq} is missing, of which snapshots/0{14}11-0{7}1 is`),
      ];
    },
    "a missing payload": async ({ history, blob }) => {
      await history.bucket.delete([blobKey(blob)]);
      return [null, new RegExp(`${blobKey(blob)}: the payload is missing`)];
    },
  };
  for (const [what, make] of Object.entries(cases)) {
    it(what, async () => {
      const small = await smallHistory();
      const [past, message] = await make(small);
      const into = directory();
      await assert.rejects(restored(small.history, past, { into }), message);
      assert.deepEqual(fs.readdirSync(into), []);
    });
  }
});
