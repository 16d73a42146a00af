/**
 * The life of an invocation.
 *
 * S1 All transitions stand in `TRANSITIONS`; nothing else assigns `state`.
 * S2 Leaving `running` raises the epoch: whatever the attempt says from then on is stale.
 */
import { assert } from "../base/assert.ts";
import type { Invocation, InvocationState, InvocationStatus } from "./invocation.ts";
import type { Step } from "./step.ts";

export const TRANSITIONS: Readonly<Record<InvocationStatus, readonly InvocationStatus[]>> = {
  scheduled: ["running", "completed"],
  running: ["suspended", "backing-off", "paused", "completed"],
  suspended: ["running", "completed"],
  "backing-off": ["running", "completed"],
  paused: ["running", "completed"],
  completed: [],
};

export function transition(step: Step, invocation: Invocation, next: InvocationState): void {
  const from = invocation.state.status;
  assert(TRANSITIONS[from].includes(next.status), `${from} may not become ${next.status}`);
  if (from === "running") invocation.epoch += 1;
  invocation.state = next;
  invocation.modifiedAtMs = step.nowMs;
  step.tx.save(invocation);
}

/** Asks for an attempt of an invocation that just became `running`. */
export function requestAttempt(step: Step, invocation: Invocation): void {
  step.effects.push({
    type: "start-attempt",
    seq: invocation.seq,
    epoch: invocation.epoch,
    knownEntries: invocation.journal.length,
  });
}

/** Makes it run: the one way in which a waiting invocation goes on. */
export function run(step: Step, invocation: Invocation): void {
  transition(step, invocation, { status: "running" });
  requestAttempt(step, invocation);
}
