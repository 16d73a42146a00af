import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import { stateVersion } from "../base/state-version.ts";
import type { AttemptRef } from "./input.ts";
import {
  attemptIn,
  attemptOf,
  call,
  failed,
  id,
  invoke,
  output,
  suspendOn,
  T0,
  text,
  value,
  World,
} from "./world.suite.ts";

const ADD = { service: "Counter", handler: "add", key: "k" };
const GET = { service: "Counter", handler: "get", key: "k" };
const INSTANCE = { service: "Counter", key: "k" };

const set = (name: string, content: string): Command => ({
  type: MessageType.SetStateCommand,
  key: text(name),
  value: text(content),
  name: "",
});
const clear = (name: string): Command => ({
  type: MessageType.ClearStateCommand,
  key: text(name),
  name: "",
});
const lazy = (name: string): Command => ({
  type: MessageType.GetLazyStateCommand,
  key: text(name),
  resultCompletionId: 1,
  name: "",
});

function end(world: World, attempt: AttemptRef) {
  world.send(attempt, output("done"));
  return world.apply({ type: "end", attempt });
}

describe("exclusive handlers of one key", () => {
  it("run one after another, in the order in which they came", () => {
    const world = new World();
    const first = world.start({ id: id(1), target: ADD });
    assert.equal(world.apply(invoke({ id: id(2), target: ADD })).length, 1, "a reply, no attempt");
    world.apply(invoke({ id: id(3), target: ADD }));
    const [second, third] = [first.seq + 1, first.seq + 2];
    assert.deepEqual(
      [second, third].map((seq) => world.status(seq)),
      ["queued", "queued"],
    );
    const next = attemptOf(end(world, first), second);
    assert.equal(world.status(third), "queued");
    assert.equal(attemptOf(end(world, next), third).seq, third);
  });

  it("of another key, and shared handlers, do not wait", () => {
    const world = new World();
    world.start({ id: id(1), target: ADD });
    world.start({ id: id(2), target: { ...ADD, key: "other" } });
    world.start({ id: id(3), target: GET });
  });

  it("hold the key while they are suspended, back off and are paused", () => {
    const world = new World();
    const attempt = world.start({ id: id(1), target: ADD });
    world.apply(invoke({ id: id(2), target: ADD }));
    world.apply(suspendOn(attempt, 1, [], [17]));
    assert.equal(world.status(attempt.seq + 1), "queued");
    const wake = world.apply({
      type: "signal",
      id: id(1),
      signal: { kind: "signal-index", index: 17 },
      result: value("x"),
      replyTo: null,
    });
    world.apply(failed(attemptIn(wake)));
    assert.equal(world.status(attempt.seq), "backing-off");
    assert.equal(world.status(attempt.seq + 1), "queued");
    world.nowMs += 1000;
    const again = attemptIn(world.apply({ type: "timers-due" }));
    world.apply(failed(again));
    assert.equal(world.status(attempt.seq), "paused");
    assert.equal(world.status(attempt.seq + 1), "queued");
    const killed = world.apply({ type: "kill", id: id(1), replyTo: null });
    assert.equal(attemptOf(killed, attempt.seq + 1).epoch, 0);
  });

  it("that are scheduled enter the queue when their time comes", () => {
    const world = new World();
    const first = world.start({ id: id(1), target: ADD });
    world.apply(invoke({ id: id(2), target: ADD, startAtMs: T0 + 100 }));
    world.apply(invoke({ id: id(3), target: ADD }));
    world.nowMs = T0 + 100;
    world.apply({ type: "timers-due" });
    assert.equal(world.status(first.seq + 1), "queued");
    assert.equal(attemptOf(end(world, first), first.seq + 2).seq, first.seq + 2);
  });

  it("that wait can be cancelled and killed, and the others move up", () => {
    const world = new World();
    const first = world.start({ id: id(1), target: ADD });
    for (const number of [2, 3, 4]) world.apply(invoke({ id: id(number), target: ADD }));
    const cancelled = world.ask({ type: "cancel", id: id(2), replyTo: 1 });
    assert.deepEqual(cancelled, { kind: "done", status: "queued" });
    assert.deepEqual(world.ask({ type: "kill", id: id(3), replyTo: 1 }), {
      kind: "done",
      status: "queued",
    });
    assert.equal(world.status(first.seq + 1), "completed");
    assert.equal(attemptOf(end(world, first), first.seq + 3).seq, first.seq + 3);
  });

  it("keep signals that come while they wait", () => {
    const world = new World();
    const first = world.start({ id: id(1), target: ADD });
    world.apply(invoke({ id: id(2), target: ADD }));
    const signal = { kind: "signal-name", name: "go" } as const;
    world.apply({ type: "signal", id: id(2), signal, result: value("x"), replyTo: null });
    assert.deepEqual(world.journal(first.seq + 1), ["InputCommand", "Signal"]);
  });

  it("called by a handler on its own key wait for it, which is a deadlock that `kill` ends", () => {
    const world = new World();
    const parent = world.start({ id: id(1), target: ADD });
    world.send(parent, { ...call({ service: "Counter" }), handler: "add", key: "k" } as Command);
    assert.equal(world.status(parent.seq + 1), "queued");
    world.apply({ type: "kill", id: id(1), replyTo: null });
    assert.equal(world.status(parent.seq), "completed");
    assert.equal(world.status(parent.seq + 1), "completed");
  });
});

describe("state", () => {
  it("is written at once, stays when the attempt fails, and is told to a lazy reader", () => {
    const world = new World();
    const attempt = world.start({ id: id(1), target: ADD });
    world.send(attempt, set("a", "1"), set("b", "2"), clear("a"), set("c", ""));
    world.apply(failed(attempt));
    assert.deepEqual(world.state("Counter", "k"), { b: "2", c: "" });
    const reader = world.start({ id: id(2), target: GET });
    const effects = world.send(reader, lazy("b"));
    const forward = effects.find((effect) => effect.type === "forward");
    assert(forward?.type === "forward");
    const message = decodeMessage(forward.messageType, forward.body);
    assert("result" in message);
    assert.deepEqual(message.result, value("2"));
  });

  it("of a key that was never written is void, which is not the same as empty", () => {
    const world = new World();
    const attempt = world.start({ id: id(1), target: ADD });
    const [missing] = world.send(attempt, lazy("none")).filter(({ type }) => type === "forward");
    assert(missing?.type === "forward");
    const message = decodeMessage(missing.messageType, missing.body);
    assert("result" in message);
    assert.deepEqual(message.result, { kind: "void" });
  });

  it("may not be written by a shared handler, and nothing of the command remains", () => {
    const world = new World();
    const attempt = world.start({ id: id(1), target: GET });
    world.send(attempt, set("a", "1"));
    assert.equal(world.invocation(attempt.seq).lastFailure?.errorCode, "RT0017");
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand"]);
    assert.deepEqual(world.state("Counter", "k"), {});
  });
});

describe("a mutation of the state from outside", () => {
  const entries = [{ key: text("n"), value: text("9") }];
  const mutate = (version: string | null) =>
    ({
      type: "mutate-state",
      instance: INSTANCE,
      mutation: { version, entries },
      replyTo: 1,
    }) as const;

  it("applies at once when nobody holds the key", () => {
    const world = new World();
    assert.deepEqual(world.ask(mutate(null)), { kind: "done" });
    assert.deepEqual(world.state("Counter", "k"), { n: "9" });
  });

  it("waits for its turn behind the handler that runs", () => {
    const world = new World();
    const attempt = world.start({ id: id(1), target: ADD });
    world.send(attempt, set("n", "1"));
    assert.deepEqual(world.ask(mutate(null)), { kind: "pending" });
    world.apply(invoke({ id: id(2), target: ADD }));
    assert.deepEqual(world.state("Counter", "k"), { n: "1" });
    const next = attemptOf(end(world, attempt), attempt.seq + 1);
    assert.deepEqual(world.state("Counter", "k"), { n: "9" });
    end(world, next);
    end(world, world.start({ id: id(3), target: ADD }));
  });

  it("of another version than the state has is refused, and dropped when it was overtaken", () => {
    const world = new World();
    const reply = world.ask(mutate("no such version"));
    assert(reply.kind === "refused");
    assert.equal(reply.reason, "version-mismatch");
    const attempt = world.start({ id: id(1), target: ADD });
    assert.deepEqual(world.ask(mutate(stateVersion([]))), { kind: "pending" });
    world.send(attempt, set("n", "1"));
    end(world, attempt);
    assert.deepEqual(world.state("Counter", "k"), { n: "1" });
  });
});
