import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command, Outcome } from "../../sdk/protocol/messages.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Input } from "./input.ts";
import { attemptIn, id, invoke, output, text, types, value, World } from "./world.suite.ts";

const message = (
  over: { topic?: string; message?: string; idempotencyKey?: string | null } = {},
) => {
  const { topic = "approvals", message: body = "m", idempotencyKey = null } = over;
  const at = { id: id(1), replyTo: 7 } as const;
  return { type: "send-message", ...at, topic, message: text(body), idempotencyKey } as const;
};
const signal = (name: string, result: Outcome = value("s")): Input => ({
  type: "signal",
  id: id(1),
  signal: { kind: "signal-name", name },
  result,
  replyTo: null,
});
const getEvent = (key: string): Input & { replyTo: number } => ({
  type: "get-event",
  id: id(1),
  key,
  replyTo: 7,
});

/** The named signals in a journal, with their values. */
function signals(world: World, seq: number): string[] {
  return world.store.read((reader) =>
    reader.entriesOfType(seq, MessageType.Signal).map(({ type, body }) => {
      const { id: of, result } = decodeMessage(type, body) as {
        id: { name: string };
        result: { value?: Uint8Array };
      };
      return `${of.name}=${new TextDecoder().decode(result.value)}`;
    }),
  );
}

describe("a message", () => {
  it("gets the next number of its topic, from whoever it comes", () => {
    const world = new World();
    const { seq } = world.start();
    world.apply(message({ message: "a" }), signal("hf.msg/approvals", value("b")));
    world.apply(message({ topic: "x/1", message: "c" }), message({ message: "d" }));
    assert.deepEqual(signals(world, seq), [
      "hf.msg/approvals/0=a",
      "hf.msg/approvals/1=b",
      "hf.msg/x/1/0=c",
      "hf.msg/approvals/2=d",
    ]);
  });

  it("cannot take a number of its own choice", () => {
    const world = new World();
    const { seq } = world.start();
    world.apply(signal("hf.msg/approvals/7"), message());
    assert.deepEqual(signals(world, seq), ["hf.msg/approvals/7/0=s", "hf.msg/approvals/0=m"]);
  });

  it("to an invocation that has not started is there when it starts", () => {
    const world = new World();
    world.apply(invoke({ startAtMs: world.nowMs + 1000 }));
    assert.deepEqual(world.ask(message()), { kind: "delivered", isNew: true });
    world.nowMs += 1000;
    const { seq } = attemptIn(world.apply({ type: "timers-due" }));
    assert.deepEqual(signals(world, seq), ["hf.msg/approvals/0=m"]);
  });

  it("is stored once for each idempotency key and topic", () => {
    const world = new World();
    const { seq } = world.start();
    const keyed = message({ idempotencyKey: "k/ 1" });
    assert.deepEqual(world.ask(keyed), { kind: "delivered", isNew: true });
    assert.deepEqual(world.ask(keyed), { kind: "delivered", isNew: false });
    const other = message({ topic: "other", idempotencyKey: "k/ 1" });
    assert.deepEqual(world.ask(other), { kind: "delivered", isNew: true });
    const named = signals(world, seq).filter((each) => each.startsWith("hf.msg"));
    assert.deepEqual(named, ["hf.msg/approvals/0=m", "hf.msg/other/0=m"]);
  });

  it("wakes a handler that waits for it, and no other", () => {
    const world = new World();
    const attempt = world.start();
    world.apply({
      type: "suspend",
      attempt,
      knownEntries: 1,
      suspension: {
        type: MessageType.Suspension,
        completions: [],
        signals: [1],
        namedSignals: ["hf.msg/approvals/0"],
      },
    });
    world.apply(message({ topic: "other" }));
    assert.equal(world.status(attempt.seq), "suspended");
    world.apply(message());
    assert.equal(world.status(attempt.seq), "running");
  });

  it("to nobody, or to one who is over, is refused", () => {
    const world = new World();
    assert.deepEqual(world.ask(message()), { kind: "not-found" });
    // Kept for a while, since it is asked for by its key.
    const attempt = world.start({ idempotencyKey: "k" });
    world.send(attempt, output("done"));
    world.apply({ type: "end", attempt });
    assert.deepEqual(world.ask(message()), { kind: "conflict", status: "completed" });
  });
});

describe("a published event", () => {
  it("is the latest value under its key, whoever set it", () => {
    const world = new World();
    const attempt = world.start();
    const set: Command = {
      type: MessageType.SendSignalCommand,
      name: "",
      targetInvocationId: invocationIdToString(id(1)),
      signal: { kind: "signal-name", name: "hf.event/progress" },
      result: value("1"),
    };
    const effects = world.send(attempt, set);
    assert.deepEqual(types(effects), ["forward", "published"]);
    const first = world.ask(getEvent("progress"));
    assert(first.kind === "event" && first.state !== null && !first.isOver);
    assert.deepEqual([first.state.index, first.state.outcome], [2, value("1")]);
    assert.equal(first.state.atMs, world.nowMs);
    world.apply({
      type: "publish-event",
      id: id(1),
      key: "progress",
      value: text("2"),
      replyTo: 7,
    });
    const second = world.ask(getEvent("progress"));
    assert(second.kind === "event" && second.state !== null);
    assert.deepEqual([second.state.index, second.state.outcome], [3, value("2")]);
    assert.deepEqual(world.ask({ type: "list-events", id: id(1), replyTo: 7 }), {
      kind: "events",
      events: [{ key: "progress", state: second.state }],
    });
  });

  it("that was not set is none, and never will be once the invocation is over", () => {
    const world = new World();
    assert.deepEqual(world.ask(getEvent("x")), { kind: "not-found" });
    const attempt = world.start({ idempotencyKey: "k" });
    const { seq } = attempt;
    const none = { kind: "event", seq, state: null } as const;
    assert.deepEqual(world.ask(getEvent("x")), { ...none, isOver: false });
    world.send(attempt, output("done"));
    world.apply({ type: "end", attempt });
    assert.deepEqual(world.ask(getEvent("x")), { ...none, isOver: true });
  });

  it("can be a failure, or nothing", () => {
    const world = new World();
    world.start();
    const failure = { kind: "failure", failure: { code: 500, message: "no" } } as const;
    world.apply(signal("hf.event/a", failure), signal("hf.event/b", value("")));
    const [a, b] = [world.ask(getEvent("a")), world.ask(getEvent("b"))];
    assert(a.kind === "event" && b.kind === "event");
    assert.deepEqual([a.state?.outcome, b.state?.outcome], [failure, value("")]);
  });
});
