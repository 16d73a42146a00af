/** Events in the life of an invocation, for people. */
import type { JournalEventKind } from "./event.ts";
import type { Invocation } from "./invocation.ts";
import type { Step } from "./step.ts";

/** From then on only each doubling of a row of failures is recorded: it may go on for months. */
const FAILURES_RECORDED_ALL = 32;

export function record(step: Step, invocation: Invocation, event: JournalEventKind): void {
  const afterIndex = invocation.journal.length - 1;
  step.tx.addEvent(invocation.seq, { ...event, atMs: step.nowMs, afterIndex });
}

/** Whether failure number `count` in a row is worth an event of its own. */
export function isRecorded(count: number): boolean {
  return count <= FAILURES_RECORDED_ALL || Number.isInteger(Math.log2(count));
}
