/** What is told of an attempt to those who read the log. */
import type { Log } from "../base/log.ts";
import type { TraceContext } from "../base/trace.ts";
import { type AttemptFailure, type Target, targetText } from "../machine/invocation.ts";

/** Whose attempt it is. */
export interface AttemptSubject {
  /** `inv_1…` */
  readonly invocationId: string;
  readonly target: Target;
  readonly epoch: number;
  readonly trace: TraceContext | null;
}

/** One line: what a handler reports is everyday business, everything else wants an operator. */
export function logFailure(
  log: Log,
  { invocationId, target, epoch }: AttemptSubject,
  deployment: string | null,
  { code, errorCode, message }: AttemptFailure,
): void {
  const level = errorCode === "RT0007" ? "info" : "warn";
  const invocation = invocationId;
  const fields = { invocation, target: targetText(target), epoch, deployment };
  log[level]("attempt-failed", { ...fields, code, errorCode, message });
}
