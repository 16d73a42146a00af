/** What each command asks for: checked before it is stored, carried out in the same transaction after. */
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  type Command,
  FIRST_USER_SIGNAL,
  type InvocationTarget,
} from "../../sdk/protocol/messages.ts";
import { parseAwakeableId, parseInvocationId } from "../../sdk/protocol/ids.ts";
import { present, unreachable } from "../base/assert.ts";
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import { callProblem, invokeCallee } from "./call.ts";
import { violation } from "./fail.ts";
import { onPromiseCommand, promiseProblem } from "./promises.ts";
import type { AttemptFailure, Invocation } from "./invocation.ts";
import { onStateCommand, stateProblem } from "./state.ts";
import { addTimer, type Step } from "./step.ts";
import type { ListenerType } from "./tx.ts";

/** Why a command may not be stored; null when it may. */
export function commandProblem(
  step: Step,
  invocation: Invocation,
  command: Command,
): AttemptFailure | null {
  switch (command.type) {
    case MessageType.OutputCommand:
    case MessageType.RunCommand:
    case MessageType.SleepCommand:
      return null;
    case MessageType.CallCommand:
    case MessageType.OneWayCallCommand:
      return callProblem(step, command);
    case MessageType.SendSignalCommand:
      return idProblem(command.targetInvocationId);
    case MessageType.CompleteAwakeableCommand:
      return awakeableProblem(command.awakeableId);
    case MessageType.AttachInvocationCommand:
    case MessageType.GetInvocationOutputCommand:
      return command.target.kind === "invocation-id"
        ? idProblem(command.target.invocationId)
        : null;
    case MessageType.GetPromiseCommand:
    case MessageType.PeekPromiseCommand:
    case MessageType.CompletePromiseCommand:
      return promiseProblem(invocation);
    case MessageType.InputCommand:
      return violation("only the server writes an InputCommand");
    default:
      return stateProblem(invocation, command);
  }
}

function idProblem(id: string): AttemptFailure | null {
  return parseInvocationId(id) === undefined ? violation(`'${id}' is no invocation id`) : null;
}

/** The ids of protocols before V4 name nothing in this journal: they are accepted and reach nobody. */
const OLD_AWAKEABLE = /^prom_1[0-9A-Za-z_-]{38}=?$/;

function awakeableProblem(id: string): AttemptFailure | null {
  if (OLD_AWAKEABLE.test(id) || awakeable(id) !== undefined) return null;
  return violation(`'${id}' is no awakeable id`);
}

/** Ids below the first user signal are the protocol's own: nobody may hand out an awakeable with one. */
function awakeable(text: string): ReturnType<typeof parseAwakeableId> {
  const parsed = parseAwakeableId(text);
  return parsed !== undefined && parsed.signalIndex >= FIRST_USER_SIGNAL ? parsed : undefined;
}

/** Carries out a command that was just appended as number `commandIndex`. */
export function onCommandStored(
  step: Step,
  invocation: Invocation,
  command: Command,
  commandIndex: number,
): void {
  const { seq } = invocation;
  switch (command.type) {
    case MessageType.InputCommand:
    case MessageType.OutputCommand:
    case MessageType.RunCommand:
      return undefined;
    case MessageType.SleepCommand: {
      const { wakeUpTimeMs: dueMs, resultCompletionId: arg } = command;
      return addTimer(step, { dueMs, seq, kind: "sleep", arg });
    }
    case MessageType.CallCommand:
    case MessageType.OneWayCallCommand:
      return invokeCallee(step, invocation, command, commandIndex);
    case MessageType.SendSignalCommand: {
      const id = present(parseInvocationId(command.targetInvocationId), "invocation id");
      const { signal, result } = command;
      step.followUps.push({ type: "signal", id, signal, result, replyTo: null });
      return undefined;
    }
    case MessageType.CompleteAwakeableCommand: {
      const named = awakeable(command.awakeableId);
      if (named === undefined) return undefined;
      const { invocationId: id, signalIndex: index } = named;
      const signal = { kind: "signal-index", index } as const;
      step.followUps.push({ type: "signal", id, signal, result: command.result, replyTo: null });
      return undefined;
    }
    case MessageType.AttachInvocationCommand:
      return listen(step, seq, command, MessageType.AttachInvocationCompletion);
    case MessageType.GetInvocationOutputCommand:
      return listen(step, seq, command, MessageType.GetInvocationOutputCompletion);
    case MessageType.GetPromiseCommand:
    case MessageType.PeekPromiseCommand:
    case MessageType.CompletePromiseCommand:
      return onPromiseCommand(step, invocation, command);
    default:
      return onStateCommand(step, invocation, command);
  }
}

function listen(
  step: Step,
  callerSeq: number,
  command: { readonly target: InvocationTarget; readonly resultCompletionId: number },
  messageType: ListenerType,
): void {
  const { target, resultCompletionId: completionId } = command;
  step.followUps.push({
    type: "listen",
    id: targetId(target),
    listener: { callerSeq, completionId, messageType },
    wait: messageType === MessageType.AttachInvocationCompletion,
  });
}

function targetId(target: InvocationTarget): Uint8Array {
  switch (target.kind) {
    case "invocation-id":
      return present(parseInvocationId(target.invocationId), "invocation id");
    case "idempotent":
      return idempotentInvocationId({ ...target, key: target.key ?? null });
    case "workflow":
      return workflowInvocationId(target.service, target.key);
    default:
      return unreachable(target);
  }
}
