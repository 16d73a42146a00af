/** Finding an invocation by its public id, as far as it is still kept. */
import { instanceOf, type Invocation } from "./invocation.ts";
import type { Step } from "./step.ts";

/** The invocation; one whose retention is over is gone, however long its rows wait for the next cleanup. */
export function find(step: Step, id: Uint8Array): Invocation | undefined {
  const invocation = step.tx.findInvocation(id);
  if (invocation === undefined || !isExpired(invocation, step.nowMs)) return invocation;
  forget(step, invocation);
  return undefined;
}

function isExpired({ state, completionRetentionMs }: Invocation, nowMs: number): boolean {
  return state.status === "completed" && nowMs >= state.completedAtMs + completionRetentionMs;
}

/** Forgets a completed invocation; with a workflow's run goes what the workflow remembered. */
export function forget(step: Step, invocation: Invocation): void {
  const { tx } = step;
  const instance = instanceOf(invocation);
  tx.deleteInvocation(invocation.seq);
  if (invocation.kind !== "run" || instance === null) return;
  tx.clearAllState(instance);
  tx.clearPromises(instance);
}
