/**
 * The SDK's decision against the server's: over random trees and orders of notifications, the server, which knows only the
 * tree that was sent, never leaves a handler suspended that could go on, and where the tree says everything it does not wake
 * it for nothing either.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { advance, type Decided, depthOf } from "../../server/journal/await-tree.ts";
import type { Future, NotificationId, NotificationResult } from "../protocol/messages.ts";
import { type AwaitNode, Decoded, Leaf, Mapped, type Settled } from "./await-node.ts";
import { awaitTree } from "./await-tree.ts";
import { All, AllSettled, AnyOf, Race } from "./combinators.ts";
import { failure, value } from "./machine.suite.ts";

type Shape =
  | { readonly kind: "leaf"; readonly place: number }
  | { readonly kind: "map"; readonly how: "keep" | "flip" | "fail"; readonly of: Shape }
  | { readonly kind: "race" | "all" | "any" | "settled"; readonly of: readonly Shape[] };

const IDS: readonly NotificationId[] = [
  { kind: "completion", completionId: 1 },
  { kind: "completion", completionId: 2 },
  { kind: "completion", completionId: 3 },
  { kind: "signal-index", index: 17 },
  { kind: "signal-index", index: 18 },
  { kind: "signal-name", name: "go" },
];
const COMBINED = { race: Race, all: All, any: AnyOf, settled: AllSettled } as const;

interface News {
  readonly place: number;
  readonly ok: boolean;
}

const arbitraryLeaf: fc.Arbitrary<Shape> = fc.record({
  kind: fc.constant("leaf"),
  place: fc.nat({ max: IDS.length - 1 }),
});

const arbitraryShape = (hasMaps: boolean): fc.Arbitrary<Shape> =>
  fc.letrec<{ shape: Shape }>((tie) => ({
    shape: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      arbitraryLeaf,
      fc.record({
        kind: fc.constantFrom("race", "all", "any", "settled"),
        of: fc.array(tie("shape"), { minLength: 1, maxLength: 4 }),
      }),
      ...(hasMaps
        ? [
            fc.record({
              kind: fc.constant("map" as const),
              how: fc.constantFrom("keep", "flip", "fail"),
              of: tie("shape"),
            }),
          ]
        : []),
    ),
  })).shape;

/** The places of its leaves. */
const placesOf = (shape: Shape): number[] => {
  if (shape.kind === "leaf") return [shape.place];
  return shape.kind === "map" ? placesOf(shape.of) : shape.of.flatMap(placesOf);
};
const hasRepeats = (shape: Shape): boolean => {
  const places = placesOf(shape);
  return new Set(places).size < places.length;
};

/** Every notification once, in any order. */
const arbitraryNews: fc.Arbitrary<News[]> = fc
  .shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 })
  .chain((places) => fc.tuple(...places.map((place) => arbitraryOf(place))));

const arbitraryOf = (place: number): fc.Arbitrary<News> =>
  fc.record({ place: fc.constant(place), ok: fc.boolean() });

/** A handler that awaits one tree. */
class Handler {
  readonly #leaves = IDS.map((id) => new Leaf(id));
  readonly #root: AwaitNode<unknown>;

  constructor(shape: Shape, news: readonly News[]) {
    this.#root = this.#build(shape);
    this.#root.poll();
    for (const each of news) this.learn(each);
  }

  learn({ place, ok }: News): void {
    const result: NotificationResult = ok ? value("") : failure(500, "no");
    this.#leaves[place]?.deliver(result);
    // As the machine does, after every single one.
    this.#root.poll();
  }

  get outcome(): Settled<unknown> | undefined {
    return this.#root.poll();
  }

  get tree(): Future {
    const tree = awaitTree(this.#root, true);
    assert.ok(tree !== undefined);
    return tree;
  }

  #build(shape: Shape): AwaitNode<unknown> {
    switch (shape.kind) {
      case "leaf": {
        const leaf = this.#leaves[shape.place];
        assert.ok(leaf !== undefined);
        return new Decoded(leaf, (settled) => {
          assert.ok(settled.ok);
          if (settled.value.kind === "failure") throw new Error("no");
        });
      }
      case "map":
        return new Mapped(this.#build(shape.of), ({ ok }) => {
          const fails = shape.how === "fail" || (shape.how === "flip" ? ok : !ok);
          if (fails) throw new Error("mapped");
        });
      default:
        return new COMBINED[shape.kind](shape.of.map((each) => this.#build(each)));
    }
  }
}

interface Woken {
  /** How many more notifications it took. */
  readonly after: number;
  readonly decided: Decided;
}

/** When the server wakes a handler that was suspended on the tree. */
function wakeUp(tree: Future, news: readonly News[]): Woken | undefined {
  let left = tree;
  for (const [at, { place, ok }] of news.entries()) {
    const id = IDS[place];
    assert.ok(id !== undefined);
    const next = advance(left, id, ok ? "success" : "failure");
    if (typeof next === "string") return { after: at + 1, decided: next };
    left = next;
  }
  return undefined;
}

/** When the handler can go on. */
function decision(shape: Shape, news: readonly News[], from: number): number | undefined {
  const handler = new Handler(shape, news.slice(0, from));
  for (const [at, each] of news.slice(from).entries()) {
    handler.learn(each);
    if (handler.outcome !== undefined) return at + 1;
  }
  return undefined;
}

/** Both, for a handler that is suspended after the first `from` notifications; undefined when it is not. */
function compare(shape: Shape, news: readonly News[], from: number) {
  const suspended = new Handler(shape, news.slice(0, from));
  if (suspended.outcome !== undefined) return undefined;
  const woken = wakeUp(suspended.tree, news.slice(from));
  return { woken, decidedAfter: decision(shape, news, from) };
}

const from = fc.nat({ max: 5 });
const RUNS = { numRuns: 2000 };

describe("the server and the SDK on what ends a wait", () => {
  it("agree to the notification, and on how it came out, when nothing is mapped or repeated", () => {
    fc.assert(
      fc.property(arbitraryShape(false), arbitraryNews, from, (shape, news, seen) => {
        fc.pre(!hasRepeats(shape));
        const compared = compare(shape, news, seen);
        if (compared === undefined) return;
        const { woken, decidedAfter } = compared;
        assert.equal(woken?.after, decidedAfter);
        if (woken === undefined) return;
        const handler = new Handler(shape, news.slice(0, seen + woken.after));
        assert.equal(woken.decided, handler.outcome?.ok === true ? "success" : "failure");
      }),
      RUNS,
    );
  });

  it("never leave a handler suspended that could go on, whatever is mapped", () => {
    fc.assert(
      fc.property(arbitraryShape(true), arbitraryNews, from, (shape, news, seen) => {
        const compared = compare(shape, news, seen);
        if (compared === undefined) return;
        const { woken, decidedAfter = Infinity } = compared;
        assert.ok((woken?.after ?? Infinity) <= decidedAfter, JSON.stringify(compared));
        // Woken to no avail is only a combination that asks how a mapping, or a race over something repeated, came out.
        if (woken !== undefined && woken.decided !== "undecidable") {
          assert.equal(woken.after, decidedAfter);
        }
      }),
      RUNS,
    );
  });

  it("agree also after a wake-up to no avail, when what is decided is left out", () => {
    fc.assert(
      fc.property(arbitraryShape(true), arbitraryNews, (shape, news) => {
        let seen = 0;
        for (let turn = 0; turn <= news.length; turn += 1) {
          const compared = compare(shape, news, seen);
          if (compared === undefined) return;
          const { woken, decidedAfter } = compared;
          if (woken === undefined) return assert.equal(decidedAfter, undefined);
          seen += woken.after;
        }
        assert.fail("woken more often than there are notifications");
      }),
      RUNS,
    );
  });

  it("end a wait when the invocation is cancelled, and only once", () => {
    fc.assert(
      fc.property(arbitraryShape(true), (shape) => {
        const { tree } = new Handler(shape, []);
        const cancel = { kind: "signal-index", index: 1 } as const;
        assert.equal(advance(tree, cancel, "success"), "success");
        assert.ok(depthOf(tree) >= 1);
      }),
    );
  });
});
