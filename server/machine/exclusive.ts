/**
 * One exclusive handler at a time per key (service protocol 8.8, HTTP API 5.2).
 *
 * E1 Whoever runs, is suspended, backs off or is paused holds its key; whoever is queued or scheduled does not.
 * E2 A key that is given up goes to the first who waits for it, in the same transaction.
 */
import { stateVersion } from "../base/state-version.ts";
import type { MutateState } from "./input.ts";
import {
  type HandlerKind,
  type Instance,
  instanceOf,
  type Invocation,
  type InvocationState,
  isExclusive,
  type Target,
} from "./invocation.ts";
import { reply } from "./reply.ts";
import { requestAttempt, run, transition } from "./status.ts";
import { addTimer, type Step } from "./step.ts";
import type { StateMutation } from "./tx.ts";

/** What a new invocation does first. */
export function firstState(
  { tx }: Step,
  { service, key }: Target,
  kind: HandlerKind,
  startAtMs: number | null,
): InvocationState {
  if (startAtMs !== null) return { status: "scheduled", startAtMs };
  const isFree =
    key === null || !isExclusive(kind) || tx.lockHolder({ service, key }) === undefined;
  return isFree ? { status: "running", isPausing: false } : NO_PLACE_YET;
}

const NO_PLACE_YET: InvocationState = { status: "queued", position: 0 };

/** Brings a new invocation, with its first entries, on its way. */
export function enter(step: Step, invocation: Invocation): void {
  const { seq, kind, state } = invocation;
  const instance = instanceOf(invocation);
  if (state.status === "scheduled") {
    return addTimer(step, { dueMs: state.startAtMs, seq, kind: "start", arg: 0 });
  }
  if (state.status === "queued" && instance !== null) return queue(step, invocation, instance);
  if (instance !== null && isExclusive(kind)) step.tx.lock(instance, seq);
  return requestAttempt(step, invocation);
}

/** The time of a scheduled invocation has come: it runs, or waits for its key. */
export function begin(step: Step, invocation: Invocation): void {
  const instance = instanceOf(invocation);
  const { seq, kind } = invocation;
  if (instance === null || !isExclusive(kind) || step.tx.lock(instance, seq)) {
    return run(step, invocation);
  }
  return queue(step, invocation, instance);
}

function queue(step: Step, invocation: Invocation, instance: Instance): void {
  const { seq } = invocation;
  const position = step.tx.enqueue(instance, { kind: "invocation", seq });
  invocation.queuedAtMs = step.nowMs;
  transition(step, invocation, { status: "queued", position });
}

/** An invocation that is not completed yet is about to be: it gives up its key, or its place among those who wait. */
export function leaveKey(step: Step, invocation: Invocation): void {
  const instance = instanceOf(invocation);
  const { kind, state } = invocation;
  if (instance === null || !isExclusive(kind) || state.status === "scheduled") return;
  if (state.status === "queued") step.tx.removeQueued(state.position);
  else passOn(step, instance);
}

function passOn(step: Step, instance: Instance): void {
  const { tx } = step;
  tx.unlock(instance);
  for (let item = tx.dequeue(instance); item !== undefined; item = tx.dequeue(instance)) {
    if (item.kind === "mutation") {
      mutate(step, instance, item.mutation);
      continue;
    }
    const next = tx.invocation(item.seq);
    if (next?.state.status !== "queued") continue;
    tx.lock(instance, item.seq);
    run(step, next);
    return;
  }
}

/** The state is replaced at once when nobody holds the key, else when its turn comes. */
export function onMutateState(step: Step, input: MutateState): void {
  const { instance, mutation, replyTo } = input;
  const { tx } = step;
  if (!isOfVersion(step, instance, mutation)) {
    const message = "the state has changed since it was read: read it again and repeat the change";
    return reply(step, replyTo, { kind: "refused", reason: "version-mismatch", message });
  }
  if (tx.lockHolder(instance) === undefined) {
    mutate(step, instance, mutation);
    return reply(step, replyTo, { kind: "done" });
  }
  tx.enqueue(instance, { kind: "mutation", mutation });
  return reply(step, replyTo, { kind: "pending" });
}

/** A mutation of another version than the state has by now was overtaken, and is dropped. */
function mutate(step: Step, instance: Instance, mutation: StateMutation): void {
  if (!isOfVersion(step, instance, mutation)) return;
  step.tx.clearAllState(instance);
  for (const { key, value } of mutation.entries) step.tx.setState(instance, key, value);
}

function isOfVersion(step: Step, instance: Instance, { version }: StateMutation): boolean {
  if (version === null) return true;
  const { entries } = step.tx.state(instance, Number.POSITIVE_INFINITY);
  return stateVersion(entries) === version;
}
