/** What operators and the start of the process ask for: resume, running invocations again, deployments. */
import type { FetchReady, RegisterDeployment, Resume } from "./input.ts";
import { withDeployment } from "./registry.ts";
import { reply } from "./reply.ts";
import { requestAttempt, run } from "./status.ts";
import type { Step } from "./step.ts";

export function onResume(step: Step, input: Resume): void {
  const invocation = step.tx.findInvocation(input.id);
  if (invocation === undefined) return reply(step, input.replyTo, { kind: "not-found" });
  const { status } = invocation.state;
  if (status === "completed" || status === "scheduled") {
    return reply(step, input.replyTo, { kind: "conflict", status });
  }
  if (status !== "running") {
    invocation.retryCount = 0;
    run(step, invocation);
  }
  return reply(step, input.replyTo, { kind: "done" });
}

/**
 * Derives the effects that were lost with the last process, or dropped for want of room: the attempts of a page of running
 * invocations and, with the first page, the earliest timer.
 */
export function onFetchReady(step: Step, input: FetchReady): void {
  const { tx, effects } = step;
  const page = tx.running(input.afterSeq, input.limit);
  for (const invocation of page) requestAttempt(step, invocation);
  const last = page.length === input.limit ? page.at(-1) : undefined;
  effects.push({ type: "ready-page", lastSeq: last?.seq ?? null });
  const dueMs = input.afterSeq === 0 ? tx.nextDueMs() : undefined;
  if (dueMs !== undefined) effects.push({ type: "arm-timer", dueMs });
}

export function onRegisterDeployment(step: Step, input: RegisterDeployment): void {
  const { revisions } = withDeployment(step.tx.registry(), input.deployment);
  step.tx.putDeployment(input.deployment, revisions);
  reply(step, input.replyTo, { kind: "done" });
}
