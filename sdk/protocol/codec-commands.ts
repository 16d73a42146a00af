/** Commands: what a handler did. Those on state and promises are in `codec-state.ts`. */
import {
  readFailureOutcome,
  readHeader,
  readIdempotentTarget,
  readValue,
  readValueOutcome,
  readVoid,
  readWorkflowTarget,
  writeHeaders,
  writeOutcome,
  writeTarget,
  writeVoid,
} from "./codec-values.ts";
import { readCall, readOneWayCall, writeCall, writeOneWayCall } from "./codec-calls.ts";
import { readStateCommand, writeStateCommand } from "./codec-state.ts";
import { NAME, RESULT_ID } from "./codec-tags.ts";
import { MessageType } from "./message-type.ts";
import type {
  AttachInvocationCommand,
  Command,
  CompleteAwakeableCommand,
  Header,
  InputCommand,
  InvocationTarget,
  Outcome,
  OutputCommand,
  RunCommand,
  SendSignalCommand,
  SleepCommand,
} from "./messages.ts";
import { fieldSet, undecodable } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const INPUT_FIELDS = fieldSet(1, 12, 14);
const OUTPUT_FIELDS = fieldSet(12, 14, 15);
const SLEEP_FIELDS = fieldSet(1, 11, 12);
const RUN_FIELDS = fieldSet(11, 12);
const RUN_ID_FIELD = fieldSet(11);
const SIGNAL_FIELDS = fieldSet(1, 2, 3, 4, 5, 6, 12);
const TARGET_FIELDS = fieldSet(1, 3, 4, 11, 12);
const AWAKEABLE_FIELDS = fieldSet(1, 2, 3, 12);

export function writeCommand(writer: WireWriter, command: Command): void {
  switch (command.type) {
    case MessageType.InputCommand:
      writeHeaders(writer, bytesTag(1), command.headers);
      writer.string(NAME, command.name);
      return writer.wrappedBytes(bytesTag(14), command.value);
    case MessageType.OutputCommand:
      writer.string(NAME, command.name);
      return writeOutcome(writer, command.result, bytesTag(14), bytesTag(15));
    case MessageType.SleepCommand:
      writer.uint53(varintTag(1), command.wakeUpTimeMs);
      writer.uint32(RESULT_ID, command.resultCompletionId);
      return writer.string(NAME, command.name);
    case MessageType.RunCommand:
      writer.uint32(RESULT_ID, command.resultCompletionId);
      return writer.string(NAME, command.name);
    case MessageType.CallCommand:
      return writeCall(writer, command);
    case MessageType.OneWayCallCommand:
      return writeOneWayCall(writer, command);
    case MessageType.SendSignalCommand:
      return writeSendSignal(writer, command);
    case MessageType.AttachInvocationCommand:
    case MessageType.GetInvocationOutputCommand:
      writeTarget(writer, command.target);
      writer.uint32(RESULT_ID, command.resultCompletionId);
      return writer.string(NAME, command.name);
    case MessageType.CompleteAwakeableCommand:
      writer.string(bytesTag(1), command.awakeableId);
      writeOutcome(writer, command.result, bytesTag(2), bytesTag(3));
      return writer.string(NAME, command.name);
    default:
      return writeStateCommand(writer, command);
  }
}

/** Undefined when the type is no command. */
export function readCommand(type: number, reader: WireReader): Command | undefined {
  switch (type) {
    case MessageType.InputCommand:
      return readInput(reader);
    case MessageType.OutputCommand:
      return readOutput(reader);
    case MessageType.SleepCommand:
      return readSleep(reader);
    case MessageType.RunCommand:
      return readRun(reader);
    case MessageType.CallCommand:
      return readCall(reader);
    case MessageType.OneWayCallCommand:
      return readOneWayCall(reader);
    case MessageType.SendSignalCommand:
      return readSendSignal(reader);
    case MessageType.AttachInvocationCommand:
      return { type, ...readTargeted(reader) };
    case MessageType.GetInvocationOutputCommand:
      return { type, ...readTargeted(reader) };
    case MessageType.CompleteAwakeableCommand:
      return readCompleteAwakeable(reader);
    default:
      return readStateCommand(type, reader);
  }
}

function readInput(reader: WireReader): InputCommand {
  const headers: Header[] = [];
  let value: Uint8Array | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) headers.push(readHeader(reader));
    else if (tag === bytesTag(14)) value = readValue(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, INPUT_FIELDS);
  }
  if (value === undefined) throw undecodable("an InputCommand has no value");
  return { type: MessageType.InputCommand, headers, value, name };
}

function readOutput(reader: WireReader): OutputCommand {
  let result: Outcome | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(14)) result = readValueOutcome(reader);
    else if (tag === bytesTag(15)) result = readFailureOutcome(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, OUTPUT_FIELDS);
  }
  if (result === undefined) throw undecodable("an OutputCommand has no result");
  return { type: MessageType.OutputCommand, result, name };
}

function readSleep(reader: WireReader): SleepCommand {
  let wakeUpTimeMs = 0;
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) wakeUpTimeMs = reader.uint53();
    else if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, SLEEP_FIELDS);
  }
  return { type: MessageType.SleepCommand, wakeUpTimeMs, resultCompletionId, name };
}

function readRun(reader: WireReader): RunCommand {
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, RUN_FIELDS);
  }
  return { type: MessageType.RunCommand, resultCompletionId, name };
}

/** The id of a RunCommand's completion, without decoding the rest. */
export function readRunCompletionId(reader: WireReader): number {
  let resultCompletionId = 0;
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else reader.skipField(tag, RUN_ID_FIELD);
  }
  return resultCompletionId;
}

function writeSendSignal(writer: WireWriter, command: SendSignalCommand): void {
  const { signal, result } = command;
  writer.string(bytesTag(1), command.targetInvocationId);
  if (signal.kind === "signal-index") writer.uint32Always(varintTag(2), signal.index);
  else writer.stringAlways(bytesTag(3), signal.name);
  if (result.kind === "void") writeVoid(writer, bytesTag(4));
  else writeOutcome(writer, result, bytesTag(5), bytesTag(6));
  writer.string(NAME, command.name);
}

function readSendSignal(reader: WireReader): SendSignalCommand {
  let targetInvocationId = "";
  let signal: SendSignalCommand["signal"] | undefined;
  let result: SendSignalCommand["result"] | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) targetInvocationId = reader.string();
    else if (tag === varintTag(2)) signal = { kind: "signal-index", index: reader.uint32() };
    else if (tag === bytesTag(3)) signal = { kind: "signal-name", name: reader.string() };
    else if (tag === bytesTag(4)) {
      readVoid(reader);
      result = { kind: "void" };
    } else if (tag === bytesTag(5)) result = readValueOutcome(reader);
    else if (tag === bytesTag(6)) result = readFailureOutcome(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, SIGNAL_FIELDS);
  }
  if (signal === undefined) throw undecodable("a SendSignalCommand names no signal");
  if (result === undefined) throw undecodable("a SendSignalCommand has no result");
  return { type: MessageType.SendSignalCommand, targetInvocationId, signal, result, name };
}

function readTargeted(reader: WireReader): Omit<AttachInvocationCommand, "type"> {
  let target: InvocationTarget | undefined;
  let resultCompletionId = 0;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) target = { kind: "invocation-id", invocationId: reader.string() };
    else if (tag === bytesTag(3)) target = readIdempotentTarget(reader);
    else if (tag === bytesTag(4)) target = readWorkflowTarget(reader);
    else if (tag === RESULT_ID) resultCompletionId = reader.uint32();
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, TARGET_FIELDS);
  }
  if (target === undefined) throw undecodable("an attach or get-output command has no target");
  return { target, resultCompletionId, name };
}

function readCompleteAwakeable(reader: WireReader): CompleteAwakeableCommand {
  let awakeableId = "";
  let result: Outcome | undefined;
  let name = "";
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) awakeableId = reader.string();
    else if (tag === bytesTag(2)) result = readValueOutcome(reader);
    else if (tag === bytesTag(3)) result = readFailureOutcome(reader);
    else if (tag === NAME) name = reader.string();
    else reader.skipField(tag, AWAKEABLE_FIELDS);
  }
  if (result === undefined) throw undecodable("a CompleteAwakeableCommand has no result");
  return { type: MessageType.CompleteAwakeableCommand, awakeableId, result, name };
}
