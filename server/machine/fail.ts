/** An attempt failed: retry later, pause, or finish with the error (service protocol 8.13). */
import { assert } from "../base/assert.ts";
import { finishWithFailure } from "./finish.ts";
import type { FailAttempt } from "./input.ts";
import { type AttemptFailure, type Invocation, isPausing, type PauseReason } from "./invocation.ts";
import { mismatchOf, withMismatch } from "./mismatch.ts";
import { retryDelayMs, retryPolicy } from "./policy.ts";
import { isRecorded, record } from "./record.ts";
import { resolveFor } from "./registry.ts";
import { transition } from "./status.ts";
import { addTimer, type Step } from "./step.ts";

/** The endpoint broke the protocol. */
export function violation(message: string): AttemptFailure {
  return { code: 571, errorCode: "RT0012", message };
}

/** The command may not be used here. */
export function precondition(message: string): AttemptFailure {
  return { code: 500, errorCode: "RT0017", message };
}

/** The machine refuses what an attempt said: the attempt is over and its stream is closed. `retryAfterMs` as in `retry`. */
export function refuse(
  step: Step,
  invocation: Invocation,
  failure: AttemptFailure,
  retryAfterMs: number | null = null,
): void {
  const { seq, epoch } = invocation;
  invocation.retryCountSinceLastStoredEntry += 1;
  step.effects.push({ type: "close-attempt", seq, epoch });
  recordFailure(step, invocation, failure);
  retry(step, invocation, retryAfterMs);
}

/** What it awaits is nested too deep to be evaluated: more tries would not help. */
export function tooDeep(step: Step, invocation: Invocation, depthMax: number): void {
  const message = `the handler awaits futures nested deeper than ${depthMax} levels; await some of them first`;
  recordFailure(step, invocation, { code: 500, errorCode: "RT0025", message });
  pause(step, invocation, "future-too-deep");
}

/** How an attempt that is current ended badly. */
export function failAttempt(step: Step, invocation: Invocation, input: FailAttempt): void {
  const { failure, behavior, retryAfterMs, countsForSdk } = input;
  if (countsForSdk) invocation.retryCountSinceLastStoredEntry += 1;
  const mismatch = mismatchOf(step, invocation, failure);
  recordFailure(step, invocation, mismatch === null ? failure : withMismatch(failure, mismatch));
  if (behavior === "pause") return pause(step, invocation, "handler");
  if (behavior === "fail") return finishWith(step, invocation, failure);
  return retry(step, invocation, retryAfterMs);
}

function recordFailure(step: Step, invocation: Invocation, failure: AttemptFailure): void {
  invocation.lastFailure = { ...failure, atMs: step.nowMs };
  // Delays that the endpoint asks for do not count as retries of the policy, but are failures in a row all the same.
  const inARow = Math.max(invocation.retryCount + 1, invocation.retryCountSinceLastStoredEntry);
  if (isRecorded(inARow)) record(step, invocation, { kind: "attempt-failed", failure });
}

export function pause(step: Step, invocation: Invocation, reason: PauseReason): void {
  record(step, invocation, { kind: "paused", reason, lastFailure: invocation.lastFailure });
  transition(step, invocation, { status: "paused", reason });
}

/** A delay that is given replaces the policy's, and such a retry does not use up its attempts. */
function retry(step: Step, invocation: Invocation, retryAfterMs: number | null): void {
  const { target, pin } = invocation;
  if (isPausing(invocation)) return pause(step, invocation, "operator");
  if (retryAfterMs !== null) return backOff(step, invocation, retryAfterMs);
  const registry = step.tx.registry();
  // Where its deployment is gone, what the service says now has to do.
  const resolved =
    resolveFor(registry, target, pin?.deploymentId ?? null) ?? resolveFor(registry, target, null);
  const policy = retryPolicy(step.settings, resolved);
  invocation.retryCount += 1;
  if (invocation.retryCount < policy.maxAttempts) {
    const salt = invocation.seq + invocation.epoch;
    return backOff(step, invocation, retryDelayMs(policy, invocation.retryCount, salt));
  }
  if (policy.onMaxAttempts === "KILL" && invocation.lastFailure !== null) {
    return finishWith(step, invocation, invocation.lastFailure);
  }
  return pause(step, invocation, "retries-exhausted");
}

function backOff(step: Step, invocation: Invocation, delayMs: number): void {
  const retryAtMs = step.nowMs + delayMs;
  assert(Number.isSafeInteger(retryAtMs), `a retry at ${retryAtMs} is no time`);
  transition(step, invocation, { status: "backing-off", retryAtMs });
  const { seq, epoch } = invocation;
  addTimer(step, { dueMs: retryAtMs, seq, kind: "retry", arg: epoch });
}

function finishWith(step: Step, invocation: Invocation, failure: AttemptFailure): void {
  const { code, message } = failure;
  finishWithFailure(step, invocation, { code, message });
}
