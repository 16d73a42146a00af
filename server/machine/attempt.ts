/**
 * What an attempt says: commands, step results, and how it ended.
 *
 * A1 An input of an attempt that is not current is dropped here and nowhere else: `current` is the only door.
 * A2 A command is stored whole or the attempt fails; nothing of a refused command remains.
 * A3 A recorded step result never changes: a second result for the same step is refused.
 */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future } from "../../sdk/protocol/messages.ts";
import { advance, depthOf, futureOf, outcomeOfResult } from "../journal/await-tree.ts";
import { notificationOf } from "../journal/notification-of.ts";
import { commandProblem, onCommandStored } from "./commands.ts";
import { failAttempt, pause, refuse, tooDeep, violation } from "./fail.ts";
import { finish } from "./finish.ts";
import type {
  AppendCommand,
  AttemptRef,
  EndAttempt,
  FailAttempt,
  ProposeRun,
  Suspend,
  Yield,
} from "./input.ts";
import { type Invocation, isPausing } from "./invocation.ts";
import { notify, notifyProposed } from "./notify.ts";
import { record } from "./record.ts";
import { resolveIn } from "./registry.ts";
import { requestAttempt, run, transition } from "./status.ts";
import type { Step } from "./step.ts";

/** From this version on an endpoint may keep a step's result until it is acknowledged. */
const ACKNOWLEDGES_RUNS = 7;

/** Entries may be large, and an attempt may have added any number of them. */
const ENTRIES_READ_AT_ONCE = 64;

/** The invocation whose current attempt this is; undefined for a stale one. */
function current(step: Step, attempt: Pick<AttemptRef, "seq" | "epoch">): Invocation | undefined {
  const invocation = step.tx.invocation(attempt.seq);
  if (invocation === undefined || invocation.epoch !== attempt.epoch) return undefined;
  return invocation.state.status === "running" ? invocation : undefined;
}

export function onAppendCommand(step: Step, input: AppendCommand): void {
  const { attempt, command, body } = input;
  const invocation = current(step, attempt);
  if (invocation === undefined) return;
  const problem = commandProblem(step, invocation, command);
  if (problem !== null) return refuse(step, invocation, problem);
  const gone = pinProblem(step, invocation, attempt);
  // No fault of the handler's: it goes on elsewhere at once.
  if (gone !== null) return refuse(step, invocation, gone, 0);
  pin(step, invocation, attempt);
  const commandIndex = invocation.journal.commands;
  step.tx.append(invocation, command.type, body, step.nowMs);
  onCommandStored(step, invocation, command, commandIndex);
  if (input.ackRequested) {
    const { seq, epoch } = attempt;
    step.effects.push({ type: "acknowledge-command", seq, epoch, commandIndex });
  }
}

/**
 * Nothing is bound to a deployment that was deleted, or overwritten without the handler, while the attempt ran: the next one
 * goes to what is latest then.
 */
function pinProblem(step: Step, { pin: pinned, target }: Invocation, { deploymentId }: AttemptRef) {
  if (pinned !== null) return null;
  const { service, handler } = target;
  if (resolveIn(step.tx.registry(), deploymentId, service, handler) !== undefined) return null;
  const message = `deployment ${deploymentId} was deleted, or no longer offers ${service}/${handler}, while this attempt ran on it`;
  return { code: 500, errorCode: "RT0011", message };
}

/** The first stored command binds the invocation to the code that made it; every one is progress. */
function pin(step: Step, invocation: Invocation, attempt: AttemptRef): void {
  if (invocation.pin === null) {
    const { deploymentId, protocolVersion } = attempt;
    invocation.pin = { deploymentId, protocolVersion };
    step.tx.save(invocation);
  }
  if (invocation.retryCountSinceLastStoredEntry > 0) {
    invocation.retryCountSinceLastStoredEntry = 0;
    step.tx.save(invocation);
  }
}

export function onProposeRun(step: Step, input: ProposeRun): void {
  const invocation = current(step, input.attempt);
  if (invocation === undefined) return;
  const { completionId, result, attempt, ackRequested } = input;
  if (!invocation.journal.openRuns.has(completionId)) {
    const what = `a result for run ${completionId}, which is not open`;
    return refuse(step, invocation, violation(`the endpoint proposed ${what}`));
  }
  if (ackRequested && attempt.protocolVersion >= ACKNOWLEDGES_RUNS) {
    return notifyProposed(step, invocation, completionId, result);
  }
  const id = { kind: "completion", completionId } as const;
  return notify(step, invocation, { type: MessageType.RunCompletion, id, result });
}

export function onSuspend(step: Step, input: Suspend): void {
  const invocation = current(step, input.attempt);
  if (invocation === undefined) return;
  const future = futureOf(input.suspension);
  const { futureDepthMax } = step.settings;
  if (depthOf(future) > futureDepthMax) return tooDeep(step, invocation, futureDepthMax);
  invocation.retryCount = 0;
  invocation.lastFailure = null;
  if (isPausing(invocation)) return pause(step, invocation, "operator");
  const awaiting = afterArrived(step, invocation, input.knownEntries, future);
  if (awaiting === null) {
    transition(step, invocation, { status: "suspended", awaiting: future });
    return run(step, invocation);
  }
  record(step, invocation, { kind: "suspended", awaiting });
  return transition(step, invocation, { status: "suspended", awaiting });
}

/**
 * What is left to wait for after the notifications that came while this attempt ran; null when it is decided. Those it had been
 * given to replay do not count: it has seen them and they did not unblock it (a consumed cancellation stays in the await sets of
 * some SDKs and would spin).
 */
function afterArrived(
  step: Step,
  { seq, journal }: Invocation,
  from: number,
  future: Future,
): Future | null {
  let left = future;
  for (let at = from; at < journal.length; at += ENTRIES_READ_AT_ONCE) {
    for (const entry of step.tx.entries(seq, at, at + ENTRIES_READ_AT_ONCE)) {
      const notification = notificationOf(entry);
      if (notification === undefined) continue;
      const next = advance(left, notification.id, outcomeOfResult(notification.result));
      if (typeof next === "string") return null;
      left = next;
    }
  }
  return left;
}

export function onEnd(step: Step, input: EndAttempt): void {
  const invocation = current(step, input.attempt);
  if (invocation === undefined) return;
  if (invocation.journal.outputIndex < 0) {
    return refuse(step, invocation, violation("the endpoint ended the invocation without output"));
  }
  invocation.retryCount = 0;
  invocation.lastFailure = null;
  finish(step, invocation);
}

export function onFail(step: Step, input: FailAttempt): void {
  const invocation = current(step, input.attempt);
  if (invocation !== undefined) failAttempt(step, invocation, input);
}

/** There is no attempt to wait for: what was to pause is paused; where that was taken back meanwhile, it needs one. */
export function onYield(step: Step, input: Yield): void {
  const invocation = current(step, input);
  if (invocation === undefined) return undefined;
  return isPausing(invocation)
    ? pause(step, invocation, "operator")
    : requestAttempt(step, invocation);
}
