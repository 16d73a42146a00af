/**
 * One batch on its way through the machine: the transaction, the time, and what comes out.
 *
 * Messages from one invocation to another are `followUps`: they go through the same door as messages from outside, in the
 * same transaction, after the input that sent them.
 */
import type { Effect } from "./effect.ts";
import type { Input } from "./input.ts";
import type { MachineSettings } from "./settings.ts";
import type { Timer, Transactor } from "./tx.ts";

export interface Step {
  readonly tx: Transactor;
  /** Milliseconds since the Unix epoch, one value for the whole batch. */
  readonly nowMs: number;
  readonly settings: MachineSettings;
  readonly effects: Effect[];
  readonly followUps: Input[];
  /** Due time of the earliest timer that this batch added; Infinity for none. */
  earliestDueMs: number;
}

export function newStep(tx: Transactor, nowMs: number, settings: MachineSettings): Step {
  const earliestDueMs = Number.POSITIVE_INFINITY;
  return { tx, nowMs, settings, effects: [], followUps: [], earliestDueMs };
}

export function addTimer(step: Step, timer: Timer): void {
  step.tx.addTimer(timer);
  if (timer.dueMs < step.earliestDueMs) step.earliestDueMs = timer.dueMs;
}

/** The effects of the batch, complete: call once, after the last input. */
export function finishStep(step: Step): readonly Effect[] {
  if (step.earliestDueMs !== Number.POSITIVE_INFINITY) {
    step.effects.push({ type: "arm-timer", dueMs: step.earliestDueMs });
  }
  return step.effects;
}
