/** Commands in words, for errors that people read. Payloads are left out: they may hold what must not be in a log. */
import { MessageType } from "../protocol/message-type.ts";
import type { Command, InvocationTarget, NotificationId } from "../protocol/messages.ts";

const VERBS: Readonly<Record<Command["type"], string>> = {
  [MessageType.InputCommand]: "Input",
  [MessageType.OutputCommand]: "Output",
  [MessageType.GetLazyStateCommand]: "GetState",
  [MessageType.SetStateCommand]: "SetState",
  [MessageType.ClearStateCommand]: "ClearState",
  [MessageType.ClearAllStateCommand]: "ClearAllState",
  [MessageType.GetLazyStateKeysCommand]: "GetStateKeys",
  [MessageType.GetEagerStateCommand]: "GetState",
  [MessageType.GetEagerStateKeysCommand]: "GetStateKeys",
  [MessageType.GetPromiseCommand]: "GetPromise",
  [MessageType.PeekPromiseCommand]: "PeekPromise",
  [MessageType.CompletePromiseCommand]: "ResolvePromise",
  [MessageType.SleepCommand]: "Sleep",
  [MessageType.CallCommand]: "Call",
  [MessageType.OneWayCallCommand]: "Send",
  [MessageType.SendSignalCommand]: "SendSignal",
  [MessageType.RunCommand]: "Run",
  [MessageType.AttachInvocationCommand]: "Attach",
  [MessageType.GetInvocationOutputCommand]: "GetOutput",
  [MessageType.CompleteAwakeableCommand]: "CompleteAwakeable",
};

const decoder = new TextDecoder();

/** A command for people: `Run "charge"`, `Call of Greeter/greet`, `SetState "count"`. */
export function describeCommand(command: Command): string {
  const label = command.name === "" ? "" : ` "${command.name}"`;
  const isRejecting =
    command.type === MessageType.CompletePromiseCommand && command.completion.kind === "failure";
  const verb = isRejecting ? "RejectPromise" : VERBS[command.type];
  return `${verb}${label}${subjectOf(command)}`;
}

/** What an await waits for, for people. */
export function describeId(id: NotificationId): string {
  if (id.kind === "completion") return `completion ${id.completionId}`;
  return id.kind === "signal-index" ? `signal ${id.index}` : `signal "${id.name}"`;
}

function subjectOf(command: Command): string {
  switch (command.type) {
    case MessageType.OutputCommand:
      return command.result.kind === "failure" ? " (failed)" : "";
    case MessageType.CallCommand:
      return ` of ${describeCallee(command)}`;
    case MessageType.OneWayCallCommand:
      return ` to ${describeCallee(command)}`;
    case MessageType.CompleteAwakeableCommand:
      return ` ${command.awakeableId}`;
    case MessageType.SendSignalCommand:
      return ` ${describeId(command.signal)} to ${command.targetInvocationId}`;
    case MessageType.AttachInvocationCommand:
      return ` to ${describeTarget(command.target)}`;
    case MessageType.GetInvocationOutputCommand:
      return ` of ${describeTarget(command.target)}`;
    default:
      return "key" in command ? ` ${describeKey(command.key)}` : "";
  }
}

/** Of a state or a promise. */
const describeKey = (key: Uint8Array | string): string =>
  JSON.stringify(typeof key === "string" ? key : decoder.decode(key));

function describeCallee(callee: { service: string; key: string; handler: string }): string {
  const key = callee.key === "" ? "" : `/${callee.key}`;
  return `${callee.service}${key}/${callee.handler}`;
}

function describeTarget(target: InvocationTarget): string {
  if (target.kind === "invocation-id") return target.invocationId;
  if (target.kind === "workflow") return `${target.service}/${target.key}`;
  return `${target.service}/${target.handler} (${target.idempotencyKey})`;
}
