/** A journal entry as operators see it: what it is and what it belongs to, never its payload; pure. */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isCommand, MessageType, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type {
  Command,
  InvocationTarget,
  Message,
  NotificationId,
  NotificationResult,
} from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";
import type { View } from "./view.ts";

export function entryView(entry: Entry): View {
  const { index, type, body, atMs } = entry;
  const message = decoded(entry);
  return {
    index,
    kind: isCommand(type) ? "command" : "notification",
    type: messageTypeName(type),
    at: rfc3339Nanos(atMs),
    ...(message === null ? { undecodable: true } : messageView(message)),
    bytes: body.length,
  };
}

/** Null for what this version cannot read: it is shown all the same. */
export function decoded(entry: Entry): Message | null {
  try {
    return decodeMessage(entry.type, entry.body);
  } catch {
    return null;
  }
}

function messageView(message: Message): View {
  if ("id" in message && "result" in message) {
    return { ...notificationIdView(message.id), ...resultView(message.result) };
  }
  return "name" in message ? { name: message.name, ...commandView(message) } : {};
}

/** What a command asks for. */
function commandView(command: Command): View {
  switch (command.type) {
    case MessageType.OutputCommand:
      return resultView(command.result);
    case MessageType.SleepCommand:
      return { ...completionView(command), wake_up_at: rfc3339Nanos(command.wakeUpTimeMs) };
    case MessageType.CallCommand:
      return { ...completionView(command), ...calleeView(command) };
    case MessageType.OneWayCallCommand: {
      const startAt = command.invokeTimeMs === 0 ? undefined : rfc3339Nanos(command.invokeTimeMs);
      return { ...calleeView(command), start_at: startAt };
    }
    case MessageType.AttachInvocationCommand:
    case MessageType.GetInvocationOutputCommand:
      return { ...completionView(command), target: attachedText(command.target) };
    case MessageType.SendSignalCommand:
      return { target: command.targetInvocationId, ...notificationIdView(command.signal) };
    case MessageType.CompleteAwakeableCommand:
      return { awakeable_id: command.awakeableId, ...resultView(command.result) };
    default:
      return {
        ...("resultCompletionId" in command ? completionView(command) : {}),
        ...keyView(command),
      };
  }
}

/** The promise, or the piece of state, that a command is about. */
function keyView(command: Command): View {
  if (!("key" in command)) return {};
  const { key } = command;
  return typeof key === "string"
    ? { promise: key }
    : { state_key: Buffer.from(key).toString("utf8") };
}

function completionView({ resultCompletionId }: { readonly resultCompletionId: number }): View {
  return { completion_id: resultCompletionId };
}

function calleeView(
  command: Extract<Command, { readonly invocationIdCompletionId: number }>,
): View {
  const { service, key, handler, invocationIdCompletionId } = command;
  return {
    target: key === "" ? `${service}/${handler}` : `${service}/${key}/${handler}`,
    invocation_id_completion_id: invocationIdCompletionId,
    idempotency_key: command.idempotencyKey,
  };
}

/** What an attach names. */
export function attachedText(target: InvocationTarget): string {
  switch (target.kind) {
    case "invocation-id":
      return target.invocationId;
    case "workflow":
      return `${target.service}/${target.key}`;
    default: {
      const { service, key, handler, idempotencyKey } = target;
      return [service, ...(key === undefined ? [] : [key]), handler, idempotencyKey].join("/");
    }
  }
}

function notificationIdView(id: NotificationId): View {
  switch (id.kind) {
    case "completion":
      return { completion_id: id.completionId };
    case "signal-index":
      return { signal_index: id.index };
    default:
      return { signal_name: id.name };
  }
}

function resultView(result: NotificationResult): View {
  switch (result.kind) {
    case "failure": {
      const { code, message } = result.failure;
      return { result: "failure", failure: { code, message } };
    }
    case "invocation-id":
      return { result: "invocation-id", invocation_id: result.invocationId };
    default:
      return { result: result.kind };
  }
}
