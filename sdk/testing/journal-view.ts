/** The journal of an invocation as a test reads it. */
import { decodeMessage } from "../protocol/codec.ts";
import { isCommand, MessageType, messageTypeName } from "../protocol/message-type.ts";
import type { Message, NotificationId, NotificationResult } from "../protocol/messages.ts";
import type { Entry } from "../../server/journal/summary.ts";
import type { JournalEntry } from "./inspection.ts";

export function journalEntry({ index, type, body }: Entry): JournalEntry {
  const message = decodeMessage(type, body);
  return {
    index,
    kind: isCommand(type) ? "command" : "notification",
    type: messageTypeName(type),
    ...nameView(message),
    ...idView(message),
    ...keyView(message),
    ...calleeView(message),
    ...valueView(message),
  };
}

type View = Omit<Partial<JournalEntry>, "index" | "kind" | "type">;

function nameView(message: Message): View {
  return "name" in message && message.name !== "" ? { name: message.name } : {};
}

function idView(message: Message): View {
  if ("id" in message && !(message.id instanceof Uint8Array)) return notificationIdView(message.id);
  return "resultCompletionId" in message ? { completionId: message.resultCompletionId } : {};
}

function notificationIdView(id: NotificationId): View {
  if (id.kind === "completion") return { completionId: id.completionId };
  return { signal: id.kind === "signal-index" ? id.index : id.name };
}

function keyView(message: Message): View {
  if (!("key" in message) || "service" in message || message.type === MessageType.Start) return {};
  const { key } = message;
  return { key: typeof key === "string" ? key : text(key) };
}

function calleeView(message: Message): View {
  if (!("service" in message)) return {};
  const { service, key, handler } = message;
  return { target: [service, ...(key === "" ? [] : [key]), handler].join("/") };
}

function valueView(message: Message): View {
  if ("result" in message) return resultView(message.result);
  if (message.type === MessageType.CompletePromiseCommand) return resultView(message.completion);
  if ("value" in message) return { value: payload(message.value) };
  return "parameter" in message ? { value: payload(message.parameter) } : {};
}

function resultView(result: NotificationResult): View {
  switch (result.kind) {
    case "value":
      return { value: payload(result.value) };
    case "failure": {
      const { code, message } = result.failure;
      return { failure: { code, message } };
    }
    case "invocation-id":
      return { value: result.invocationId };
    case "state-keys":
      return { value: result.keys.map((key) => text(key)) };
    default:
      return {};
  }
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

/** Undefined for no bytes. */
export function payload(bytes: Uint8Array): unknown {
  if (bytes.length === 0) return undefined;
  try {
    const value: unknown = JSON.parse(text(bytes));
    return value;
  } catch {
    return Uint8Array.from(bytes);
  }
}
