/** Commands on the state of an object and on the promises of a workflow. */
import {
  readFailureOutcome,
  readStateKeys,
  readValue,
  readValueOutcome,
  readVoid,
  writeOutcome,
  writeStateKeys,
  writeVoid,
} from "./codec-values.ts";
import { NAME, RESULT_ID } from "./codec-tags.ts";
import { MessageType } from "./message-type.ts";
import type {
  ClearAllStateCommand,
  ClearStateCommand,
  CompletePromiseCommand,
  GetEagerStateCommand,
  GetEagerStateKeysCommand,
  GetLazyStateCommand,
  GetLazyStateKeysCommand,
  GetPromiseCommand,
  Outcome,
  PeekPromiseCommand,
  SetStateCommand,
} from "./messages.ts";
import { fieldSet, undecodable } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const KEY = bytesTag(1);

const NAME_FIELDS = fieldSet(12);
const ID_FIELDS = fieldSet(11, 12);
const KEY_FIELDS = fieldSet(1, 12);
const KEY_ID_FIELDS = fieldSet(1, 11, 12);
const SET_FIELDS = fieldSet(1, 3, 12);
const EAGER_FIELDS = fieldSet(1, 12, 13, 14);
const EAGER_KEYS_FIELDS = fieldSet(12, 14);
const COMPLETE_PROMISE_FIELDS = fieldSet(1, 2, 3, 11, 12);

const EMPTY = new Uint8Array(0);

export type StateCommand =
  | GetLazyStateCommand
  | SetStateCommand
  | ClearStateCommand
  | ClearAllStateCommand
  | GetLazyStateKeysCommand
  | GetEagerStateCommand
  | GetEagerStateKeysCommand
  | GetPromiseCommand
  | PeekPromiseCommand
  | CompletePromiseCommand;

export function writeStateCommand(writer: WireWriter, command: StateCommand): void {
  switch (command.type) {
    case MessageType.GetLazyStateCommand:
      writer.bytes(KEY, command.key);
      writer.uint32(RESULT_ID, command.resultCompletionId);
      break;
    case MessageType.SetStateCommand:
      writer.bytes(KEY, command.key);
      writer.wrappedBytes(bytesTag(3), command.value);
      break;
    case MessageType.ClearStateCommand:
      writer.bytes(KEY, command.key);
      break;
    case MessageType.ClearAllStateCommand:
      break;
    case MessageType.GetLazyStateKeysCommand:
      writer.uint32(RESULT_ID, command.resultCompletionId);
      break;
    case MessageType.GetEagerStateCommand:
      writer.bytes(KEY, command.key);
      writer.string(NAME, command.name);
      if (command.result.kind === "void") return writeVoid(writer, bytesTag(13));
      return writer.wrappedBytes(bytesTag(14), command.result.value);
    case MessageType.GetEagerStateKeysCommand:
      writer.string(NAME, command.name);
      return writeStateKeys(writer, bytesTag(14), command.keys);
    case MessageType.GetPromiseCommand:
    case MessageType.PeekPromiseCommand:
      writer.string(KEY, command.key);
      writer.uint32(RESULT_ID, command.resultCompletionId);
      break;
    case MessageType.CompletePromiseCommand:
      writer.string(KEY, command.key);
      writeOutcome(writer, command.completion, bytesTag(2), bytesTag(3));
      writer.uint32(RESULT_ID, command.resultCompletionId);
      break;
  }
  writer.string(NAME, command.name);
}

/** Undefined when the type is none of these. */
export function readStateCommand(type: number, reader: WireReader): StateCommand | undefined {
  switch (type) {
    case MessageType.GetLazyStateCommand:
      return readGetLazyState(reader);
    case MessageType.SetStateCommand:
      return readSetState(reader);
    case MessageType.ClearStateCommand:
      return readClearState(reader);
    case MessageType.ClearAllStateCommand:
      return readClearAllState(reader);
    case MessageType.GetLazyStateKeysCommand:
      return readGetLazyStateKeys(reader);
    case MessageType.GetEagerStateCommand:
      return readGetEagerState(reader);
    case MessageType.GetEagerStateKeysCommand:
      return readGetEagerStateKeys(reader);
    case MessageType.GetPromiseCommand:
      return { type, ...readPromise(reader) };
    case MessageType.PeekPromiseCommand:
      return { type, ...readPromise(reader) };
    case MessageType.CompletePromiseCommand:
      return readCompletePromise(reader);
    default:
      return undefined;
  }
}

function readGetLazyState(reader: WireReader): GetLazyStateCommand {
  let key: Uint8Array = EMPTY;
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.bytes();
    else if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, KEY_ID_FIELDS);
  }
  return { type: MessageType.GetLazyStateCommand, key, resultCompletionId, name };
}

function readSetState(reader: WireReader): SetStateCommand {
  let key: Uint8Array = EMPTY;
  let value: Uint8Array | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.bytes();
    else if (tag === bytesTag(3)) value = readValue(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, SET_FIELDS);
  }
  if (value === undefined) throw undecodable("a SetStateCommand has no value");
  return { type: MessageType.SetStateCommand, key, value, name };
}

function readClearState(reader: WireReader): ClearStateCommand {
  let key: Uint8Array = EMPTY;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.bytes();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, KEY_FIELDS);
  }
  return { type: MessageType.ClearStateCommand, key, name };
}

function readClearAllState(reader: WireReader): ClearAllStateCommand {
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === NAME) name = reader.string();
    else reader.skipField(tag, NAME_FIELDS);
  }
  return { type: MessageType.ClearAllStateCommand, name };
}

function readGetLazyStateKeys(reader: WireReader): GetLazyStateKeysCommand {
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, ID_FIELDS);
  }
  return { type: MessageType.GetLazyStateKeysCommand, resultCompletionId, name };
}

function readGetEagerState(reader: WireReader): GetEagerStateCommand {
  let key: Uint8Array = EMPTY;
  let result: GetEagerStateCommand["result"] | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.bytes();
    else if (tag === bytesTag(13)) {
      readVoid(reader);
      result = { kind: "void" };
    } else if (tag === bytesTag(14)) result = { kind: "value", value: readValue(reader) };
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, EAGER_FIELDS);
  }
  if (result === undefined) throw undecodable("a GetEagerStateCommand has no result");
  return { type: MessageType.GetEagerStateCommand, key, result, name };
}

function readGetEagerStateKeys(reader: WireReader): GetEagerStateKeysCommand {
  let keys: readonly Uint8Array[] | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(14)) keys = readStateKeys(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, EAGER_KEYS_FIELDS);
  }
  if (keys === undefined) throw undecodable("a GetEagerStateKeysCommand has no keys");
  return { type: MessageType.GetEagerStateKeysCommand, keys, name };
}

function readPromise(reader: WireReader): Omit<GetPromiseCommand, "type"> {
  let key = "";
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.string();
    else if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, KEY_ID_FIELDS);
  }
  return { key, resultCompletionId, name };
}

function readCompletePromise(reader: WireReader): CompletePromiseCommand {
  let key = "";
  let completion: Outcome | undefined;
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === KEY) key = reader.string();
    else if (tag === bytesTag(2)) completion = readValueOutcome(reader);
    else if (tag === bytesTag(3)) completion = readFailureOutcome(reader);
    else if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, COMPLETE_PROMISE_FIELDS);
  }
  if (completion === undefined) throw undecodable("a CompletePromiseCommand has no completion");
  return {
    type: MessageType.CompletePromiseCommand,
    key,
    completion,
    resultCompletionId,
    name,
  };
}
