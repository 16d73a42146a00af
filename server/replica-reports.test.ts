import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ranSinceLines, restoredText, verifiedText } from "./replica-reports.ts";
import type { HeldInvocation, HeldReport } from "./replica/held-file.ts";

const MOMENT = { seq: 41, atIso: "2026-11-26T09:00:00.000Z" };
const LATEST = { seq: 97, atIso: "2026-11-26T09:10:00.000Z" };
const NONE: HeldReport = {
  restoredTo: MOMENT,
  latest: LATEST,
  problem: null,
  invocations: [],
  total: 0,
  unknownCount: 0,
};
const SPAN = `between segment 41 (${MOMENT.atIso}) and segment 97 (${LATEST.atIso})`;

const one = (index: number): HeldInvocation => ({
  id: `inv_1${index}`,
  target: "Cart/a/add",
  statusThen: "suspended",
  entriesThen: 3,
  statusLatest: "gone",
  entriesLatest: 0,
});

describe("the report of what ran since", () => {
  it("says that nothing did", () => {
    assert.deepEqual(ranSinceLines(NONE), [`No open invocation went on ${SPAN}.`]);
  });

  it("names twenty, counts all, and says how many are not known", () => {
    const invocations = Array.from({ length: 30 }, (_, index) => one(index));
    const lines = ranSinceLines({ ...NONE, invocations, total: 1100, unknownCount: 2 });
    assert.equal(lines[0], `1100 open invocations went on ${SPAN}; steps will run again:`);
    assert.equal(lines[1], "  inv_10  Cart/a/add  suspended -> gone, entries 3 -> 0");
    assert.equal(lines.length, 23);
    assert.deepEqual(lines.slice(21), [
      "  and 1080 more",
      "2 invocations of that time are not known here.",
    ]);
  });

  it("says that it is not known, or not all, and why", () => {
    const problem = "segment 42 is missing, and segment 90 is there";
    const partly = ranSinceLines({ ...NONE, problem });
    assert.equal(partly[0], `The latest state is not all there was: ${problem}`);
    assert.equal(partly.length, 2);
    assert.deepEqual(ranSinceLines({ ...NONE, latest: null, problem }), [
      `The latest state is not all there was: ${problem}`,
      "What ran after this moment is therefore not known.",
    ]);
  });
});

describe("what a restore says", () => {
  const facts = {
    kind: "restored",
    seq: 41,
    timeMs: Date.parse(MOMENT.atIso),
    snapshotSeq: 17,
    segments: 1,
    blobs: 2,
    bytes: 1536,
    damages: ["snapshots/x: it is cut"],
    held: null,
  } as const;

  it("is which state it is and where from, behind what was passed over", () => {
    assert.equal(
      restoredText("./past", facts, 1234),
      "damaged  snapshots/x: it is cut (an older snapshot was taken instead)\n" +
        `./past is the state after segment 41 of ${MOMENT.atIso}: the snapshot of segment 17, 1 segment and ` +
        "2 large payloads, 1.5 KiB in 1.2 s\n",
    );
  });

  it("is that work is held, where it is, and how it goes on", () => {
    const text = restoredText("./past", { ...facts, damages: [], held: NONE }, 0);
    assert.match(
      text,
      /\n\nWork is held: .* `holdfast release` says so\.\nNo open invocation went on/,
    );
  });
});

it("what a verification says has its notes first, and its verdict last", () => {
  const counts = { segments: 3, snapshots: 1, blobs: 0, bytes: 10, newest: null };
  const notes = ["segments that nobody reads: 2"];
  assert.equal(
    verifiedText({ ...counts, damages: 2, notes }),
    "note     segments that nobody reads: 2\n" +
      "damaged in 2 places: 3 segments, 1 snapshot and 0 large payloads were read, 10 B; there is no state to restore\n",
  );
});
