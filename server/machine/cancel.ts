/** Ending an invocation from outside: asked to end (cancel), or ended (kill). Service protocol 8.11. */
import { parseInvocationId } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { CANCEL_SIGNAL, type NotificationId } from "../../sdk/protocol/messages.ts";
import { notificationOf } from "../journal/notification-of.ts";
import { find } from "./find.ts";
import { finishWithFailure } from "./finish.ts";
import type { Cancel, Kill } from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { notify } from "./notify.ts";
import { reply } from "./reply.ts";
import { run, transition } from "./status.ts";
import type { Step } from "./step.ts";

const CONFLICT = 409;

export function isCancel(id: NotificationId): boolean {
  return id.kind === "signal-index" && id.index === CANCEL_SIGNAL;
}

export function onCancel(step: Step, input: Cancel): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  if (status === "completed") return reply(step, input.replyTo, { kind: "conflict", status });
  cancel(step, invocation);
  return reply(step, input.replyTo, { kind: "done", status });
}

/**
 * What has not started ends at once. Otherwise the handler learns of it at its next await: one that waits for an operator or for
 * its next try goes on now, and has all its tries to clean up; one that was about to pause goes on, too.
 */
export function cancel(step: Step, invocation: Invocation): void {
  const { status } = invocation.state;
  if (status === "running") transition(step, invocation, { status, isPausing: false });
  if (status === "scheduled" || status === "queued") {
    return finishWithFailure(step, invocation, { code: CONFLICT, message: "canceled" });
  }
  const id = { kind: "signal-index", index: CANCEL_SIGNAL } as const;
  notify(step, invocation, { type: MessageType.Signal, id, result: { kind: "void" } });
  if (status === "paused" || status === "backing-off") invocation.retryCount = 0;
  // Also what is suspended without awaiting it: an SDK may have left it out once a first cancellation was survived.
  if (invocation.state.status !== "running") run(step, invocation);
  return undefined;
}

export function onKill(step: Step, input: Kill): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  if (status === "completed") return reply(step, input.replyTo, { kind: "conflict", status });
  const { seq, epoch } = invocation;
  if (status === "running") step.effects.push({ type: "close-attempt", seq, epoch });
  killCallees(step, invocation);
  finishWithFailure(step, invocation, { code: CONFLICT, message: "killed" });
  return reply(step, input.replyTo, { kind: "done", status });
}

/** Everything it called and sent that is not over yet; not what others started and it merely joined, or was refused. */
function killCallees(step: Step, { seq }: Invocation): void {
  const type = MessageType.CallInvocationIdCompletion;
  for (const entry of step.tx.entriesOfType(seq, type)) {
    const result = notificationOf(entry)?.result;
    if (result?.kind !== "invocation-id") continue;
    const id = parseInvocationId(result.invocationId);
    if (id === undefined || step.tx.findInvocation(id)?.caller?.seq !== seq) continue;
    step.followUps.push({ type: "kill", id, replyTo: null });
  }
}
