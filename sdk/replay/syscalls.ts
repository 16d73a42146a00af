/**
 * One function for each operation that is a command: the command, and the leaves for its results. Completion ids are taken
 * in the order the official SDKs take them, so that either can resume what the other began (protocol section 8.2).
 */
import { MessageType } from "../protocol/message-type.ts";
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type {
  Header,
  InvocationTarget,
  NotificationId,
  Outcome,
  VoidResult,
} from "../protocol/messages.ts";
import type { Leaf } from "./await-node.ts";
import type { ReplayMachine } from "./machine.ts";

/** Syscalls do not care what a step is. */
type Machine = ReplayMachine<unknown>;

export interface CallFields {
  readonly service: string;
  readonly handler: string;
  readonly key: string;
  readonly parameter: Uint8Array;
  readonly headers: readonly Header[];
  readonly idempotencyKey?: string;
  /** From V7. */
  readonly scope?: string;
  readonly limitKey?: string;
  /** A label. */
  readonly name: string;
}

export interface CallLeaves {
  readonly invocationId: Leaf;
  readonly result: Leaf;
}

export function sleep(machine: Machine, name: string, wakeUpTimeMs: number): Leaf {
  const resultCompletionId = machine.allocateCompletionId();
  const command = machine.command({
    type: MessageType.SleepCommand,
    name,
    wakeUpTimeMs,
    resultCompletionId,
  });
  // A recorded sleep is the same one whatever its id; its completion comes under the recorded id.
  const recorded = command.type === MessageType.SleepCommand ? command : undefined;
  return machine.completion(recorded?.resultCompletionId ?? resultCompletionId);
}

export function call(machine: Machine, fields: CallFields): CallLeaves {
  const invocationIdCompletionId = machine.allocateCompletionId();
  const resultCompletionId = machine.allocateCompletionId();
  machine.command({
    type: MessageType.CallCommand,
    ...fields,
    invocationIdCompletionId,
    resultCompletionId,
  });
  return {
    invocationId: machine.childInvocationId(invocationIdCompletionId),
    result: machine.completion(resultCompletionId),
  };
}

/** @param invokeTimeMs 0: now. */
export function send(machine: Machine, fields: CallFields, invokeTimeMs: number): Leaf {
  const invocationIdCompletionId = machine.allocateCompletionId();
  machine.command({
    type: MessageType.OneWayCallCommand,
    ...fields,
    invocationIdCompletionId,
    invokeTimeMs,
  });
  return machine.completion(invocationIdCompletionId);
}

export function completeAwakeable(machine: Machine, awakeableId: string, result: Outcome): void {
  machine.command({ type: MessageType.CompleteAwakeableCommand, name: "", awakeableId, result });
}

export function sendSignal(
  machine: Machine,
  targetInvocationId: string,
  signal: Exclude<NotificationId, { kind: "completion" }>,
  result: Outcome | VoidResult,
): void {
  const type = MessageType.SendSignalCommand;
  machine.command({ type, name: "", targetInvocationId, signal, result });
}

export function cancelInvocation(machine: Machine, invocationId: string): void {
  const signal = { kind: "signal-index", index: CANCEL_SIGNAL } as const;
  sendSignal(machine, invocationId, signal, { kind: "void" });
}

export function attachInvocation(machine: Machine, target: InvocationTarget): Leaf {
  const resultCompletionId = machine.allocateCompletionId();
  const type = MessageType.AttachInvocationCommand;
  machine.command({ type, name: "", target, resultCompletionId });
  return machine.completion(resultCompletionId);
}

/** Its value or failure, once it has one. */
export function getPromise(machine: Machine, key: string): Leaf {
  const resultCompletionId = machine.allocateCompletionId();
  machine.command({ type: MessageType.GetPromiseCommand, name: "", key, resultCompletionId });
  return machine.completion(resultCompletionId);
}

/** Its value or failure; void when it has none yet. */
export function peekPromise(machine: Machine, key: string): Leaf {
  const resultCompletionId = machine.allocateCompletionId();
  machine.command({ type: MessageType.PeekPromiseCommand, name: "", key, resultCompletionId });
  return machine.completion(resultCompletionId);
}

/** Void, or a failure when it had been completed before. */
export function completePromise(machine: Machine, key: string, completion: Outcome): Leaf {
  const resultCompletionId = machine.allocateCompletionId();
  const type = MessageType.CompletePromiseCommand;
  machine.command({ type, name: "", key, completion, resultCompletionId });
  return machine.completion(resultCompletionId);
}
