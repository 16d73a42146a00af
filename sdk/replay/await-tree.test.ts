/** Protocol V7: what a handler waits for as a tree, and steps that are acknowledged. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { depthOf } from "../../server/journal/await-tree.ts";
import { decodeMessage, encodeBody } from "../protocol/codec.ts";
import { FUTURE_DEPTH_MAX } from "../protocol/limits.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Future, Message } from "../protocol/messages.ts";
import { type AwaitNode, Decoded, Mapped } from "./await-node.ts";
import { All, AllSettled, AnyOf, Race } from "./combinators.ts";
import {
  CANCEL,
  END,
  failure,
  input,
  invocationId,
  MachineTest,
  output,
  proposed,
  ran,
  runCommand,
  settledValue,
  signal,
  sleepCommand,
  slept,
  start,
  value,
} from "./machine.suite.ts";
import { call, sleep } from "./syscalls.ts";

const future = (combinator: Future["combinator"], parts: Partial<Future>): Future => ({
  completions: [],
  signals: [],
  namedSignals: [],
  nested: [],
  combinator,
  ...parts,
});
const suspendedOn = (awaitingOn: Future): Message => ({
  type: MessageType.Suspension,
  completions: [],
  signals: [],
  namedSignals: [],
  awaitingOn,
});
const awaitingOn = (tree: Future): Message => ({
  type: MessageType.AwaitingOn,
  awaitingOn: tree,
  executingSideEffects: false,
});
const acknowledged = (completionId: number): Message => ({
  type: MessageType.ProposeRunCompletionAck,
  completionId,
});
const mapped = (node: AwaitNode<unknown>): AwaitNode<unknown> => new Mapped(node, () => 1);

/** The tree of a suspension on this node, with what cancels it. */
function treeOf(test: MachineTest, ...nodes: AwaitNode<unknown>[]): Future {
  test.machine.onInputClosed();
  assert.equal(test.progress(...nodes), "closed");
  const last = test.written().at(-1);
  assert.ok(last?.type === MessageType.Suspension && last.awaitingOn !== undefined);
  return last.awaitingOn;
}

/** The one thing that is awaited besides the cancellation. */
function onlyNested(tree: Future): Future {
  const [only, ...others] = tree.nested;
  assert.ok(only !== undefined && others.length === 0);
  assert.deepEqual([tree.combinator, tree.signals, tree.completions], [1, [1], []]);
  return only;
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

describe("a suspension on V7", () => {
  it("has a single await beside the cancellation", () => {
    const test = MachineTest.replayingTrees(input());
    const tree = treeOf(test, sleep(test.machine, "", 5));
    assert.deepEqual(tree, future(1, { completions: [1], signals: [1] }));
  });

  it("has all awaits of the flows of a handler, of which each is enough", () => {
    const test = MachineTest.replayingTrees(input());
    const both = new All([sleep(test.machine, "", 5), test.machine.namedSignal("go")]);
    const tree = treeOf(test, sleep(test.machine, "", 5), both);
    assert.deepEqual(
      tree,
      future(1, {
        completions: [2],
        signals: [1],
        nested: [future(4, { completions: [1], namedSignals: ["go"] })],
      }),
    );
  });

  it("has the bytes of the official SDK for a race of mapped timers and an awakeable", () => {
    const test = MachineTest.replayingTrees(input());
    const long = mapped(sleep(test.machine, "long", 60));
    const short = mapped(sleep(test.machine, "short", 2));
    const race = new Race<unknown>([long, test.machine.signal(17), short]);
    const tree = "16120101220f12011122030a010122030a010228012801";

    assert.equal(test.progress(race), "waiting");
    const hint = test.written().at(-1);
    assert.ok(hint?.type === MessageType.AwaitingOn);
    assert.equal(hex(encodeBody(hint)), `0a${tree}`);

    test.machine.onInputClosed();
    assert.equal(test.progress(race), "closed");
    const [last] = test.written();
    assert.ok(last?.type === MessageType.Suspension);
    assert.equal(hex(encodeBody(last)), `22${tree}`);
    assert.deepEqual(decodeMessage(last.type, encodeBody(last)), last);
  });

  it("says how what is combined is decided", () => {
    for (const [Combined, combinator] of [
      [Race, 1],
      [AllSettled, 2],
      [AnyOf, 3],
      [All, 4],
    ] as const) {
      const test = MachineTest.replayingTrees(input());
      const leaves = [test.machine.signal(17), test.machine.signal(18)];
      const tree = onlyNested(treeOf(test, new Combined<unknown>(leaves)));
      assert.deepEqual(tree, future(combinator, { signals: [17, 18] }));
    }
  });

  it("leaves out what is decided", () => {
    const test = MachineTest.replayingTrees(input());
    const sleeps = [1, 2, 3].map((ms) => sleep(test.machine, "", ms));
    const all = new All<unknown>(sleeps);
    test.feed(slept(1));
    assert.deepEqual(onlyNested(treeOf(test, all)), future(4, { completions: [2, 3] }));
  });

  it("says of a mapping that it may come out either way, once for several in a row", () => {
    const test = MachineTest.replayingTrees(input());
    const node = new All([mapped(mapped(test.machine.signal(17))), test.machine.signal(18)]);
    assert.deepEqual(
      onlyNested(treeOf(test, node)),
      future(4, { signals: [18], nested: [future(0, { signals: [17] })] }),
    );
  });

  it("says nothing of a decoding, which succeeds when its result does", () => {
    const test = MachineTest.replayingTrees(input());
    const node = new Decoded(test.machine.signal(17), () => 1);
    assert.deepEqual(treeOf(test, node), future(1, { signals: [1, 17] }));
  });

  it("does not say how a race comes out that one result decides in several ways", () => {
    const test = MachineTest.replayingTrees(input());
    const leaf = test.machine.signal(17);
    const race = new Race<unknown>([new AllSettled([leaf]), leaf]);
    assert.deepEqual(
      onlyNested(treeOf(test, new AnyOf<unknown>([race, test.machine.signal(18)]))),
      future(3, {
        signals: [18],
        nested: [future(0, { signals: [17], nested: [future(2, { signals: [17] })] })],
      }),
    );
  });

  it("never has more levels than the server takes", () => {
    const test = MachineTest.replayingTrees(input());
    let node: AwaitNode<unknown> = test.machine.signal(17);
    for (let level = 0; level < 1500; level += 1) {
      node = new AllSettled<unknown>([node, test.machine.signal(18 + level)]);
    }
    const tree = treeOf(test, node);
    assert.equal(depthOf(tree), FUTURE_DEPTH_MAX);
    let innermost = tree;
    for (let next = tree.nested[0]; next !== undefined; next = next.nested[0]) innermost = next;
    assert.equal(innermost.combinator, 0);
    assert.ok(innermost.signals.includes(17) && innermost.signals.length > 500);
  });

  it("has no cancellation any more once the handler has survived one", () => {
    const test = MachineTest.replayingTrees(input(), CANCEL);
    const first = test.machine.signal(17);
    assert.equal(test.progress(first), "cancelled");
    const all = new All<unknown>([test.machine.signal(18), test.machine.signal(19)]);
    assert.deepEqual(treeOf(test, all), future(4, { signals: [18, 19] }));
  });

  it("waits for the id of a child that is still to be cancelled, and for nothing else", () => {
    const test = MachineTest.replayingTrees(input());
    const fields = { service: "S", handler: "h", key: "", parameter: new Uint8Array(0) };
    const { result } = call(test.machine, { ...fields, headers: [], name: "" });
    test.feed(CANCEL);
    assert.deepEqual(treeOf(test, result), future(1, { completions: [1] }));
  });

  it("fails the attempt when nothing could ever end it", () => {
    const test = MachineTest.replayingTrees(input(), CANCEL);
    assert.equal(test.progress(test.machine.signal(17)), "cancelled");
    test.machine.onInputClosed();
    assert.equal(test.progress(new All<unknown>([new Race([])])), "closed");
    test.expectError(500, /waits for nothing/);
  });
});

describe("the server is told what a handler waits for", () => {
  const onSignal = (index: number): Message => awaitingOn(future(1, { signals: [1, index] }));

  it("once for each wait", () => {
    const test = MachineTest.replayingTrees(input());
    const [first, second] = [test.machine.signal(17), test.machine.signal(18)];
    assert.equal(test.progress(first), "waiting");
    test.feed(signal(99, value("")));
    assert.equal(test.progress(first), "waiting");
    test.expectWritten(onSignal(17));
    test.feed(signal(17, value("")));
    assert.equal(test.progress(first), "settled");
    assert.equal(test.progress(second), "waiting");
    test.expectWritten(onSignal(18));
  });

  it("not when the wait ends at once, nor after the request has ended, nor before V7", () => {
    const test = MachineTest.replayingTrees(input(), signal(17, value("")));
    assert.equal(test.progress(test.machine.signal(17)), "settled");
    test.expectWritten();
    const late = MachineTest.replayingTrees(input());
    late.machine.onInputClosed();
    assert.equal(late.progress(late.machine.signal(17)), "closed");
    late.expectWritten(suspendedOn(future(1, { signals: [1, 17] })));
    const old = MachineTest.replaying(input());
    assert.equal(old.progress(old.machine.signal(17)), "waiting");
    old.expectWritten();
  });

  it("not while a step is executed or on its way to the journal, but then", () => {
    const test = MachineTest.replayingTrees(input());
    const run = test.machine.run("a", "a");
    const both = new All<unknown>([run, test.machine.signal(17)]);
    const progress = test.ask(both);
    assert.ok(progress.kind === "execute");
    assert.equal(test.progress(both), "waiting");
    test.machine.proposeRun(run, value("1"));
    assert.equal(test.progress(both), "waiting");
    test.expectWritten(runCommand(1, "a"), proposed(1, value("1")));
    test.feed(acknowledged(1));
    assert.equal(test.progress(both), "waiting");
    test.expectWritten(
      awaitingOn(future(1, { signals: [1], nested: [future(4, { signals: [17] })] })),
    );
  });

  it("also while there are steps that nobody awaits", () => {
    const test = MachineTest.replayingTrees(input());
    test.machine.run("a", "a");
    assert.equal(test.progress(test.machine.signal(17)), "waiting");
    test.expectWritten(runCommand(1, "a"), onSignal(17));
  });
});

describe("a step on V7", () => {
  it("is known once the server acknowledges its result, at that place of the journal", () => {
    const test = MachineTest.replayingTrees(input());
    const run = test.machine.run("a", "a");
    const race = new Race<unknown>([run, test.machine.signal(17)]);
    test.execute(value("42"), race);
    test.feed(signal(17, value("first")), acknowledged(1));
    assert.equal(test.progress(race), "settled");
    assert.deepEqual(settledValue(race), value("first"));
    assert.equal(run.poll(), undefined);
    assert.equal(test.progress(run), "settled");
    assert.deepEqual(settledValue(run), value("42"));
    test.machine.end(value(""));
    test.expectWritten(runCommand(1, "a"), proposed(1, value("42")), output(value("")), END);
  });

  it("may fail for good", () => {
    const test = MachineTest.replayingTrees(input());
    const run = test.machine.run("a", "a");
    test.execute(failure(500, "no"), run);
    test.feed(acknowledged(1));
    assert.equal(test.progress(run), "settled");
    assert.deepEqual(settledValue(run), failure(500, "no"));
  });

  it("may be answered with the whole result instead, which is the one that counts", () => {
    const test = MachineTest.replayingTrees(input());
    const run = test.machine.run("a", "a");
    test.execute(value("42"), run);
    test.feed(ran(1, value("43")));
    assert.equal(test.progress(run), "settled");
    assert.deepEqual(settledValue(run), value("43"));
  });

  it("is waited for in a suspension when the request has ended", () => {
    const test = MachineTest.replayingTrees(input());
    const run = test.machine.run("a", "a");
    test.machine.onInputClosed();
    test.execute(value("42"), run);
    assert.equal(test.progress(run), "closed");
    test.expectWritten(
      runCommand(1, "a"),
      proposed(1, value("42")),
      suspendedOn(future(1, { completions: [1], signals: [1] })),
    );
  });

  it("cannot be acknowledged before it is proposed, twice, in the replay, or before V7", () => {
    const early = MachineTest.replayingTrees(input());
    early.machine.run("a", "a");
    early.feed(acknowledged(1));
    early.expectError(571, /step 1 was acknowledged/);

    const twice = MachineTest.replayingTrees(input());
    twice.execute(value(""), twice.machine.run("a", "a"));
    twice.feed(acknowledged(1), acknowledged(1));
    twice.expectError(571, /step 1 was acknowledged/);

    MachineTest.replayingTrees(input(), acknowledged(1)).expectError(571, /within the replay/);

    const old = MachineTest.replaying(input());
    old.execute(value(""), old.machine.run("a", "a"));
    old.feed(acknowledged(1));
    old.expectError(571, /ProposeRunCompletionAck came after the replay/);
  });

  it("is executed again when the journal has no result", () => {
    const test = MachineTest.replayingTrees(input(), sleepCommand(1, 5), runCommand(2, "a"));
    sleep(test.machine, "", 5);
    test.execute(value("1"), test.machine.run("a", "a"));
    test.expectWritten(proposed(2, value("1")));
  });

  it("is not waited for once the invocation is cancelled", () => {
    const test = MachineTest.replayingTrees(input(), invocationId(9), CANCEL);
    assert.equal(test.progress(test.machine.run("a", "a")), "cancelled");
    test.expectWritten(runCommand(1, "a"));
  });
});

describe("an error on V7", () => {
  it("says what is to become of an invocation that does not follow its journal", () => {
    for (const [onMismatch, behavior] of [
      [0, undefined],
      [1, 1],
      [2, 2],
    ] as const) {
      const test = new MachineTest(7, { onMismatch });
      test.feed(start(2), input(), runCommand(1, "a"));
      test.machine.run("b", "b");
      assert.equal(test.expectError(570, /holds Run "a"/).behavior, behavior);
    }
    const old = new MachineTest(6, { onMismatch: 2 });
    old.feed(start(2), input(), runCommand(1, "a"));
    old.machine.run("b", "b");
    assert.equal(old.expectError(570, /holds Run "a"/).behavior, undefined);
  });
});
