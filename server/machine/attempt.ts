/**
 * What an attempt says: commands, step results, and how it ended.
 *
 * A1 An input of an attempt that is not current is dropped here and nowhere else: `current` is the only door.
 * A2 A command is stored whole or the attempt fails; nothing of a refused command remains.
 * A3 A recorded step result never changes: a second result for the same step is refused.
 */
import { decodeNotificationId } from "../../sdk/protocol/codec.ts";
import { isNotification, MessageType } from "../../sdk/protocol/message-type.ts";
import { type AwaitSet, awaits, awaitSetOf } from "../journal/await-set.ts";
import { commandProblem, onCommandStored } from "./commands.ts";
import { failAttempt, refuse, violation } from "./fail.ts";
import { finish } from "./finish.ts";
import type {
  AppendCommand,
  AttemptRef,
  EndAttempt,
  FailAttempt,
  ProposeRun,
  Suspend,
} from "./input.ts";
import type { Invocation } from "./invocation.ts";
import { notify } from "./notify.ts";
import { run, transition } from "./status.ts";
import type { Step } from "./step.ts";

/** The invocation whose current attempt this is; undefined for a stale one. */
export function current(step: Step, attempt: AttemptRef): Invocation | undefined {
  const invocation = step.tx.invocation(attempt.seq);
  if (invocation === undefined || invocation.epoch !== attempt.epoch) return undefined;
  return invocation.state.status === "running" ? invocation : undefined;
}

export function onAppendCommand(step: Step, input: AppendCommand): void {
  const { attempt, command, body } = input;
  const invocation = current(step, attempt);
  if (invocation === undefined) return;
  const problem = commandProblem(step, command);
  if (problem !== null) return refuse(step, invocation, problem);
  pin(step, invocation, attempt);
  const commandIndex = invocation.journal.commands;
  step.tx.append(invocation, command.type, body, step.nowMs);
  onCommandStored(step, invocation, command, commandIndex);
  if (input.ackRequested) {
    const { seq, epoch } = attempt;
    step.effects.push({ type: "acknowledge-command", seq, epoch, commandIndex });
  }
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
  const { completionId, result } = input;
  if (!invocation.journal.openRuns.has(completionId)) {
    const what = `a result for run ${completionId}, which is not open`;
    return refuse(step, invocation, violation(`the endpoint proposed ${what}`));
  }
  const id = { kind: "completion", completionId } as const;
  notify(step, invocation, { type: MessageType.RunCompletion, id, result });
}

export function onSuspend(step: Step, input: Suspend): void {
  const invocation = current(step, input.attempt);
  if (invocation === undefined) return;
  const awaiting = awaitSetOf(input.suspension);
  invocation.retryCount = 0;
  invocation.lastFailure = null;
  transition(step, invocation, { status: "suspended", awaiting });
  if (arrivedSince(step, invocation, input.knownEntries, awaiting)) run(step, invocation);
}

/**
 * Whether one of the awaited notifications came while this attempt ran. Those it had been given to replay do not count: it has
 * seen them and they did not unblock it (a consumed cancellation stays in the await sets of some SDKs and would spin).
 */
function arrivedSince(step: Step, invocation: Invocation, from: number, set: AwaitSet): boolean {
  const { seq, journal } = invocation;
  if (from >= journal.length) return false;
  return step.tx
    .entries(seq, from, journal.length)
    .some((entry) => isNotification(entry.type) && awaits(set, decodeNotificationId(entry.body)));
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
