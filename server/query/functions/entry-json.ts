/**
 * Journal entries as clients read them: an externally tagged union, payloads as arrays of numbers. The light form leaves payloads
 * out.
 */
import { decodeMessage } from "../../../sdk/protocol/codec.ts";
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import type {
  Command,
  Message,
  Notification,
  NotificationResult,
  Outcome,
} from "../../../sdk/protocol/messages.ts";
import { isCommandMessage, isNotificationMessage } from "../../../sdk/protocol/message-kind.ts";
import { RFC3339_MS_MAX } from "../../base/rfc3339.ts";
import { callJson, type DescribeTarget } from "./call-json.ts";
import { commandName, notificationName } from "./entry-names.ts";
import {
  failureJson,
  headersJson,
  notificationIdJson,
  payloadJson,
  signalIdJson,
  targetJson,
  text,
} from "./json-parts.ts";
import type { SqlArgument } from "./sql-argument.ts";

/** The label a user gave to a command; null for notifications. */
export function entryName(type: SqlArgument, body: SqlArgument): string | null {
  const message = decode(type, body);
  return message !== undefined && "name" in message ? message.name : null;
}

/** The completion id of a notification. */
export function completionIdOf(body: SqlArgument): number | null {
  const message = decode(MessageType.CallInvocationIdCompletion, body);
  if (message === undefined || !("id" in message) || message.id instanceof Uint8Array) return null;
  return message.id.kind === "completion" ? message.id.completionId : null;
}

/** Under which completion id a call is told what it started. */
export function calleeCompletionId(type: SqlArgument, body: SqlArgument): number | null {
  const message = decode(type, body);
  return message !== undefined && "invocationIdCompletionId" in message
    ? message.invocationIdCompletionId
    : null;
}

/** The invocation id that a notification tells. */
export function calleeId(body: SqlArgument): string | null {
  const message = decode(MessageType.CallInvocationIdCompletion, body);
  if (message === undefined || !("id" in message) || !("result" in message)) return null;
  return message.result.kind === "invocation-id" ? message.result.invocationId : null;
}

/** `callee` is what a call or a send started; null while nothing is known of it. */
export function entryText(
  type: SqlArgument,
  body: SqlArgument,
  callee: SqlArgument,
  describe: DescribeTarget,
): string | null {
  const message = decode(type, body);
  return message === undefined ? null : textOf(message, callee, describe, FULL);
}

/** Without payloads. */
export function entryLiteText(
  type: SqlArgument,
  body: SqlArgument,
  callee: SqlArgument,
  describe: DescribeTarget,
): string | null {
  const message = decode(type, body);
  return message === undefined ? null : textOf(message, callee, describe, LITE);
}

/** What of an entry is shown. */
interface Form {
  readonly command: (json: object) => object;
  readonly notification: (notification: Notification) => object;
}

const FULL: Form = {
  command: (json) => json,
  notification: (notification) => {
    const { type, id, result } = notification;
    if (id.kind !== "completion") {
      return { Signal: { id: signalIdJson(id), result: resultJson(result) } };
    }
    const completion = completionJson(notification, id.completionId);
    return { Completion: { [notificationName(type)]: completion } };
  },
};

const LITE: Form = {
  command: withoutPayloads,
  notification: ({ type, id, result }) => {
    const ty = id.kind === "completion" ? { Completion: notificationName(type) } : "Signal";
    return { ty, id: notificationIdJson(id), result: resultName(result) };
  },
};

function textOf(
  message: Message,
  callee: SqlArgument,
  describe: DescribeTarget,
  form: Form,
): string | null {
  if (isCommandMessage(message)) {
    const json = commandJson(message, typeof callee === "string" ? callee : null, describe);
    return JSON.stringify({ Command: tagged(message.type, form.command(json)) });
  }
  if (!isNotificationMessage(message)) return null;
  return JSON.stringify({ Notification: form.notification(message) });
}

function decode(type: SqlArgument, body: SqlArgument): Message | undefined {
  if (typeof type !== "number" || !(body instanceof Uint8Array)) return undefined;
  try {
    return decodeMessage(type, body);
  } catch {
    // An entry of a protocol that this version does not know: its row still shows type and bytes.
    return undefined;
  }
}

function tagged(type: number, json: object): object {
  return { [commandName(type) ?? ""]: json };
}

function commandJson(command: Command, callee: string | null, describe: DescribeTarget): object {
  const { name } = command;
  switch (command.type) {
    case MessageType.InputCommand:
      return { headers: headersJson(command.headers), payload: payloadJson(command.value), name };
    case MessageType.OutputCommand:
      return { result: outcomeJson(command.result), name };
    case MessageType.SleepCommand:
      return {
        // Later times the `restate` CLI cannot show: it dies of them.
        wake_up_time: Math.min(command.wakeUpTimeMs, RFC3339_MS_MAX),
        completion_id: command.resultCompletionId,
        name,
      };
    case MessageType.CallCommand:
    case MessageType.OneWayCallCommand:
      return callJson(command, callee, describe);
    case MessageType.SendSignalCommand: {
      const signal = signalIdJson(command.signal);
      const target_invocation_id = command.targetInvocationId;
      return { target_invocation_id, signal_id: signal, result: resultJson(command.result), name };
    }
    case MessageType.AttachInvocationCommand:
    case MessageType.GetInvocationOutputCommand:
      return {
        target: targetJson(command.target),
        completion_id: command.resultCompletionId,
        name,
      };
    case MessageType.CompleteAwakeableCommand:
      return { id: command.awakeableId, result: outcomeJson(command.result), name };
    default:
      return stateOrPromiseJson(command);
  }
}

type KeyedCommand = Exclude<
  Command,
  {
    type:
      | typeof MessageType.InputCommand
      | typeof MessageType.OutputCommand
      | typeof MessageType.SleepCommand
      | typeof MessageType.CallCommand
      | typeof MessageType.OneWayCallCommand
      | typeof MessageType.SendSignalCommand
      | typeof MessageType.AttachInvocationCommand
      | typeof MessageType.GetInvocationOutputCommand
      | typeof MessageType.CompleteAwakeableCommand;
  }
>;

function stateOrPromiseJson(command: KeyedCommand): object {
  const { name } = command;
  switch (command.type) {
    case MessageType.SetStateCommand:
      return { key: text(command.key), value: payloadJson(command.value), name };
    case MessageType.ClearStateCommand:
      return { key: text(command.key), name };
    case MessageType.ClearAllStateCommand:
      return { name };
    case MessageType.GetLazyStateCommand:
      return { key: text(command.key), completion_id: command.resultCompletionId, name };
    case MessageType.GetEagerStateCommand:
      return { key: text(command.key), result: resultJson(command.result), name };
    case MessageType.GetEagerStateKeysCommand:
      return { state_keys: command.keys.map(text), name };
    case MessageType.CompletePromiseCommand: {
      const value = outcomeJson(command.completion);
      return { key: command.key, value, completion_id: command.resultCompletionId, name };
    }
    case MessageType.GetPromiseCommand:
    case MessageType.PeekPromiseCommand:
      return { key: command.key, completion_id: command.resultCompletionId, name };
    default:
      return { completion_id: command.resultCompletionId, name };
  }
}

function completionJson({ type, result }: Notification, completion_id: number): object {
  if (result.kind === "invocation-id") {
    return { completion_id, invocation_id: result.invocationId };
  }
  if (result.kind === "state-keys") return { completion_id, state_keys: result.keys.map(text) };
  // A sleep can end in one way alone.
  if (type === MessageType.SleepCompletion) return { completion_id };
  return { completion_id, result: resultJson(result) };
}

function outcomeJson(outcome: Outcome): unknown {
  return outcome.kind === "value"
    ? { Success: payloadJson(outcome.value) }
    : { Failure: failureJson(outcome.failure) };
}

function resultJson(result: NotificationResult): unknown {
  switch (result.kind) {
    case "void":
      return "Void";
    case "invocation-id":
      return { InvocationId: result.invocationId };
    case "state-keys":
      return { StateKeys: result.keys.map(text) };
    default:
      return outcomeJson(result);
  }
}

const RESULT_NAMES: Readonly<Record<NotificationResult["kind"], string>> = {
  value: "Success",
  failure: "Failure",
  void: "Void",
  "invocation-id": "InvocationId",
  "state-keys": "StateKeys",
};

function resultName({ kind }: NotificationResult): string {
  return RESULT_NAMES[kind];
}

/** Bytes, and what only comes with them, are left out; of a result its kind stays. */
function withoutPayloads(json: object): object {
  const kept = Object.entries(json).filter(
    ([key, value]) =>
      !["payload", "value", "parameter", "headers", "span_context"].includes(key) && value !== "",
  );
  return Object.fromEntries(kept.map(([key, value]) => [key, lite(key, value)]));
}

function lite(key: string, value: SqlArgument): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (key === "result") return Object.keys(value)[0];
  return key === "request" ? withoutPayloads(value) : value;
}
