import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Future } from "../../sdk/protocol/messages.ts";
import { advance, type Decided, depthOf, isEmpty } from "./await-tree.ts";

const of = (
  combinator: Future["combinator"],
  completions: number[],
  ...nested: Future[]
): Future => ({ completions, signals: [], namedSignals: [], nested, combinator });

const FIRST = 1;
const ALL = 2;
const ANY = 3;
const ALL_OK = 4;

/** Advances by each notification in turn; stops when the tree is decided. */
function play(tree: Future, ...news: [number, Decided][]): Future | Decided {
  let left: Future | Decided = tree;
  for (const [completionId, outcome] of news) {
    if (typeof left === "string") return left;
    left = advance(left, { kind: "completion", completionId }, outcome);
  }
  return left;
}

describe("an await tree", () => {
  it("is decided by the first of a race, with its outcome", () => {
    assert.equal(play(of(FIRST, [1, 2]), [2, "failure"]), "failure");
    assert.equal(play(of(FIRST, [1], of(ALL, [2, 3])), [2, "success"], [1, "success"]), "success");
  });

  it("waits for all of allSettled, and shrinks as they come", () => {
    assert.deepEqual(play(of(ALL, [1, 2]), [1, "failure"]), of(ALL, [2]));
    assert.equal(play(of(ALL, [1, 2]), [1, "failure"], [2, "failure"]), "success");
  });

  it("of all ends with the first failure", () => {
    assert.deepEqual(play(of(ALL_OK, [1, 2]), [1, "success"]), of(ALL_OK, [2]));
    assert.equal(play(of(ALL_OK, [1, 2]), [1, "failure"]), "failure");
    assert.equal(play(of(ALL_OK, [1, 2]), [1, "success"], [2, "success"]), "success");
  });

  it("of any ends with the first success", () => {
    assert.deepEqual(play(of(ANY, [1, 2]), [1, "failure"]), of(ANY, [2]));
    assert.equal(play(of(ANY, [1, 2]), [1, "failure"], [2, "success"]), "success");
    assert.equal(play(of(ANY, [1, 2]), [1, "failure"], [2, "failure"]), "failure");
  });

  it("asks the SDK where only that knows", () => {
    assert.equal(play(of(ALL_OK, [2], of(0, [1])), [1, "success"]), "undecidable");
    const deep = of(ALL, [9], of(ALL_OK, [2], of(0, [1])));
    assert.equal(play(deep, [1, "success"]), "undecidable");
    assert.deepEqual(play(of(ALL, [9], of(0, [1])), [1, "success"]), of(ALL, [9]));
  });

  it("is not changed by what it does not await", () => {
    const tree = of(ALL, [1], of(FIRST, [2]));
    assert.equal(play(tree, [7, "success"]), tree);
  });

  it("knows a leaf in every branch it stands in", () => {
    const tree = of(ALL, [], of(ALL, [1, 2]), of(ALL, [1, 3]));
    assert.deepEqual(play(tree, [1, "success"]), of(ALL, [], of(ALL, [2]), of(ALL, [3])));
  });

  it("counts its levels", () => {
    assert.equal(depthOf(of(FIRST, [1])), 1);
    assert.equal(depthOf(of(FIRST, [1], of(ALL, [2], of(ALL, [3])))), 3);
  });
});

function treeOf(depth: number): fc.Arbitrary<Future> {
  return fc
    .record({
      combinator: fc.constantFrom<Future["combinator"]>(0, 1, 2, 3, 4),
      completions: fc.uniqueArray(fc.integer({ min: 1, max: 5 }), { maxLength: 3 }),
      nested: depth === 0 ? fc.constant([]) : fc.array(treeOf(depth - 1), { maxLength: 2 }),
    })
    .map((node) => ({ ...node, signals: [], namedSignals: [] }));
}

const tree = treeOf(3).filter((node) => !isEmpty(node));

interface Memory {
  /** What each node came out with when it first did. */
  readonly settled: Map<Future, Decided>;
  /** How often a part could only be asked of the SDK. */
  asks: number;
}

/** The rule of service protocol 8.6, over all that is known and how each node came out before. */
function evaluate(
  node: Future,
  known: ReadonlyMap<number, Decided>,
  memory: Memory,
): Decided | "pending" {
  const before = memory.settled.get(node);
  if (before !== undefined) return before;
  const outcome = evaluateAnew(node, known, memory);
  if (outcome !== "pending") memory.settled.set(node, outcome);
  return outcome;
}

function evaluateAnew(
  node: Future,
  known: ReadonlyMap<number, Decided>,
  memory: Memory,
): Decided | "pending" {
  const children = [
    ...node.completions.map((id): Decided | "pending" => known.get(id) ?? "pending"),
    ...node.nested.filter((each) => !isEmpty(each)).map((each) => evaluate(each, known, memory)),
  ];
  const done = children.filter((each) => each !== "pending");
  const sure = done.filter((each) => each !== "undecidable");
  if (sure.length < done.length) memory.asks += 1;
  if (done.includes("either") && node.combinator > 2) memory.asks += 1;
  const decided = rule(node.combinator, sure, done.length === children.length);
  if (decided !== "pending" && decided !== "undecidable") return decided;
  if (decided !== "undecidable" && sure.length === done.length) return "pending";
  return "undecidable";
}

function rule(
  combinator: Future["combinator"],
  done: readonly Decided[],
  all: boolean,
): Decided | "pending" {
  switch (combinator) {
    case 1:
      return done[0] ?? "pending";
    case 2:
      return all ? "success" : "pending";
    case 3:
      if (done.includes("success")) return "success";
      if (done.includes("either")) return "undecidable";
      return all ? "failure" : "pending";
    case 4:
      if (done.includes("failure")) return "failure";
      if (done.includes("either")) return "undecidable";
      return all ? "success" : "pending";
    default:
      return done.length > 0 ? "either" : "pending";
  }
}

describe("advancing by one notification after another", () => {
  it("decides when the rule over everything known decides, and not before unless only the SDK knows", () => {
    const news = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom<Decided>("success", "failure")),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(tree, news, (future, sequence) => {
        let left: Future | Decided = future;
        const known = new Map<number, Decided>();
        const memory: Memory = { settled: new Map(), asks: 0 };
        for (const [completionId, outcome] of sequence) {
          if (known.has(completionId) || typeof left === "string") continue;
          known.set(completionId, outcome);
          left = advance(left, { kind: "completion", completionId }, outcome);
          const expected = evaluate(future, known, memory);
          if (expected !== "pending") assert.equal(typeof left, "string");
          else if (typeof left === "string") assert(memory.asks > 0, "woken for nothing");
        }
      }),
      { numRuns: 3000 },
    );
  });
});
