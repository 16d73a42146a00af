import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { deploymentOf } from "./deployment.suite.ts";
import type { Input } from "./input.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import {
  attemptIn,
  call,
  failed,
  id,
  invoke,
  output,
  run,
  sleep,
  suspendOn,
  T0,
  text,
  types,
  value,
  World,
} from "./world.suite.ts";

describe("an invocation", () => {
  it("is stored with its input and asked to run", () => {
    const world = new World();
    const effects = world.apply(invoke());
    assert.deepEqual(types(effects), ["start-attempt", "reply"]);
    const { seq } = attemptIn(effects);
    assert.deepEqual(world.journal(seq), ["InputCommand"]);
    assert.equal(world.status(seq), "running");
  });

  it("ends with its last output, and is forgotten after its retention", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, output("first"), output("last"));
    const effects = world.apply({ type: "end", attempt });
    assert.deepEqual(types(effects), ["finished", "arm-timer"]);
    assert.deepEqual(effects[0], { type: "finished", seq: attempt.seq, outcome: value("last") });
    const purge = effects[1];
    assert(purge?.type === "arm-timer");
    assert.equal(purge.dueMs, T0 + 24 * 60 * 60 * 1000);
    world.nowMs = purge.dueMs;
    world.apply({ type: "timers-due" });
    assert.equal(world.status(attempt.seq), undefined);
    assert.deepEqual(world.journal(attempt.seq), []);
  });

  it("that ends without output fails the attempt instead", () => {
    const world = new World();
    const attempt = world.start();
    world.apply({ type: "end", attempt });
    assert.equal(world.status(attempt.seq), "backing-off");
  });

  it("with the same identity is not started twice", () => {
    const world = new World();
    const attempt = world.start({ idempotencyKey: "k" });
    const again = world.apply(invoke({ idempotencyKey: "k" }));
    assert.deepEqual(types(again), ["reply"]);
    assert(again[0]?.type === "reply" && again[0].reply.kind === "accepted");
    assert.equal(again[0].reply.isNew, false);
    world.send(attempt, output("done"));
    world.apply({ type: "end", attempt });
    const late = world.apply(invoke({ idempotencyKey: "k" }));
    assert(late[0]?.type === "reply" && late[0].reply.kind === "completed");
    assert.deepEqual(late[0].reply.outcome, value("done"));
  });

  it("with a delay waits for its time", () => {
    const world = new World();
    const effects = world.apply(invoke({ startAtMs: T0 + 500 }));
    assert.deepEqual(types(effects), ["reply", "arm-timer"]);
    world.nowMs = T0 + 499;
    assert.deepEqual(types(world.apply({ type: "timers-due" })), ["arm-timer"]);
    world.nowMs = T0 + 500;
    assert.deepEqual(types(world.apply({ type: "timers-due" })), ["start-attempt"]);
  });
});

describe("an attempt", () => {
  it("pins the invocation to its deployment with the first stored command", () => {
    const world = new World();
    const attempt = world.start();
    const pin = () => world.store.read((reader) => reader.invocation(attempt.seq)?.pin);
    assert.equal(pin(), null);
    world.send(attempt, run(1));
    assert.deepEqual(pin(), { deploymentId: "dp_1", protocolVersion: 6 });
  });

  it("records a step result once and sends it back", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, run(1));
    const propose: Input = {
      type: "propose-run",
      attempt,
      completionId: 1,
      result: value("42"),
      ackRequested: false,
    };
    const effects = world.apply(propose);
    assert.deepEqual(types(effects), ["forward"]);
    const second = world.apply({ ...propose, result: value("43") });
    assert.deepEqual(types(second), ["close-attempt", "arm-timer"]);
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand", "RunCommand", "RunCompletion"]);
    const stored = world.store.read((reader) => reader.entries(attempt.seq, 2, 3)[0]);
    assert(stored !== undefined);
    const message = decodeMessage(stored.type, stored.body);
    assert(message.type === MessageType.RunCompletion);
    assert.deepEqual(message.result, value("42"));
  });

  it("that is stale is not heard", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(failed(attempt));
    assert.deepEqual(world.send(attempt, output("too late")), []);
    assert.deepEqual(world.apply({ type: "end", attempt }), []);
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand"]);
  });

  it("suspends, and goes on when the sleep is over", () => {
    const world = new World();
    const attempt = world.start();
    const effects = world.send(attempt, sleep(1, T0 + 1000));
    assert.deepEqual(effects, [{ type: "arm-timer", dueMs: T0 + 1000 }]);
    world.apply(suspendOn(attempt, 1, [1]));
    assert.equal(world.status(attempt.seq), "suspended");
    world.nowMs = T0 + 1000;
    const woken = attemptIn(world.apply({ type: "timers-due" }));
    assert.equal(woken.epoch, attempt.epoch + 1);
    assert.deepEqual(world.journal(attempt.seq), [
      "InputCommand",
      "SleepCommand",
      "SleepCompletion",
    ]);
  });

  it("goes on at once when what it waits for arrived while it ran", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, sleep(1, T0));
    world.apply({ type: "timers-due" });
    assert.deepEqual(types(world.apply(suspendOn(attempt, 1, [1]))), ["start-attempt"]);
  });

  it("goes on at once however much happened since what it waits for arrived", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, sleep(1, T0));
    world.apply({ type: "timers-due" });
    for (let number = 2; number < 200; number += 1) world.send(attempt, run(number));
    world.send(attempt, sleep(200, T0));
    world.apply({ type: "timers-due" });
    assert.deepEqual(types(world.apply(suspendOn(attempt, 3, [200]))), ["start-attempt"]);
  });

  it("does not spin on a notification that it was given to replay", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, sleep(1, T0));
    world.apply({ type: "timers-due" });
    world.apply(suspendOn(attempt, 3, [1, 2]));
    assert.equal(world.status(attempt.seq), "suspended");
  });

  it("may not use state in a plain service, and nothing of the command remains", () => {
    const world = new World();
    const attempt = world.start();
    const effects = world.send(attempt, {
      type: MessageType.SetStateCommand,
      key: text("k"),
      value: text("v"),
      name: "",
    });
    assert.deepEqual(types(effects), ["close-attempt", "arm-timer"]);
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand"]);
    const failure = world.store.read((reader) => reader.invocation(attempt.seq)?.lastFailure);
    assert.equal(failure?.errorCode, "RT0017");
  });
});

describe("a failed attempt", () => {
  it("is retried after the policy's delay, then pauses", () => {
    const world = new World();
    let attempt = world.start();
    for (const leastMs of [100, 200]) {
      const effects = world.apply(failed(attempt));
      const arm = effects.at(-1);
      assert(arm?.type === "arm-timer");
      const delayMs = arm.dueMs - world.nowMs;
      assert(delayMs >= leastMs && delayMs <= leastMs * 1.34, `delay ${delayMs}`);
      world.nowMs = arm.dueMs;
      attempt = attemptIn(world.apply({ type: "timers-due" }));
    }
    assert.deepEqual(world.apply(failed(attempt)), []);
    assert.equal(world.status(attempt.seq), "paused");
    const resumed = world.apply({ type: "resume", id: id(1), deployment: "keep", replyTo: 9 });
    assert.deepEqual(types(resumed), ["reply", "start-attempt"].toReversed());
  });

  it("is retried at once, however often, where the policy has no delay", () => {
    const world = new World();
    const target = { service: "Greeter", handler: "eager", key: null };
    let attempt = world.start({ target });
    for (let count = 0; count < 1100; count += 1) {
      world.apply(failed(attempt));
      attempt = attemptIn(world.apply({ type: "timers-due" }));
    }
    assert.equal(world.status(attempt.seq), "running");
  });

  it("is retried at a time that a clock can show, whatever the policy asks for", () => {
    const world = new World();
    const handler = { name: "greet", retryPolicyInitialInterval: Number.MAX_SAFE_INTEGER };
    const interval = { retryPolicyMaxInterval: Number.MAX_SAFE_INTEGER };
    const deployment = deploymentOf(T0, [
      { name: "Greeter", ty: "SERVICE", handlers: [{ ...handler, ...interval }] },
    ]);
    world.apply({ type: "register-deployment", deployment, replyTo: null });
    const attempt = world.start();
    world.apply(failed(attempt));
    const { state } = world.invocation(attempt.seq);
    assert(state.status === "backing-off");
    assert(!Number.isNaN(new Date(state.retryAtMs).getTime()));
  });

  it("ends the invocation with the error where the policy says kill", () => {
    const world = new World();
    const target = { service: "Greeter", handler: "fragile", key: null };
    const attempt = world.start({ target });
    const effects = world.apply(failed(attempt));
    assert.deepEqual(effects[0], {
      type: "finished",
      seq: attempt.seq,
      outcome: { kind: "failure", failure: { code: 500, message: "boom" } },
    });
  });

  it("waits as long as the endpoint asks, without using up attempts", () => {
    const world = new World();
    let attempt = world.start();
    for (let count = 0; count < 10; count += 1) {
      world.apply(failed(attempt, { retryAfterMs: 50 }));
      world.nowMs += 50;
      attempt = attemptIn(world.apply({ type: "timers-due" }));
    }
    assert.equal(world.status(attempt.seq), "running");
  });
});

describe("a call", () => {
  it("starts the callee and brings its result home", () => {
    const world = new World();
    const caller = world.start();
    const effects = world.send(caller, call());
    assert.deepEqual(types(effects), ["forward", "start-attempt"]);
    const callee = attemptIn(effects);
    world.send(callee, output("child result"));
    const done = world.apply({ type: "end", attempt: callee });
    assert.deepEqual(types(done), ["finished", "forward", "arm-timer"]);
    assert.deepEqual(world.journal(caller.seq), [
      "InputCommand",
      "CallCommand",
      "CallInvocationIdCompletion",
      "CallCompletion",
    ]);
  });

  it("with an idempotency key joins the one that runs", () => {
    const world = new World();
    const first = world.start({ id: id(1) });
    const second = world.start({ id: id(2) });
    const callee = attemptIn(world.send(first, call({ idempotencyKey: "same" })));
    assert.deepEqual(types(world.send(second, call({ idempotencyKey: "same" }))), ["forward"]);
    world.send(callee, output("once"));
    const done = world.apply({ type: "end", attempt: callee });
    assert.deepEqual(types(done), ["finished", "forward", "forward", "arm-timer"]);
    assert.equal(world.journal(second.seq).at(-1), "CallCompletion");
  });

  it("to an unknown service fails the attempt and says so", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, call({ service: "Nobody" }));
    const failure = world.store.read((reader) => reader.invocation(attempt.seq)?.lastFailure);
    assert.equal(failure?.errorCode, "RT0018");
    assert.match(failure?.message ?? "", /Nobody\/greet/);
  });
});

describe("an awakeable", () => {
  const resolve = (content: string, index = 17): Input => ({
    type: "signal",
    id: id(1),
    signal: { kind: "signal-index", index },
    result: value(content),
    replyTo: 3,
  });

  it("wakes the invocation, and only its first completion counts", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(suspendOn(attempt, 1, [], [1, 17]));
    assert.deepEqual(types(world.apply(resolve("paid"))), ["reply", "start-attempt"]);
    assert.deepEqual(types(world.apply(resolve("again"))), ["reply"]);
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand", "Signal"]);
  });

  it("is kept for an invocation that has not started", () => {
    const world = new World();
    world.apply(invoke({ startAtMs: T0 + 10 }));
    world.apply(resolve("early"));
    world.nowMs = T0 + 10;
    const start = world.apply({ type: "timers-due" })[0];
    assert(start?.type === "start-attempt");
    assert.equal(start.knownEntries, 2);
  });

  it("that cancels a paused invocation gives it all its tries again", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(failed(attempt, { behavior: "pause" }));
    const woken = attemptIn(world.apply(resolve("", 1)));
    world.apply(failed(woken));
    assert.equal(world.status(attempt.seq), "backing-off");
  });

  it("of an unknown invocation is answered without harm", () => {
    const world = new World();
    assert.deepEqual(types(world.apply(resolve("nobody"))), ["reply"]);
  });

  it("is completed by another handler", () => {
    const world = new World();
    const waiter = world.start({ id: id(1) });
    const other = world.start({ id: id(2) });
    world.send(other, {
      type: MessageType.CompleteAwakeableCommand,
      awakeableId: awakeableIdToString(id(1), 17),
      result: value("hello"),
      name: "",
    });
    assert.deepEqual(world.journal(waiter.seq), ["InputCommand", "Signal"]);
  });
});

describe("attach from a handler", () => {
  const attach = (target: Uint8Array): Command => ({
    type: MessageType.AttachInvocationCommand,
    target: { kind: "invocation-id", invocationId: invocationIdToString(target) },
    resultCompletionId: 5,
    name: "",
  });

  it("gets the result when it is there, and 404 for an unknown one", () => {
    const world = new World();
    const first = world.start({ id: id(1) });
    const second = world.start({ id: id(2) });
    world.send(second, attach(id(1)), attach(id(99)));
    assert.equal(world.journal(second.seq).at(-1), "AttachInvocationCompletion");
    world.send(first, output("result"));
    world.apply({ type: "end", attempt: first });
    const last = world.store.read((reader) => reader.entries(second.seq, 0, 10).at(-1));
    assert(last !== undefined);
    const message = decodeMessage(last.type, last.body);
    assert(message.type === MessageType.AttachInvocationCompletion);
    assert.deepEqual(message.result, value("result"));
  });
});

describe("after a restart", () => {
  it("running invocations are asked for again, page by page, with the earliest timer", () => {
    const world = new World();
    for (let number = 1; number <= 5; number += 1) world.start({ id: id(number) });
    world.apply(invoke({ id: id(6), startAtMs: T0 + 77 }));
    const first = world.apply({ type: "fetch-ready", afterSeq: 0, limit: 3 });
    assert.deepEqual(types(first), [
      "start-attempt",
      "start-attempt",
      "start-attempt",
      "ready-page",
      "arm-timer",
    ]);
    const page = first[3];
    assert(page?.type === "ready-page" && page.lastSeq !== null);
    const rest = world.apply({ type: "fetch-ready", afterSeq: page.lastSeq, limit: 3 });
    assert.deepEqual(types(rest), ["start-attempt", "start-attempt", "ready-page"]);
  });
});
