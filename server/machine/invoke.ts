/** An invocation comes into being, or the one with the same identity is found; and questions for results. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { NotificationResult, Outcome } from "../../sdk/protocol/messages.ts";
import { answer } from "./answer.ts";
import type { Reply } from "./effect.ts";
import { enter, firstState } from "./exclusive.ts";
import { find } from "./find.ts";
import { outcomeOf } from "./finish.ts";
import type { Attach, Invoke, Listen } from "./input.ts";
import type { Caller, Invocation } from "./invocation.ts";
import { handlerKind, retention } from "./policy.ts";
import { resolveHandler } from "./registry.ts";
import { reply } from "./reply.ts";
import type { Step } from "./step.ts";
import type { Listener } from "./tx.ts";

const ALREADY_INVOKED: Outcome = {
  kind: "failure",
  failure: { code: 409, message: "the workflow method was already invoked" },
};

export function onInvoke(step: Step, input: Invoke): void {
  const existing = find(step, input.id);
  if (existing === undefined) return create(step, input);
  reply(step, input.replyTo, accepted(step, existing, false));
  const listener = listenerOf(input.caller);
  if (listener === null) return undefined;
  // The run of a workflow happens once: its result is for those who attach (HTTP API 5.2).
  if (existing.kind === "run") return answerListener(step, listener, ALREADY_INVOKED);
  return listen(step, existing, listener);
}

function create(step: Step, input: Invoke): void {
  const { tx, nowMs, settings } = step;
  const { target, idempotencyKey, caller, trace, id } = input;
  const resolved = resolveHandler(tx.registry(), target.service, target.handler);
  if (resolved === undefined) {
    const message = `no deployment offers ${target.service}/${target.handler}`;
    return reply(step, input.replyTo, { kind: "refused", reason: "unknown-target", message });
  }
  const kind = handlerKind(resolved);
  const startAtMs = input.startAtMs > nowMs ? input.startAtMs : null;
  const invocation = tx.insertInvocation({
    id,
    target,
    kind,
    idempotencyKey,
    caller,
    restartedFrom: null,
    trace,
    createdAtMs: nowMs,
    startAtMs,
    ...retention(settings, resolved, kind, idempotencyKey !== null),
    state: firstState(step, target, kind, startAtMs),
  });
  const { headers, parameter: value } = input;
  const body = encodeBody({ type: MessageType.InputCommand, headers, value, name: "" });
  tx.append(invocation, MessageType.InputCommand, body, nowMs);
  enter(step, invocation);
  return reply(step, input.replyTo, accepted(step, invocation, true));
}

function accepted(step: Step, invocation: Invocation, isNew: boolean): Reply {
  const { seq, id, state, startAtMs } = invocation;
  if (state.status === "completed") return completed(step, invocation, state.completedAtMs);
  return { kind: "accepted", seq, id, isNew, startAtMs };
}

function completed(step: Step, invocation: Invocation, completedAtMs: number): Reply {
  const { id, target, startAtMs, completionRetentionMs } = invocation;
  const outcome = outcomeOf(step.tx, invocation);
  const expiresAtMs = completedAtMs + completionRetentionMs;
  return { kind: "completed", id, target, startAtMs, outcome, expiresAtMs };
}

export function onAttach(step: Step, input: Attach): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  if (!input.wait && invocation.state.status !== "completed") {
    const { status } = invocation.state;
    return reply(step, input.replyTo, { kind: "conflict", status });
  }
  return reply(step, input.replyTo, accepted(step, invocation, false));
}

const NOT_FOUND: Outcome = { kind: "failure", failure: { code: 404, message: "not found" } };

export function onListen(step: Step, input: Listen): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return answerListener(step, input.listener, NOT_FOUND);
  if (input.wait || invocation.state.status === "completed") {
    return listen(step, invocation, input.listener);
  }
  return answerListener(step, input.listener, { kind: "void" });
}

function listenerOf(caller: Caller | null): Listener | null {
  if (caller === null || caller.completionId === null) return null;
  const { seq: callerSeq, completionId } = caller;
  return { callerSeq, completionId, messageType: MessageType.CallCompletion };
}

function listen(step: Step, invocation: Invocation, listener: Listener): void {
  if (invocation.state.status === "completed") {
    answerListener(step, listener, outcomeOf(step.tx, invocation));
  } else {
    step.tx.addListener(invocation.seq, listener);
  }
}

function answerListener(step: Step, listener: Listener, result: NotificationResult): void {
  const { callerSeq, completionId, messageType } = listener;
  answer(step, callerSeq, completionId, messageType, result);
}
