/**
 * The life of an invocation.
 *
 * S1 All transitions stand in `TRANSITIONS`; nothing else assigns `state`.
 * S2 Leaving `running` raises the epoch: whatever the attempt says from then on is stale.
 */
import { assert } from "../base/assert.ts";
import {
  type Invocation,
  type InvocationState,
  type InvocationStatus,
  isPausing,
} from "./invocation.ts";
import type { Step } from "./step.ts";

export const TRANSITIONS: Readonly<Record<InvocationStatus, readonly InvocationStatus[]>> = {
  scheduled: ["queued", "running", "completed"],
  // To itself: when it gets its place.
  queued: ["queued", "running", "completed"],
  // To itself: when it begins to pause, or no longer does.
  running: ["running", "suspended", "backing-off", "paused", "completed"],
  // To itself: with less to wait for.
  suspended: ["suspended", "running", "paused", "completed"],
  "backing-off": ["running", "paused", "completed"],
  paused: ["running", "completed"],
  completed: [],
};

export function transition(step: Step, invocation: Invocation, next: InvocationState): void {
  const from = invocation.state.status;
  assert(TRANSITIONS[from].includes(next.status), `${from} may not become ${next.status}`);
  if (from === "running" && next.status !== "running") invocation.epoch += 1;
  invocation.state = next;
  invocation.modifiedAtMs = step.nowMs;
  step.tx.save(invocation);
}

/** Asks for the attempt of a running invocation; one that is to pause gets none. */
export function requestAttempt(step: Step, invocation: Invocation): void {
  const { seq, epoch, journal } = invocation;
  if (isPausing(invocation)) {
    step.effects.push({ type: "suspend-attempt", seq, epoch });
  } else {
    step.effects.push({ type: "start-attempt", seq, epoch, knownEntries: journal.length });
  }
}

/** Makes it run: the one way in which a waiting invocation goes on. */
export function run(step: Step, invocation: Invocation): void {
  invocation.runningAtMs ??= step.nowMs;
  invocation.lastStartAtMs = step.nowMs;
  transition(step, invocation, { status: "running", isPausing: false });
  requestAttempt(step, invocation);
}
