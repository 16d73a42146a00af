/** Signals: awakeables that are completed, cancellations, and what handlers tell each other by name. */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { FIRST_USER_SIGNAL } from "../../sdk/protocol/messages.ts";
import { signalKey } from "../journal/summary.ts";
import { cancel, isCancel } from "./cancel.ts";
import { deliver } from "./deliver.ts";
import { find } from "./find.ts";
import type { SignalInvocation } from "./input.ts";
import { notify } from "./notify.ts";
import { reply } from "./reply.ts";
import type { Step } from "./step.ts";

/**
 * Delivers a signal. An awakeable is completed once: later completions are answered without harm. A signal to an
 * invocation that has not started yet is kept.
 */
export function onSignal(step: Step, input: SignalInvocation): void {
  const { signal: id, result } = input;
  reply(step, input.replyTo, { kind: "done" });
  const invocation = find(step, input.id);
  if (invocation === undefined || invocation.state.status === "completed") return;
  if (isCancel(id)) return cancel(step, invocation);
  const isAwakeable = id.kind === "signal-index" && id.index >= FIRST_USER_SIGNAL;
  if (isAwakeable && invocation.journal.signals.has(signalKey(id))) return;
  if (id.kind === "signal-name") return deliver(step, invocation, id.name, result);
  notify(step, invocation, { type: MessageType.Signal, id, result });
}
