import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command, NotificationResult } from "../../sdk/protocol/messages.ts";
import { workflowInvocationId } from "../base/ids.ts";
import type { Effect } from "./effect.ts";
import {
  attemptIn,
  call,
  id,
  invoke,
  output,
  replyIn,
  suspendOn,
  T0,
  text,
  value,
  World,
} from "./world.suite.ts";

const RUN = { service: "Order", handler: "run", key: "o1" };
const APPROVE = { service: "Order", handler: "approve", key: "o1" };
const RUN_ID = workflowInvocationId("Order", "o1");
const DAY_MS = 24 * 60 * 60 * 1000;

type PromiseType = typeof MessageType.GetPromiseCommand | typeof MessageType.PeekPromiseCommand;

const ask = (type: PromiseType, resultCompletionId: number): Command => ({
  type,
  key: "approval",
  resultCompletionId,
  name: "",
});
const complete = (content: string, resultCompletionId: number): Command => ({
  type: MessageType.CompletePromiseCommand,
  key: "approval",
  completion: value(content),
  resultCompletionId,
  name: "",
});

/** The result that the last forwarded notification carries. */
function heard(effects: readonly Effect[]): NotificationResult | undefined {
  const forward = effects.findLast((effect) => effect.type === "forward");
  if (forward?.type !== "forward") return undefined;
  const message = decodeMessage(forward.messageType, forward.body);
  return "result" in message && "id" in message ? message.result : undefined;
}

const failure = (code: number, message: string) => ({
  kind: "failure" as const,
  failure: { code, message },
});

describe("the run of a workflow", () => {
  it("happens once per key, also when it is over", () => {
    const world = new World();
    const attempt = world.start({ id: RUN_ID, target: RUN });
    const again = replyIn(world.apply(invoke({ id: RUN_ID, target: RUN })));
    assert(again.kind === "accepted" && !again.isNew);
    world.send(attempt, output("shipped"));
    world.apply({ type: "end", attempt });
    assert.equal(replyIn(world.apply(invoke({ id: RUN_ID, target: RUN }))).kind, "completed");
  });

  it("called again by a handler is a conflict, and its first result is for those who attach", () => {
    const world = new World();
    world.start({ id: RUN_ID, target: RUN });
    const other = world.start({ id: id(2) });
    const effects = world.send(other, {
      ...call({ service: "Order" }),
      handler: "run",
      key: "o1",
    } as Command);
    assert.deepEqual(heard(effects), failure(409, "the workflow method was already invoked"));
  });

  it("may run again once it is purged, with no state and no promises", () => {
    const world = new World();
    const attempt = world.start({ id: RUN_ID, target: RUN });
    const set = { type: MessageType.SetStateCommand, key: text("s"), value: text("1"), name: "" };
    world.send(attempt, set, complete("yes", 1), output("shipped"));
    world.apply({ type: "end", attempt });
    assert.deepEqual(world.state("Order", "o1"), { s: "1" });
    assert.deepEqual(world.ask({ type: "purge", id: RUN_ID, journalOnly: false, replyTo: 1 }), {
      kind: "done",
      status: "completed",
    });
    assert.deepEqual(world.state("Order", "o1"), {});
    const second = world.start({ id: RUN_ID, target: RUN });
    const effects = world.send(second, ask(MessageType.PeekPromiseCommand, 1));
    assert.deepEqual(heard(effects), { kind: "void" });
  });

  it("is forgotten after its retention, even before the cleanup comes by", () => {
    const world = new World({ cleanupIntervalMs: 60_000, workflowRetentionMs: 1000 });
    const attempt = world.start({ id: RUN_ID, target: RUN });
    world.send(attempt, output("shipped"));
    world.apply({ type: "end", attempt });
    world.nowMs = T0 + 1000;
    const reply = replyIn(world.apply({ type: "attach", id: RUN_ID, wait: true, replyTo: 1 }));
    assert.equal(reply.kind, "not-found");
    assert.equal(world.status(attempt.seq), undefined);
  });
});

describe("a durable promise", () => {
  it("is peeked at, awaited, and completed once by any handler of the workflow", () => {
    const world = new World();
    const attempt = world.start({ id: RUN_ID, target: RUN });
    const peeked = world.send(attempt, ask(MessageType.PeekPromiseCommand, 1));
    assert.deepEqual(heard(peeked), { kind: "void" });
    assert.equal(heard(world.send(attempt, ask(MessageType.GetPromiseCommand, 2))), undefined);
    world.apply(suspendOn(attempt, 1, [2]));
    assert.equal(world.status(attempt.seq), "suspended");

    const approver = world.start({ id: id(2), target: APPROVE });
    const completed = world.send(approver, complete("yes", 1));
    assert.deepEqual(heard(completed), { kind: "void" });
    assert.equal(world.status(attempt.seq), "running");
    assert.deepEqual(
      heard(world.send(approver, complete("no", 2))),
      failure(409, "promise was already completed"),
    );
    assert.deepEqual(
      heard(world.send(approver, ask(MessageType.GetPromiseCommand, 3))),
      value("yes"),
    );
  });

  it("is kept when it is completed before the run begins", () => {
    const world = new World();
    world.send(world.start({ id: id(2), target: APPROVE }), complete("early", 1));
    const attempt = world.start({ id: RUN_ID, target: RUN });
    assert.deepEqual(
      heard(world.send(attempt, ask(MessageType.GetPromiseCommand, 1))),
      value("early"),
    );
  });

  it("reaches those who waited for it before the workflow was purged, once a new run completes it", () => {
    const world = new World();
    const first = world.start({ id: RUN_ID, target: RUN });
    const waiter = world.start({ id: id(2), target: APPROVE });
    world.send(waiter, ask(MessageType.GetPromiseCommand, 1));
    world.apply(suspendOn(waiter, 1, [1]));
    world.send(first, output("shipped"));
    world.apply({ type: "end", attempt: first });
    world.ask({ type: "purge", id: RUN_ID, journalOnly: false, replyTo: 1 });
    assert.equal(world.status(waiter.seq), "suspended");
    const second = world.start({ id: RUN_ID, target: RUN });
    world.send(second, complete("yes", 1));
    assert.equal(world.status(waiter.seq), "running");
  });

  it("is nothing for services and objects", () => {
    const world = new World();
    const attempt = world.start({ id: id(1) });
    world.send(attempt, ask(MessageType.GetPromiseCommand, 1));
    assert.equal(world.invocation(attempt.seq).lastFailure?.errorCode, "RT0017");
  });
});

describe("retention", () => {
  it("of the journal ends before that of the result", () => {
    const world = new World({ journalRetentionMs: 1000 });
    const attempt = world.start({ id: id(1), idempotencyKey: "k" });
    world.send(attempt, output("kept"));
    world.apply({ type: "end", attempt });
    world.nowMs = T0 + 1000;
    world.apply({ type: "timers-due" });
    assert.deepEqual(world.journal(attempt.seq), ["OutputCommand"]);
    const again = replyIn(world.apply(invoke({ idempotencyKey: "k" })));
    assert(again.kind === "completed");
    assert.deepEqual(again.outcome, value("kept"));
    world.nowMs = T0 + DAY_MS;
    attemptIn(world.apply(invoke({ idempotencyKey: "k" })));
  });

  it("of nothing forgets at once, after those who wait were answered", () => {
    const world = new World({ journalRetentionMs: 0 });
    const attempt = world.start();
    world.send(attempt, output("gone"));
    const effects = world.apply({ type: "end", attempt });
    assert.equal(effects[0]?.type, "finished");
    const reply = replyIn(world.apply({ type: "attach", id: id(1), wait: false, replyTo: 1 }));
    assert.equal(reply.kind, "not-found");
  });
});
