/**
 * The door to the codec: messages to bytes and back.
 *
 * Encoding allocates once, the bytes it returns. Decoding copies nothing: byte fields are views of the payload, so whoever
 * keeps one longer than the payload copies it. The only error decoding throws is `ProtocolError` 500: an unknown type,
 * bytes that do not decode, a mandatory part that is missing. What is mandatory must be there before it is journaled,
 * because it could never be replayed. Encoding throws `RangeError` for numbers out of their field's range.
 *
 * Unpaired surrogates in strings have no UTF-8; they are encoded as U+FFFD.
 */
import { readCommand, readRunCompletionId, writeCommand } from "./codec-commands.ts";
import { readControl, writeControl } from "./codec-control.ts";
import { readNotification, readNotificationId, writeNotification } from "./codec-notifications.ts";
import { isCommandMessage, isNotificationMessage } from "./message-kind.ts";
import { isKnownMessageType, messageTypeName } from "./message-type.ts";
import type { Message, Notification, NotificationId } from "./messages.ts";
import { undecodable, WireReader } from "./wire-reader.ts";
import { WireWriter } from "./wire-writer.ts";

const FIRST_COMMAND = 0x0400;
const FIRST_NOTIFICATION = 0x8000;

const writer = new WireWriter();

/** The payload alone, as the journal stores it. */
export function encodeBody(message: Message): Uint8Array {
  writer.begin(false);
  writeMessage(message);
  return writer.finishBody();
}

/** A whole frame. */
export function encodeMessage(message: Message, ackRequested = false): Uint8Array {
  writer.begin(true);
  writeMessage(message);
  return writer.finishFrame(message.type, ackRequested);
}

/** The message in a payload. Throws `ProtocolError` 500. */
export function decodeMessage(type: number, body: Uint8Array): Message {
  const reader = new WireReader(body);
  const message = readMessage(type, reader);
  if (message === undefined) throw undecodable(`message type ${messageTypeName(type)} is unknown`);
  return message;
}

/** Which await a notification answers, without its result. Throws `ProtocolError` 500. */
export function decodeNotificationId(body: Uint8Array): NotificationId {
  return readNotificationId(new WireReader(body));
}

/** The completion id a RunCommand asks for. Throws `ProtocolError` 500. */
export function decodeRunCompletionId(body: Uint8Array): number {
  return readRunCompletionId(new WireReader(body));
}

function writeMessage(message: Message): void {
  if (isCommandMessage(message)) writeCommand(writer, message);
  else if (isNotificationMessage(message)) writeNotification(writer, message);
  else writeControl(writer, message);
}

function readMessage(type: number, reader: WireReader): Message | undefined {
  if (type < FIRST_COMMAND) return readControl(type, reader);
  if (type < FIRST_NOTIFICATION) return readCommand(type, reader);
  return isNotificationType(type) ? readNotification(type, reader) : undefined;
}

function isNotificationType(type: number): type is Notification["type"] {
  return type >= FIRST_NOTIFICATION && isKnownMessageType(type);
}
