/** An attempt failed: retry later, pause, or finish with the error (service protocol 8.13). */
import { assert } from "../base/assert.ts";
import { finishWithFailure } from "./finish.ts";
import type { FailAttempt } from "./input.ts";
import type { AttemptFailure, Invocation } from "./invocation.ts";
import { resolveTarget, retryDelayMs, retryPolicy } from "./policy.ts";
import { transition } from "./status.ts";
import { addTimer, type Step } from "./step.ts";

/** The endpoint broke the protocol. */
export function violation(message: string): AttemptFailure {
  return { code: 571, errorCode: "RT0012", message };
}

/** The machine refuses what an attempt said: the attempt is over and its stream is closed. */
export function refuse(step: Step, invocation: Invocation, failure: AttemptFailure): void {
  const { seq, epoch } = invocation;
  invocation.retryCountSinceLastStoredEntry += 1;
  step.effects.push({ type: "close-attempt", seq, epoch });
  record(step, invocation, failure);
  retry(step, invocation, null);
}

/** How an attempt that is current ended badly. */
export function failAttempt(step: Step, invocation: Invocation, input: FailAttempt): void {
  const { failure, behavior, retryAfterMs, countsForSdk } = input;
  if (countsForSdk) invocation.retryCountSinceLastStoredEntry += 1;
  record(step, invocation, failure);
  if (behavior === "pause") return transition(step, invocation, { status: "paused" });
  if (behavior === "fail") return kill(step, invocation, failure);
  return retry(step, invocation, retryAfterMs);
}

function record(step: Step, invocation: Invocation, failure: AttemptFailure): void {
  invocation.lastFailure = { ...failure, atMs: step.nowMs };
}

/** A delay that the endpoint asked for replaces the policy's and does not use up its attempts. */
function retry(step: Step, invocation: Invocation, retryAfterMs: number | null): void {
  if (retryAfterMs !== null) return backOff(step, invocation, retryAfterMs);
  const { target, pin } = invocation;
  const resolved = resolveTarget(step.tx.registry(), target, pin?.deploymentId ?? null);
  const policy = retryPolicy(resolved);
  invocation.retryCount += 1;
  if (invocation.retryCount < policy.maxAttempts) {
    const salt = invocation.seq + invocation.epoch;
    return backOff(step, invocation, retryDelayMs(policy, invocation.retryCount, salt));
  }
  if (policy.onMaxAttempts === "KILL" && invocation.lastFailure !== null) {
    return kill(step, invocation, invocation.lastFailure);
  }
  return transition(step, invocation, { status: "paused" });
}

function backOff(step: Step, invocation: Invocation, delayMs: number): void {
  const retryAtMs = step.nowMs + delayMs;
  assert(Number.isSafeInteger(retryAtMs), `a retry at ${retryAtMs} is no time`);
  transition(step, invocation, { status: "backing-off", retryAtMs });
  const { seq, epoch } = invocation;
  addTimer(step, { dueMs: retryAtMs, seq, kind: "retry", arg: epoch });
}

function kill(step: Step, invocation: Invocation, failure: AttemptFailure): void {
  const { code, message } = failure;
  finishWithFailure(step, invocation, { code, message });
}
