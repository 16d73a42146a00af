/** An invocation gets its result: the last Output entry of its journal. */
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Failure, Outcome } from "../../sdk/protocol/messages.ts";
import { assert, present } from "../base/assert.ts";
import { answer } from "./answer.ts";
import { leaveKey } from "./exclusive.ts";
import type { Invocation } from "./invocation.ts";
import { transition } from "./status.ts";
import { addTimer, type Step } from "./step.ts";
import type { Reader, TimerKind } from "./tx.ts";

/** The result of an invocation whose journal holds an Output. */
export function outcomeOf(reader: Reader, invocation: Invocation): Outcome {
  const { state, seq, journal } = invocation;
  const index = state.status === "completed" ? state.outputIndex : journal.outputIndex;
  const entry = present(reader.entries(seq, index, index + 1)[0], `output of invocation ${seq}`);
  const output = decodeMessage(entry.type, entry.body);
  assert(output.type === MessageType.OutputCommand, `entry ${index} of ${seq} is no output`);
  return output.result;
}

/** Completes an invocation with the Output it recorded: answers all who wait, passes on its key and starts its retention. */
export function finish(step: Step, invocation: Invocation): void {
  const { tx, nowMs } = step;
  const { seq, caller, journal, completionRetentionMs, journalRetentionMs } = invocation;
  leaveKey(step, invocation);
  transition(step, invocation, {
    status: "completed",
    completedAtMs: nowMs,
    outputIndex: journal.outputIndex,
  });
  const outcome = outcomeOf(tx, invocation);
  step.effects.push({ type: "finished", seq, outcome });
  if (caller !== null && caller.completionId !== null) {
    answer(step, caller.seq, caller.completionId, MessageType.CallCompletion, outcome);
  }
  for (const listener of tx.takeListeners(seq)) {
    answer(step, listener.callerSeq, listener.completionId, listener.messageType, outcome);
  }
  forgetAfter(step, seq, "purge", completionRetentionMs);
  if (journalRetentionMs < completionRetentionMs) {
    forgetAfter(step, seq, "purge-journal", journalRetentionMs);
  }
}

/** What ends within the same interval is forgotten together, so that a purge is one of many in a transaction. */
function forgetAfter(step: Step, seq: number, kind: TimerKind, retentionMs: number): void {
  const { cleanupIntervalMs } = step.settings;
  const endsMs = step.nowMs + retentionMs;
  const dueMs = Math.ceil(endsMs / cleanupIntervalMs) * cleanupIntervalMs;
  addTimer(step, { dueMs, seq, kind, arg: 0 });
}

/** Completes an invocation from outside its handler; the failure becomes its Output entry. */
export function finishWithFailure(step: Step, invocation: Invocation, failure: Failure): void {
  const type = MessageType.OutputCommand;
  const body = encodeBody({ type, result: { kind: "failure", failure }, name: "" });
  step.tx.append(invocation, type, body, step.nowMs);
  finish(step, invocation);
}
