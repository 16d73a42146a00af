/** Notifications: one layout for all of them. */
import {
  readFailureOutcome,
  readStateKeys,
  readValueOutcome,
  readVoid,
  writeFailure,
  writeStateKeys,
  writeVoid,
} from "./codec-values.ts";
import { MessageType, messageTypeName } from "./message-type.ts";
import type { Notification, NotificationId, NotificationResult } from "./messages.ts";
import { fieldSet, undecodable } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const ID_FIELDS = fieldSet(1, 2, 3);
const FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 16, 17);

export function writeNotification(writer: WireWriter, { id, result }: Notification): void {
  if (id.kind === "completion") writer.uint32Always(varintTag(1), id.completionId);
  else if (id.kind === "signal-index") writer.uint32Always(varintTag(2), id.index);
  else writer.stringAlways(bytesTag(3), id.name);
  switch (result.kind) {
    case "void":
      return writeVoid(writer, bytesTag(4));
    case "value":
      return writer.wrappedBytes(bytesTag(5), result.value);
    case "failure":
      return writeFailure(writer, bytesTag(6), result.failure);
    case "invocation-id":
      return writer.stringAlways(bytesTag(16), result.invocationId);
    case "state-keys":
      return writeStateKeys(writer, bytesTag(17), result.keys);
  }
}

export function readNotification(type: Notification["type"], reader: WireReader): Notification {
  let id: NotificationId | undefined;
  let result: NotificationResult | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag >>> 3 <= 3) id = readId(reader, tag, FIELDS) ?? id;
    else result = readResult(reader, tag) ?? result;
  }
  if (id === undefined) throw undecodable(`a ${messageTypeName(type)} has no id`);
  if (result === undefined) throw undecodable(`a ${messageTypeName(type)} has no result`);
  if ((id.kind === "completion") !== (type !== MessageType.Signal)) {
    throw undecodable(`a ${messageTypeName(type)} cannot have an id of kind ${id.kind}`);
  }
  return { type, id, result };
}

/** Undefined when the field is unknown; it is skipped then. */
function readId(reader: WireReader, tag: number, known: number): NotificationId | undefined {
  if (tag === varintTag(1)) return { kind: "completion", completionId: reader.uint32() };
  if (tag === varintTag(2)) return { kind: "signal-index", index: reader.uint32() };
  if (tag === bytesTag(3)) return { kind: "signal-name", name: reader.string() };
  reader.skipField(tag, known);
  return undefined;
}

/** Undefined when the field is unknown; it is skipped then. */
function readResult(reader: WireReader, tag: number): NotificationResult | undefined {
  switch (tag) {
    case bytesTag(4):
      readVoid(reader);
      return { kind: "void" };
    case bytesTag(5):
      return readValueOutcome(reader);
    case bytesTag(6):
      return readFailureOutcome(reader);
    case bytesTag(16):
      return { kind: "invocation-id", invocationId: reader.string() };
    case bytesTag(17):
      return { kind: "state-keys", keys: readStateKeys(reader) };
    default:
      reader.skipField(tag, FIELDS);
      return undefined;
  }
}

/** The id alone, whatever the result. */
export function readNotificationId(reader: WireReader): NotificationId {
  let id: NotificationId | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    id = readId(reader, tag, ID_FIELDS) ?? id;
  }
  if (id === undefined) throw undecodable("a notification has no id");
  return id;
}
