/** Something becomes known to an invocation: it is appended, and wakes whoever waits for it. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Notification, Outcome } from "../../sdk/protocol/messages.ts";
import { advance, outcomeOfResult } from "../journal/await-tree.ts";
import type { Notify } from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { run, transition } from "./status.ts";
import type { Step } from "./step.ts";

export function onNotify(step: Step, input: Notify): void {
  const invocation = step.tx.invocation(input.seq);
  if (invocation !== undefined) notify(step, invocation, input.notification);
}

/** Appends a notification. A finished invocation hears nothing any more. */
export function notify(step: Step, invocation: Invocation, notification: Notification): void {
  const { seq, epoch, state } = invocation;
  if (state.status === "completed") return;
  const { type, id, result } = notification;
  const body = encodeBody(notification);
  const index = step.tx.append(invocation, type, body, step.nowMs);
  if (state.status === "running") {
    step.effects.push({ type: "forward", seq, epoch, index, messageType: type, body });
  } else if (state.status === "suspended") {
    const left = advance(state.awaiting, id, outcomeOfResult(result));
    if (typeof left === "string") run(step, invocation);
    else if (left !== state.awaiting) {
      transition(step, invocation, { status: "suspended", awaiting: left });
    }
  }
}

/** Records a step result that the endpoint of the current attempt has kept: it gets an acknowledgement alone. */
export function notifyProposed(
  step: Step,
  invocation: Invocation,
  completionId: number,
  result: Outcome,
): void {
  const { seq, epoch } = invocation;
  const type = MessageType.RunCompletion;
  const body = encodeBody({ type, id: { kind: "completion", completionId }, result });
  const index = step.tx.append(invocation, type, body, step.nowMs);
  step.effects.push({ type: "acknowledge-run", seq, epoch, index, completionId });
}
