/** Something becomes known to an invocation: it is appended, and wakes whoever waits for it. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  CANCEL_SIGNAL,
  FIRST_USER_SIGNAL,
  type Notification,
} from "../../sdk/protocol/messages.ts";
import { awaits } from "../journal/await-set.ts";
import { signalKey } from "../journal/summary.ts";
import { finishWithFailure } from "./finish.ts";
import type { Notify, SignalInvocation } from "./input.ts";
import { reply } from "./reply.ts";
import type { Invocation } from "./invocation.ts";
import { run } from "./status.ts";
import type { Step } from "./step.ts";

export function onNotify(step: Step, input: Notify): void {
  const invocation = step.tx.invocation(input.seq);
  if (invocation !== undefined) notify(step, invocation, input.notification);
}

/** Appends a notification. A finished invocation hears nothing any more. */
export function notify(step: Step, invocation: Invocation, notification: Notification): void {
  const { seq, epoch, state } = invocation;
  if (state.status === "completed") return;
  const { type, id } = notification;
  const body = encodeBody(notification);
  const index = step.tx.append(invocation, type, body, step.nowMs);
  if (state.status === "running") {
    step.effects.push({ type: "forward", seq, epoch, index, messageType: type, body });
  } else if (state.status === "suspended" && awaits(state.awaiting, id)) {
    run(step, invocation);
  }
}

/**
 * Delivers a signal. An awakeable is completed once: later completions are answered without harm. A signal to an
 * invocation that has not started yet is kept. A cancellation ends a scheduled invocation and wakes a paused one.
 */
export function onSignal(step: Step, input: SignalInvocation): void {
  const { tx } = step;
  const { signal: id, result } = input;
  reply(step, input.replyTo, { kind: "done" });
  const invocation = tx.findInvocation(input.id);
  if (invocation === undefined) return;
  const isAwakeable = id.kind === "signal-index" && id.index >= FIRST_USER_SIGNAL;
  if (isAwakeable && invocation.journal.signals.has(signalKey(id))) return;
  const isCancel = id.kind === "signal-index" && id.index === CANCEL_SIGNAL;
  if (isCancel && invocation.state.status === "scheduled") {
    finishWithFailure(step, invocation, { code: 409, message: "canceled" });
    return;
  }
  notify(step, invocation, { type: MessageType.Signal, id, result });
  if (isCancel && invocation.state.status === "paused") {
    // What the handler does to clean up has all its tries.
    invocation.retryCount = 0;
    run(step, invocation);
  }
}
