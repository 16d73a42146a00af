import type { Notification } from "../../sdk/protocol/messages.ts";
import type { Step } from "./step.ts";

/** Gives a handler that waits the result it waits for: through the same door as messages from outside, after this input. */
export function answer(
  step: Step,
  seq: number,
  completionId: number,
  type: Notification["type"],
  result: Notification["result"],
): void {
  const id = { kind: "completion", completionId } as const;
  step.followUps.push({ type: "notify", seq, notification: { type, id, result } });
}
