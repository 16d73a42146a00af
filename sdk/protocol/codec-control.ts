/** Control messages: they open, close and steer an attempt. */
import {
  readFailureOutcome,
  readFuture,
  readStateEntry,
  writeFailure,
  writeFuture,
  writeStateEntries,
} from "./codec-values.ts";
import type { Draft } from "./codec-values.ts";
import { MessageType } from "./message-type.ts";
import type {
  AwaitingOn,
  ControlMessage,
  ErrorMessage,
  Future,
  Outcome,
  ProposeRunCompletion,
  Start,
  StateEntry,
  Suspension,
} from "./messages.ts";
import { fieldSet, undecodable } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const NO_FIELDS = 0;
const FIELD_1 = fieldSet(1);
const START_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
const SUSPENSION_FIELDS = fieldSet(1, 2, 3, 4);
const ERROR_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 8, 9);
const PROPOSE_FIELDS = fieldSet(1, 14, 15);
const AWAITING_FIELDS = fieldSet(1, 2);

/** A behaviour this version does not know reads as 0, retry: the one that loses nothing. */
const BEHAVIORS = [0, 1, 2] as const;

export function writeControl(writer: WireWriter, message: ControlMessage): void {
  switch (message.type) {
    case MessageType.Start:
      return writeStart(writer, message);
    case MessageType.Suspension:
      return writeSuspension(writer, message);
    case MessageType.Error:
      return writeError(writer, message);
    case MessageType.End:
      return;
    case MessageType.CommandAck:
      return writer.uint32(varintTag(1), message.commandIndex);
    case MessageType.ProposeRunCompletion:
      return writePropose(writer, message);
    case MessageType.AwaitingOn:
      writeFuture(writer, bytesTag(1), message.awaitingOn);
      return writer.bool(varintTag(2), message.executingSideEffects);
    case MessageType.ProposeRunCompletionAck:
      return writer.uint32(varintTag(1), message.completionId);
  }
}

/** Undefined when the type is no control message. */
export function readControl(type: number, reader: WireReader): ControlMessage | undefined {
  switch (type) {
    case MessageType.Start:
      return readStart(reader);
    case MessageType.Suspension:
      return readSuspension(reader);
    case MessageType.Error:
      return readError(reader);
    case MessageType.End:
      for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skipField(tag, NO_FIELDS);
      return { type: MessageType.End };
    case MessageType.CommandAck:
      return { type: MessageType.CommandAck, commandIndex: readField1(reader) };
    case MessageType.ProposeRunCompletion:
      return readPropose(reader);
    case MessageType.AwaitingOn:
      return readAwaitingOn(reader);
    case MessageType.ProposeRunCompletionAck:
      return { type: MessageType.ProposeRunCompletionAck, completionId: readField1(reader) };
    default:
      return undefined;
  }
}

function readField1(reader: WireReader): number {
  let value = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) value = reader.uint32();
    else reader.skipField(tag, FIELD_1);
  }
  return value;
}

function writeStart(writer: WireWriter, start: Start): void {
  writer.bytes(bytesTag(1), start.id);
  writer.string(bytesTag(2), start.debugId);
  writer.uint32(varintTag(3), start.knownEntries);
  writeStateEntries(writer, bytesTag(4), start.state);
  writer.bool(varintTag(5), start.partialState);
  writer.string(bytesTag(6), start.key);
  writer.uint32(varintTag(7), start.retryCountSinceLastStoredEntry);
  writer.uint53(varintTag(8), start.durationSinceLastStoredEntryMs);
  writer.uint64(varintTag(9), start.randomSeed);
  writer.optionalString(bytesTag(10), start.scope);
  writer.optionalString(bytesTag(11), start.limitKey);
  writer.optionalString(bytesTag(12), start.idempotencyKey);
}

function readStart(reader: WireReader): Start {
  const state: StateEntry[] = [];
  const start: Draft<Start> = {
    type: MessageType.Start,
    id: new Uint8Array(0),
    debugId: "",
    knownEntries: 0,
    state,
    partialState: false,
    key: "",
    retryCountSinceLastStoredEntry: 0,
    durationSinceLastStoredEntryMs: 0,
    randomSeed: 0n,
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(4)) state.push(readStateEntry(reader));
    else readStartField(reader, tag, start);
  }
  return start;
}

function readStartField(reader: WireReader, tag: number, start: Draft<Start>): void {
  if (tag === bytesTag(1)) start.id = reader.bytes();
  else if (tag === bytesTag(2)) start.debugId = reader.string();
  else if (tag === varintTag(3)) start.knownEntries = reader.uint32();
  else if (tag === varintTag(5)) start.partialState = reader.bool();
  else if (tag === bytesTag(6)) start.key = reader.string();
  else if (tag === varintTag(7)) start.retryCountSinceLastStoredEntry = reader.uint32();
  else if (tag === varintTag(8)) start.durationSinceLastStoredEntryMs = reader.uint53();
  else if (tag === varintTag(9)) start.randomSeed = reader.uint64();
  else if (tag === bytesTag(10)) start.scope = reader.string();
  else if (tag === bytesTag(11)) start.limitKey = reader.string();
  else if (tag === bytesTag(12)) start.idempotencyKey = reader.string();
  else reader.skipField(tag, START_FIELDS);
}

function writeSuspension(writer: WireWriter, suspension: Suspension): void {
  writer.packedUint32(bytesTag(1), suspension.completions);
  writer.packedUint32(bytesTag(2), suspension.signals);
  for (const name of suspension.namedSignals) writer.stringAlways(bytesTag(3), name);
  if (suspension.awaitingOn !== undefined) {
    writeFuture(writer, bytesTag(4), suspension.awaitingOn);
  }
}

function readSuspension(reader: WireReader): Suspension {
  const completions: number[] = [];
  const signals: number[] = [];
  const namedSignals: string[] = [];
  let awaitingOn: Future | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1) || tag === varintTag(1)) reader.uint32s(tag, completions);
    else if (tag === bytesTag(2) || tag === varintTag(2)) reader.uint32s(tag, signals);
    else if (tag === bytesTag(3)) namedSignals.push(reader.string());
    else if (tag === bytesTag(4)) awaitingOn = readFuture(reader);
    else reader.skipField(tag, SUSPENSION_FIELDS);
  }
  const type = MessageType.Suspension;
  if (awaitingOn !== undefined) return { type, completions, signals, namedSignals, awaitingOn };
  if (completions.length + signals.length + namedSignals.length === 0) {
    throw undecodable("a Suspension waits for nothing");
  }
  return { type, completions, signals, namedSignals };
}

function writeError(writer: WireWriter, error: ErrorMessage): void {
  writer.uint32(varintTag(1), error.code);
  writer.string(bytesTag(2), error.message);
  writer.string(bytesTag(3), error.stacktrace);
  if (error.relatedCommandIndex !== undefined) {
    writer.uint32Always(varintTag(4), error.relatedCommandIndex);
  }
  writer.optionalString(bytesTag(5), error.relatedCommandName);
  if (error.relatedCommandType !== undefined) {
    writer.uint32Always(varintTag(6), error.relatedCommandType);
  }
  if (error.nextRetryDelayMs !== undefined) {
    writer.uint53Always(varintTag(8), error.nextRetryDelayMs);
  }
  if (error.behavior !== undefined) writer.uint32Always(varintTag(9), error.behavior);
}

function readError(reader: WireReader): ErrorMessage {
  const error: Draft<ErrorMessage> = {
    type: MessageType.Error,
    code: 0,
    message: "",
    stacktrace: "",
  };
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) error.code = reader.uint32();
    else if (tag === bytesTag(2)) error.message = reader.string();
    else if (tag === bytesTag(3)) error.stacktrace = reader.string();
    else if (tag === varintTag(4)) error.relatedCommandIndex = reader.uint32();
    else if (tag === bytesTag(5)) error.relatedCommandName = reader.string();
    else if (tag === varintTag(6)) error.relatedCommandType = reader.uint32();
    else if (tag === varintTag(8)) error.nextRetryDelayMs = reader.uint53();
    else if (tag === varintTag(9)) error.behavior = reader.enumeration(BEHAVIORS);
    else reader.skipField(tag, ERROR_FIELDS);
  }
  return error;
}

/** The value is raw here, where every other result wraps it. */
function writePropose(
  writer: WireWriter,
  { resultCompletionId, result }: ProposeRunCompletion,
): void {
  writer.uint32(varintTag(1), resultCompletionId);
  if (result.kind === "value") writer.bytesAlways(bytesTag(14), result.value);
  else writeFailure(writer, bytesTag(15), result.failure);
}

function readPropose(reader: WireReader): ProposeRunCompletion {
  let resultCompletionId = 0;
  let result: Outcome | undefined;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) resultCompletionId = reader.uint32();
    else if (tag === bytesTag(14)) result = { kind: "value", value: reader.bytes() };
    else if (tag === bytesTag(15)) result = readFailureOutcome(reader);
    else reader.skipField(tag, PROPOSE_FIELDS);
  }
  if (result === undefined) throw undecodable("a ProposeRunCompletion has no result");
  return { type: MessageType.ProposeRunCompletion, resultCompletionId, result };
}

function readAwaitingOn(reader: WireReader): AwaitingOn {
  let awaitingOn: Future | undefined;
  let executingSideEffects = false;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) awaitingOn = readFuture(reader);
    else if (tag === varintTag(2)) executingSideEffects = reader.bool();
    else reader.skipField(tag, AWAITING_FIELDS);
  }
  if (awaitingOn === undefined) throw undecodable("an AwaitingOn has no await tree");
  return { type: MessageType.AwaitingOn, awaitingOn, executingSideEffects };
}
