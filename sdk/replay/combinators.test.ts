import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AwaitNode, Constant, Leaf, Mapped, type Settled } from "./await-node.ts";
import { All, AllSettled, AnyOf, Race } from "./combinators.ts";
import {
  input,
  MachineTest,
  settledValue,
  signal,
  sleepCommand,
  slept,
  suspended,
  value,
} from "./machine.suite.ts";
import { sleep } from "./syscalls.ts";

const leaf = (completionId: number): Leaf => new Leaf({ kind: "completion", completionId });
const named = (node: AwaitNode<unknown>, name: string): Mapped<unknown, string> =>
  new Mapped(node, () => name);
const failing = (node: AwaitNode<unknown>, message: string): Mapped<unknown, string> =>
  new Mapped<unknown, string>(node, () => {
    throw new Error(message);
  });

describe("a race", () => {
  it("is won by the first in the journal, not the first in the list", () => {
    const test = MachineTest.replaying(
      input(),
      sleepCommand(1, 60),
      sleepCommand(2, 5),
      slept(2),
      slept(1),
    );
    const [long, short] = [sleep(test.machine, "", 60), sleep(test.machine, "", 5)];
    const race = new Race([named(long, "long"), named(short, "short")]);
    assert.equal(test.progress(race), "settled");
    assert.equal(settledValue(race), "short");
    assert.equal(long.poll(), undefined);
  });

  it("suspends on everything that could win it", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 60);
    const race = new Race<unknown>([named(nap, "nap"), test.machine.signal(17)]);
    test.machine.onInputClosed();
    assert.equal(test.progress(race), "closed");
    test.expectWritten(sleepCommand(1, 60), suspended([1], [1, 17]));
  });

  it("inside another combination finds its winner when it happens, not when the whole is decided", () => {
    const test = MachineTest.replaying(input());
    const [first, second, last] = [17, 18, 19].map((index) => test.machine.signal(index));
    assert.ok(first && second && last);
    const race = new Race([named(first, "first"), named(second, "second")]);
    const all = new All<unknown>([race, last]);
    test.feed(signal(18, value("")), signal(17, value("")), signal(19, value("")));
    assert.equal(test.progress(all), "settled");
    assert.equal(settledValue(race), "second");
  });

  it("of nothing is never decided", () => {
    const test = MachineTest.replaying(input());
    assert.equal(test.progress(new Race([])), "waiting");
  });
});

describe("all", () => {
  it("gives the values in the order of the list", () => {
    const [a, b] = [leaf(1), leaf(2)];
    const all = new All([named(a, "a"), named(b, "b")]);
    b.deliver({ kind: "void" });
    assert.equal(all.poll(), undefined);
    a.deliver({ kind: "void" });
    assert.deepEqual(settledValue(all), ["a", "b"]);
  });

  it("ends with the first failure, and waits for nothing more", () => {
    const [a, b] = [leaf(1), leaf(2)];
    const all = new All([named(a, "a"), failing(b, "b failed")]);
    b.deliver({ kind: "void" });
    const settled = all.poll();
    assert.ok(settled !== undefined && !settled.ok);
    assert.match(String(settled.error), /b failed/);
    const left: Leaf[] = [];
    all.collect(left);
    assert.deepEqual(left, []);
  });

  it("leaves out of the await set what is decided", () => {
    const test = MachineTest.replaying(input());
    const leaves = [17, 18, 19].map((index) => test.machine.signal(index));
    const all = new All(leaves);
    test.feed(signal(18, value("")));
    assert.equal(test.progress(all), "waiting");
    test.machine.onInputClosed();
    assert.equal(test.progress(all), "closed");
    test.expectWritten(suspended([], [1, 17, 19]));
  });

  it("of nothing is an empty list", () => assert.deepEqual(settledValue(new All([])), []));
});

describe("any", () => {
  it("is the first value, whatever failed before it", () => {
    const [a, b] = [leaf(1), leaf(2)];
    const any = new AnyOf([failing(a, "a failed"), named(b, "b")]);
    a.deliver({ kind: "void" });
    assert.equal(any.poll(), undefined);
    b.deliver({ kind: "void" });
    assert.equal(settledValue(any), "b");
  });

  it("is an AggregateError when all fail, also of nothing", () => {
    const [a, b] = [leaf(1), leaf(2)];
    const any = new AnyOf([failing(a, "a failed"), failing(b, "b failed")]);
    b.deliver({ kind: "void" });
    a.deliver({ kind: "void" });
    const settled = any.poll();
    assert.ok(settled !== undefined && !settled.ok && settled.error instanceof AggregateError);
    assert.deepEqual(settled.error.errors.map(String), ["Error: a failed", "Error: b failed"]);
    assert.equal(new AnyOf([]).poll()?.ok, false);
  });
});

describe("allSettled", () => {
  it("gives every outcome, once all have one", () => {
    const [a, b] = [leaf(1), leaf(2)];
    const all = new AllSettled([failing(a, "a failed"), named(b, "b")]);
    a.deliver({ kind: "void" });
    assert.equal(all.poll(), undefined);
    b.deliver({ kind: "void" });
    assert.deepEqual(settledValue(all), [
      { status: "rejected", reason: new Error("a failed") },
      { status: "fulfilled", value: "b" },
    ]);
  });
});

describe("a promise in many races", () => {
  it("does not remember those it lost", () => {
    const stop = leaf(1);
    let asked = 0;
    const counted = new Mapped(stop, () => (asked += 1));
    for (let round = 0; round < 1000; round += 1) {
      const other = leaf(2);
      const race = new Race<unknown>([counted, other]);
      other.deliver({ kind: "void" });
      assert.deepEqual(settledValue(race), { kind: "void" });
    }
    const last = new Race<unknown>([counted, leaf(2)]);
    assert.equal(last.poll(), undefined);
    stop.deliver({ kind: "void" });
    assert.equal(settledValue(last), 1);
  });
});

describe("a mapper", () => {
  it("runs once, when the outcome is first asked for", () => {
    const source = leaf(1);
    let runs = 0;
    const mapped = new Mapped(source, () => (runs += 1));
    source.deliver({ kind: "void" });
    assert.equal(runs, 0);
    mapped.poll();
    mapped.poll();
    assert.equal(runs, 1);
  });
});

/** The definitions, over the outcomes as they arrive. */
function expected(
  kind: string,
  arrived: readonly (Settled<number> | undefined)[],
  inOrder: readonly Settled<number>[],
): string {
  const done = arrived.every((each) => each !== undefined);
  const oks = inOrder.filter((each) => each.ok);
  const fails = inOrder.filter((each) => !each.ok);
  switch (kind) {
    case "race":
      return inOrder[0] === undefined ? "pending" : show(inOrder[0]);
    case "all":
      if (fails[0] !== undefined) return show(fails[0]);
      return done
        ? `values ${arrived.map((each) => (each?.ok ? each.value : "")).join()}`
        : "pending";
    case "any":
      if (oks[0] !== undefined) return show(oks[0]);
      return done ? "all failed" : "pending";
    default:
      return done
        ? `outcomes ${arrived.map((each) => (each === undefined ? "" : show(each))).join()}`
        : "pending";
  }
}

const show = (settled: Settled<number>): string =>
  settled.ok ? `value ${settled.value}` : `error ${String(settled.error)}`;

function actual(kind: string, nodes: readonly AwaitNode<number>[]): () => string {
  if (kind === "race" || kind === "any") {
    const node = kind === "race" ? new Race(nodes) : new AnyOf(nodes);
    return () => {
      const settled = node.poll();
      if (settled === undefined) return "pending";
      return !settled.ok && settled.error instanceof AggregateError ? "all failed" : show(settled);
    };
  }
  if (kind === "all") {
    const node = new All(nodes);
    return () => {
      const settled = node.poll();
      if (settled === undefined) return "pending";
      return settled.ok ? `values ${settled.value.join()}` : `error ${String(settled.error)}`;
    };
  }
  const node = new AllSettled(nodes);
  return () => {
    const settled = node.poll();
    if (settled === undefined || !settled.ok) return "pending";
    const each = settled.value.map((one): Settled<number> =>
      one.status === "fulfilled"
        ? { ok: true, value: one.value }
        : { ok: false, error: one.reason },
    );
    return `outcomes ${each.map(show).join()}`;
  };
}

describe("every combinator", () => {
  it("does what its counterpart of Promise says, for outcomes in any order", () => {
    const outcomes = fc.array(fc.boolean(), { minLength: 1, maxLength: 6 });
    const kinds = fc.constantFrom("race", "all", "any", "allSettled");
    fc.assert(
      fc.property(kinds, outcomes, fc.infiniteStream(fc.nat()), (kind, oks, keys) => {
        const leaves = oks.map((_, index) => leaf(index + 1));
        const nodes = leaves.map(
          (each, index) =>
            new Mapped(each, () => {
              if (oks[index] === true) return index;
              throw `e${index}`;
            }),
        );
        const ask = actual(kind, nodes);
        const arrived: (Settled<number> | undefined)[] = oks.map(() => undefined);
        const inOrder: Settled<number>[] = [];
        const order = leaves.map((_, index) => index);
        for (let left = order.length; left > 0; left -= 1) {
          const [index = 0] = order.splice((keys.next().value ?? 0) % left, 1);
          leaves[index]?.deliver({ kind: "void" });
          const settled: Settled<number> =
            oks[index] === true ? { ok: true, value: index } : { ok: false, error: `e${index}` };
          arrived[index] = settled;
          inOrder.push(settled);
          assert.equal(ask(), expected(kind, arrived, inOrder));
        }
      }),
    );
  });

  it("is decided at once by constants", () => {
    const one = new Constant({ ok: true, value: 1 });
    assert.deepEqual(settledValue(new All([one, one])), [1, 1]);
    assert.equal(settledValue(new Race([one])), 1);
  });
});
