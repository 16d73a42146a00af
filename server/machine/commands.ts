/** What each command asks for: checked before it is stored, carried out in the same transaction after. */
import { MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import {
  type CallCommand,
  type Command,
  FIRST_USER_SIGNAL,
  type InvocationTarget,
  type OneWayCallCommand,
} from "../../sdk/protocol/messages.ts";
import {
  invocationIdToString,
  parseAwakeableId,
  parseInvocationId,
} from "../../sdk/protocol/ids.ts";
import { present, unreachable } from "../base/assert.ts";
import { childInvocationId, idempotentInvocationId } from "../base/ids.ts";
import { violation } from "./fail.ts";
import type { AttemptFailure, Invocation, Target } from "./invocation.ts";
import { notify } from "./notify.ts";
import { resolveHandler } from "./registry.ts";
import { addTimer, type Step } from "./step.ts";
import type { ListenerType } from "./tx.ts";

/** Why a command may not be stored; null when it may. */
export function commandProblem(step: Step, command: Command): AttemptFailure | null {
  switch (command.type) {
    case MessageType.OutputCommand:
    case MessageType.RunCommand:
    case MessageType.SleepCommand:
      return null;
    case MessageType.CallCommand:
    case MessageType.OneWayCallCommand:
      return callProblem(step, command);
    case MessageType.SendSignalCommand:
      return parseInvocationId(command.targetInvocationId) === undefined
        ? violation(`'${command.targetInvocationId}' is no invocation id`)
        : null;
    case MessageType.CompleteAwakeableCommand:
      return awakeable(command.awakeableId) === undefined
        ? violation(`'${command.awakeableId}' is no awakeable id`)
        : null;
    case MessageType.AttachInvocationCommand:
    case MessageType.GetInvocationOutputCommand:
      return targetProblem(command.target);
    default:
      return precondition(
        `a plain service may not use ${messageTypeName(command.type)}: it has no state and no promises`,
      );
  }
}

function callProblem(step: Step, command: CallCommand | OneWayCallCommand): AttemptFailure | null {
  const { service, handler, key, idempotencyKey } = command;
  const callee = resolveHandler(step.tx.registry(), service, handler);
  if (callee === undefined) {
    const message = `no deployment offers ${service}/${handler}: register it, or mend the call`;
    return { code: 404, errorCode: "RT0018", message };
  }
  if (callee.service.ty !== "SERVICE") {
    return precondition(`${service} is a ${callee.service.ty}, which is not served yet`);
  }
  if (key !== "") return precondition(`${service} is a plain service and takes no key`);
  if (idempotencyKey === "") return precondition("an idempotency key may not be empty");
  return null;
}

function targetProblem(target: InvocationTarget): AttemptFailure | null {
  if (target.kind !== "invocation-id") return null;
  return parseInvocationId(target.invocationId) === undefined
    ? violation(`'${target.invocationId}' is no invocation id`)
    : null;
}

function precondition(message: string): AttemptFailure {
  return { code: 500, errorCode: "RT0017", message };
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
      const { invocationId: id, signalIndex } = present(
        awakeable(command.awakeableId),
        "awakeable",
      );
      const signal = { kind: "signal-index", index: signalIndex } as const;
      step.followUps.push({ type: "signal", id, signal, result: command.result, replyTo: null });
      return undefined;
    }
    case MessageType.AttachInvocationCommand:
      return listen(step, seq, command, MessageType.AttachInvocationCompletion);
    case MessageType.GetInvocationOutputCommand:
      return listen(step, seq, command, MessageType.GetInvocationOutputCompletion);
    default:
      return undefined;
  }
}

function invokeCallee(
  step: Step,
  invocation: Invocation,
  command: CallCommand | OneWayCallCommand,
  commandIndex: number,
): void {
  const { service, handler, headers, parameter, idempotencyKey = null } = command;
  const target: Target = { service, handler, key: null };
  const id =
    idempotencyKey === null
      ? childInvocationId(invocation.id, commandIndex, step.nowMs)
      : idempotentInvocationId({ ...target, idempotencyKey });
  notify(step, invocation, {
    type: MessageType.CallInvocationIdCompletion,
    id: { kind: "completion", completionId: command.invocationIdCompletionId },
    result: { kind: "invocation-id", invocationId: invocationIdToString(id) },
  });
  const isCall = command.type === MessageType.CallCommand;
  step.followUps.push({
    type: "invoke",
    id,
    target,
    headers,
    parameter,
    idempotencyKey,
    startAtMs: isCall ? 0 : command.invokeTimeMs,
    caller: { seq: invocation.seq, completionId: isCall ? command.resultCompletionId : null },
    replyTo: null,
  });
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

/** The id of an invocation named by its identity; a workflow never matches, since none can be started yet. */
function targetId(target: InvocationTarget): Uint8Array {
  switch (target.kind) {
    case "invocation-id":
      return present(parseInvocationId(target.invocationId), "invocation id");
    case "idempotent":
      return idempotentInvocationId({ ...target, key: target.key ?? null });
    case "workflow":
      return NO_INVOCATION;
    default:
      return unreachable(target);
  }
}

/** An id that no invocation has. */
const NO_INVOCATION = new Uint8Array(24);
