/** An invocation comes into being, or the one with the same identity is found; and questions for results. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { Reply } from "./effect.ts";
import type { Attach, Invoke, Listen } from "./input.ts";
import type { Caller, Invocation } from "./invocation.ts";
import { outcomeOf } from "./finish.ts";
import { resolveTarget, retentionMs } from "./policy.ts";
import { reply } from "./reply.ts";
import { requestAttempt } from "./status.ts";
import { addTimer, type Step } from "./step.ts";
import type { Listener } from "./tx.ts";

export function onInvoke(step: Step, input: Invoke): void {
  const existing = step.tx.findInvocation(input.id);
  const invocation = existing ?? create(step, input);
  reply(step, input.replyTo, accepted(step, invocation, existing === undefined));
  const listener = listenerOf(input.caller);
  if (existing !== undefined && listener !== null) listen(step, existing, listener);
}

function create(step: Step, input: Invoke): Invocation {
  const { tx, nowMs } = step;
  const resolved = resolveTarget(tx.registry(), input.target, null);
  const delayed = input.startAtMs > nowMs;
  const invocation = tx.insertInvocation({
    id: input.id,
    target: input.target,
    idempotencyKey: input.idempotencyKey,
    caller: input.caller,
    createdAtMs: nowMs,
    retentionMs: retentionMs(resolved, input.idempotencyKey !== null),
    state: delayed ? { status: "scheduled", startAtMs: input.startAtMs } : { status: "running" },
  });
  const { headers, parameter: value } = input;
  const body = encodeBody({ type: MessageType.InputCommand, headers, value, name: "" });
  tx.append(invocation, MessageType.InputCommand, body, nowMs);
  if (delayed) {
    addTimer(step, { dueMs: input.startAtMs, seq: invocation.seq, kind: "start", arg: 0 });
  } else {
    requestAttempt(step, invocation);
  }
  return invocation;
}

function accepted(step: Step, invocation: Invocation, isNew: boolean): Reply {
  const { seq, id, state } = invocation;
  if (state.status === "completed") return completed(step, invocation);
  const startAtMs = state.status === "scheduled" ? state.startAtMs : null;
  return { kind: "accepted", seq, id, isNew, startAtMs };
}

function completed(step: Step, invocation: Invocation): Reply {
  const { id, target, state, retentionMs: keptMs } = invocation;
  const completedAtMs = state.status === "completed" ? state.completedAtMs : step.nowMs;
  const outcome = outcomeOf(step.tx, invocation);
  return { kind: "completed", id, target, outcome, expiresAtMs: completedAtMs + keptMs };
}

export function onAttach(step: Step, input: Attach): void {
  const invocation = step.tx.findInvocation(input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  if (!input.wait && invocation.state.status !== "completed") {
    const { status } = invocation.state;
    return reply(step, input.replyTo, { kind: "conflict", status });
  }
  return reply(step, input.replyTo, accepted(step, invocation, false));
}

const NOT_FOUND: Outcome = { kind: "failure", failure: { code: 404, message: "not found" } };

export function onListen(step: Step, input: Listen): void {
  const invocation = step.tx.findInvocation(input.id);
  const { callerSeq: seq, completionId, messageType: type } = input.listener;
  const id = { kind: "completion", completionId } as const;
  if (invocation === undefined) {
    step.followUps.push({ type: "notify", seq, notification: { type, id, result: NOT_FOUND } });
  } else if (input.wait || invocation.state.status === "completed") {
    listen(step, invocation, input.listener);
  } else {
    const result = { kind: "void" } as const;
    step.followUps.push({ type: "notify", seq, notification: { type, id, result } });
  }
}

function listenerOf(caller: Caller | null): Listener | null {
  if (caller === null || caller.completionId === null) return null;
  const { seq: callerSeq, completionId } = caller;
  return { callerSeq, completionId, messageType: MessageType.CallCompletion };
}

function listen(step: Step, invocation: Invocation, listener: Listener): void {
  if (invocation.state.status !== "completed") {
    step.tx.addListener(invocation.seq, listener);
    return;
  }
  const { callerSeq: seq, completionId, messageType: type } = listener;
  const result = outcomeOf(step.tx, invocation);
  const notification = { type, id: { kind: "completion", completionId }, result } as const;
  step.followUps.push({ type: "notify", seq, notification });
}
