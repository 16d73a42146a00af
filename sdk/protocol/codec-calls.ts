/** Calls and sends. Note the shift of numbers: from `headers` on, a send counts one more than a call. */
import { readHeader, writeHeaders } from "./codec-values.ts";
import { INVOCATION_ID_ID, NAME, RESULT_ID } from "./codec-tags.ts";
import type { Draft } from "./codec-values.ts";
import { MessageType } from "./message-type.ts";
import type { CallCommand, Header, OneWayCallCommand } from "./messages.ts";
import { fieldSet } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const CALL_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12);
const SEND_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12);

export function writeCall(writer: WireWriter, call: CallCommand): void {
  writer.string(bytesTag(1), call.service);
  writer.string(bytesTag(2), call.handler);
  writer.bytes(bytesTag(3), call.parameter);
  writeHeaders(writer, bytesTag(4), call.headers);
  writer.string(bytesTag(5), call.key);
  writer.optionalString(bytesTag(6), call.idempotencyKey);
  writer.optionalString(bytesTag(7), call.scope);
  writer.optionalString(bytesTag(8), call.limitKey);
  writer.uint32(INVOCATION_ID_ID, call.invocationIdCompletionId);
  writer.uint32(RESULT_ID, call.resultCompletionId);
  writer.string(NAME, call.name);
}

export function readCall(reader: WireReader): CallCommand {
  const headers: Header[] = [];
  const call: Draft<CallCommand> = {
    type: MessageType.CallCommand,
    service: "",
    handler: "",
    key: "",
    parameter: new Uint8Array(0),
    headers,
    invocationIdCompletionId: 0,
    resultCompletionId: 0,
    name: "",
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) call.service = reader.string();
    else if (tag === bytesTag(2)) call.handler = reader.string();
    else if (tag === bytesTag(3)) call.parameter = reader.bytes();
    else if (tag === bytesTag(4)) headers.push(readHeader(reader));
    else if (tag === bytesTag(5)) call.key = reader.string();
    else if (tag === bytesTag(6)) call.idempotencyKey = reader.string();
    else if (tag === bytesTag(7)) call.scope = reader.string();
    else if (tag === bytesTag(8)) call.limitKey = reader.string();
    else if (tag === INVOCATION_ID_ID) call.invocationIdCompletionId = reader.uint32();
    else if (tag === RESULT_ID) call.resultCompletionId = reader.uint32();
    else if (tag === NAME) call.name = reader.string();
    else reader.skipField(tag, CALL_FIELDS);
  }
  return call;
}

export function writeOneWayCall(writer: WireWriter, call: OneWayCallCommand): void {
  writer.string(bytesTag(1), call.service);
  writer.string(bytesTag(2), call.handler);
  writer.bytes(bytesTag(3), call.parameter);
  writer.uint53(varintTag(4), call.invokeTimeMs);
  writeHeaders(writer, bytesTag(5), call.headers);
  writer.string(bytesTag(6), call.key);
  writer.optionalString(bytesTag(7), call.idempotencyKey);
  writer.optionalString(bytesTag(8), call.scope);
  writer.optionalString(bytesTag(9), call.limitKey);
  writer.uint32(INVOCATION_ID_ID, call.invocationIdCompletionId);
  writer.string(NAME, call.name);
}

export function readOneWayCall(reader: WireReader): OneWayCallCommand {
  const headers: Header[] = [];
  const call: Draft<OneWayCallCommand> = {
    type: MessageType.OneWayCallCommand,
    service: "",
    handler: "",
    key: "",
    parameter: new Uint8Array(0),
    headers,
    invocationIdCompletionId: 0,
    invokeTimeMs: 0,
    name: "",
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) call.service = reader.string();
    else if (tag === bytesTag(2)) call.handler = reader.string();
    else if (tag === bytesTag(3)) call.parameter = reader.bytes();
    else if (tag === varintTag(4)) call.invokeTimeMs = reader.uint53();
    else if (tag === bytesTag(5)) headers.push(readHeader(reader));
    else if (tag === bytesTag(6)) call.key = reader.string();
    else if (tag === bytesTag(7)) call.idempotencyKey = reader.string();
    else if (tag === bytesTag(8)) call.scope = reader.string();
    else if (tag === bytesTag(9)) call.limitKey = reader.string();
    else if (tag === INVOCATION_ID_ID) call.invocationIdCompletionId = reader.uint32();
    else if (tag === NAME) call.name = reader.string();
    else reader.skipField(tag, SEND_FIELDS);
  }
  return call;
}
