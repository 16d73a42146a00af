/** Due times: sleeps end, retries and scheduled invocations start, finished ones are forgotten. */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { unreachable } from "../base/assert.ts";
import { begin } from "./exclusive.ts";
import { forget } from "./find.ts";
import type { TimersDue } from "./input.ts";
import { notify } from "./notify.ts";
import { purgeJournal } from "./purge.ts";
import { run } from "./status.ts";
import type { Step } from "./step.ts";
import type { Timer } from "./tx.ts";

/** So many timers fire in one transaction; the rest in the next, so that a heap of them holds nothing up. */
export const TIMERS_PER_BATCH_MAX = 256;

export function onTimersDue(step: Step, input: TimersDue): void {
  const { limit = TIMERS_PER_BATCH_MAX, drop = false } = input;
  const due = step.tx.takeDueTimers(step.nowMs, limit);
  if (!drop) for (const timer of due) fire(step, timer);
  const dueMs = step.tx.nextDueMs();
  if (dueMs !== undefined) step.effects.push({ type: "arm-timer", dueMs });
}

/** A timer whose invocation is gone, or went on without it, is over. */
function fire(step: Step, timer: Timer): void {
  const invocation = step.tx.invocation(timer.seq);
  if (invocation === undefined) return;
  const { status } = invocation.state;
  switch (timer.kind) {
    case "start":
      if (status === "scheduled") begin(step, invocation);
      return;
    case "retry":
      if (status === "backing-off" && invocation.epoch === timer.arg) run(step, invocation);
      return;
    case "sleep":
      notify(step, invocation, {
        type: MessageType.SleepCompletion,
        id: { kind: "completion", completionId: timer.arg },
        result: { kind: "void" },
      });
      return;
    case "purge":
      if (status === "completed") forget(step, invocation);
      return;
    case "purge-journal":
      purgeJournal(step, invocation);
      return;
    default:
      unreachable(timer.kind);
  }
}
