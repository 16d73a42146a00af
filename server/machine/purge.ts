/** Forgetting what is completed, sooner than its retention says. */
import { find, forget } from "./find.ts";
import type { Purge } from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { reply } from "./reply.ts";
import type { Step } from "./step.ts";

export function onPurge(step: Step, input: Purge): void {
  const invocation = find(step, input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  if (status !== "completed") return reply(step, input.replyTo, { kind: "conflict", status });
  if (input.journalOnly) purgeJournal(step, invocation);
  else forget(step, invocation);
  return reply(step, input.replyTo, { kind: "done", status });
}

/** Its result stays: it is the one entry that is kept. */
export function purgeJournal(step: Step, invocation: Invocation): void {
  const { state, seq } = invocation;
  if (state.status !== "completed" || invocation.isJournalPurged) return;
  step.tx.purgeJournal(seq, state.outputIndex);
  invocation.isJournalPurged = true;
  step.tx.save(invocation);
}
