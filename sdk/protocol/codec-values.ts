/** The parts messages are made of: values, failures, headers, targets, await trees. */
import { failureCode } from "./failure.ts";
import { FUTURE_DEPTH_DECODED_MAX } from "./limits.ts";
import type { Failure, Future, Header, InvocationTarget, Outcome, StateEntry } from "./messages.ts";
import { fieldSet, undecodable } from "./wire-reader.ts";
import type { WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag } from "./wire-writer.ts";
import type { WireWriter } from "./wire-writer.ts";

const FIELD_1 = fieldSet(1);
const FIELDS_1_2 = fieldSet(1, 2);
const FIELDS_1_TO_3 = fieldSet(1, 2, 3);
const FIELDS_1_TO_5 = fieldSet(1, 2, 3, 4, 5);

const EMPTY = new Uint8Array(0);

/** A message being read, field by field. */
export type Draft<T> = { -readonly [K in keyof T]: T[K] };

// ---- Value { #1 content }, Void {}, StateKeys { #1 keys } -----------------------------------------

export function readValue(reader: WireReader): Uint8Array {
  let content: Uint8Array = EMPTY;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) content = reader.bytes();
    else reader.skipField(tag, FIELD_1);
  }
  reader.leave(outer);
  return content;
}

export function writeVoid(writer: WireWriter, tag: number): void {
  writer.bytesAlways(tag, EMPTY);
}

export function readVoid(reader: WireReader): void {
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) reader.skipField(tag, 0);
  reader.leave(outer);
}

export function writeStateKeys(writer: WireWriter, tag: number, keys: readonly Uint8Array[]): void {
  const start = writer.open(tag);
  for (const key of keys) writer.bytesAlways(bytesTag(1), key);
  writer.close(start);
}

export function readStateKeys(reader: WireReader): readonly Uint8Array[] {
  const keys: Uint8Array[] = [];
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) keys.push(reader.bytes());
    else reader.skipField(tag, FIELD_1);
  }
  reader.leave(outer);
  return keys;
}

// ---- Header and FailureMetadata { #1 key, #2 value }, StateEntry likewise in bytes ----------------

export function writeHeaders(writer: WireWriter, tag: number, headers: readonly Header[]): void {
  for (const header of headers) {
    const start = writer.open(tag);
    writer.string(bytesTag(1), header.key);
    writer.string(bytesTag(2), header.value);
    writer.close(start);
  }
}

export function readHeader(reader: WireReader): Header {
  let key = "";
  let value = "";
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) key = reader.string();
    else if (tag === bytesTag(2)) value = reader.string();
    else reader.skipField(tag, FIELDS_1_2);
  }
  reader.leave(outer);
  return { key, value };
}

export function writeStateEntries(
  writer: WireWriter,
  tag: number,
  entries: readonly StateEntry[],
): void {
  for (const entry of entries) {
    const start = writer.open(tag);
    writer.bytes(bytesTag(1), entry.key);
    writer.bytes(bytesTag(2), entry.value);
    writer.close(start);
  }
}

export function readStateEntry(reader: WireReader): StateEntry {
  let key: Uint8Array = EMPTY;
  let value: Uint8Array = EMPTY;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) key = reader.bytes();
    else if (tag === bytesTag(2)) value = reader.bytes();
    else reader.skipField(tag, FIELDS_1_2);
  }
  reader.leave(outer);
  return { key, value };
}

// ---- Failure { #1 code, #2 message, #3 metadata } and the outcome it is one half of ---------------

export function writeFailure(writer: WireWriter, tag: number, failure: Failure): void {
  const start = writer.open(tag);
  writer.uint32(varintTag(1), failure.code);
  writer.string(bytesTag(2), failure.message);
  if (failure.metadata !== undefined) writeHeaders(writer, bytesTag(3), failure.metadata);
  writer.close(start);
}

export function readFailure(reader: WireReader): Failure {
  let code = 0;
  let message = "";
  let metadata: Header[] | undefined;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === varintTag(1)) code = failureCode(reader.uint32());
    else if (tag === bytesTag(2)) message = reader.string();
    else if (tag === bytesTag(3)) (metadata ??= []).push(readHeader(reader));
    else reader.skipField(tag, FIELDS_1_TO_3);
  }
  reader.leave(outer);
  return metadata === undefined ? { code, message } : { code, message, metadata };
}

/** A `Value` under one tag or a `Failure` under the other. */
export function writeOutcome(
  writer: WireWriter,
  outcome: Outcome,
  valueTag: number,
  failureTag: number,
): void {
  if (outcome.kind === "value") writer.wrappedBytes(valueTag, outcome.value);
  else writeFailure(writer, failureTag, outcome.failure);
}

export function readValueOutcome(reader: WireReader): Outcome {
  return { kind: "value", value: readValue(reader) };
}

export function readFailureOutcome(reader: WireReader): Outcome {
  return { kind: "failure", failure: readFailure(reader) };
}

// ---- the target of an attach: #1 invocation id, #3 idempotent request, #4 workflow ----------------

export function writeTarget(writer: WireWriter, target: InvocationTarget): void {
  if (target.kind === "invocation-id") {
    writer.stringAlways(bytesTag(1), target.invocationId);
  } else if (target.kind === "idempotent") {
    const start = writer.open(bytesTag(3));
    writer.string(bytesTag(1), target.service);
    writer.optionalString(bytesTag(2), target.key);
    writer.string(bytesTag(3), target.handler);
    writer.string(bytesTag(4), target.idempotencyKey);
    writer.optionalString(bytesTag(5), target.scope);
    writer.close(start);
  } else {
    const start = writer.open(bytesTag(4));
    writer.string(bytesTag(1), target.service);
    writer.string(bytesTag(2), target.key);
    writer.optionalString(bytesTag(3), target.scope);
    writer.close(start);
  }
}

export function readIdempotentTarget(reader: WireReader): InvocationTarget {
  let service = "";
  let key: string | undefined;
  let handler = "";
  let idempotencyKey = "";
  let scope: string | undefined;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) service = reader.string();
    else if (tag === bytesTag(2)) key = reader.string();
    else if (tag === bytesTag(3)) handler = reader.string();
    else if (tag === bytesTag(4)) idempotencyKey = reader.string();
    else if (tag === bytesTag(5)) scope = reader.string();
    else reader.skipField(tag, FIELDS_1_TO_5);
  }
  reader.leave(outer);
  return {
    kind: "idempotent",
    service,
    handler,
    idempotencyKey,
    ...(key === undefined ? undefined : { key }),
    ...(scope === undefined ? undefined : { scope }),
  };
}

export function readWorkflowTarget(reader: WireReader): InvocationTarget {
  let service = "";
  let key = "";
  let scope: string | undefined;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1)) service = reader.string();
    else if (tag === bytesTag(2)) key = reader.string();
    else if (tag === bytesTag(3)) scope = reader.string();
    else reader.skipField(tag, FIELDS_1_TO_3);
  }
  reader.leave(outer);
  return { kind: "workflow", service, key, ...(scope === undefined ? undefined : { scope }) };
}

// ---- Future { #1 completions, #2 signals, #3 named signals, #4 nested, #5 combinator } ------------

/** A combinator this version does not know reads as 0: whoever waits on it wakes too early, never too late. */
const COMBINATORS = [0, 1, 2, 3, 4] as const;

export function writeFuture(writer: WireWriter, tag: number, future: Future): void {
  const start = writer.open(tag);
  writer.packedUint32(bytesTag(1), future.completions);
  writer.packedUint32(bytesTag(2), future.signals);
  for (const name of future.namedSignals) writer.stringAlways(bytesTag(3), name);
  for (const nested of future.nested) writeFuture(writer, bytesTag(4), nested);
  writer.uint32(varintTag(5), future.combinator);
  writer.close(start);
}

export function readFuture(reader: WireReader, depth = 1): Future {
  if (depth > FUTURE_DEPTH_DECODED_MAX) {
    throw undecodable(`an await tree has more than ${FUTURE_DEPTH_DECODED_MAX} levels`);
  }
  const completions: number[] = [];
  const signals: number[] = [];
  const namedSignals: string[] = [];
  const nested: Future[] = [];
  let combinator: Future["combinator"] = 0;
  const outer = reader.enter();
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === bytesTag(1) || tag === varintTag(1)) reader.uint32s(tag, completions);
    else if (tag === bytesTag(2) || tag === varintTag(2)) reader.uint32s(tag, signals);
    else if (tag === bytesTag(3)) namedSignals.push(reader.string());
    else if (tag === bytesTag(4)) nested.push(readFuture(reader, depth + 1));
    else if (tag === varintTag(5)) combinator = reader.enumeration(COMBINATORS);
    else reader.skipField(tag, FIELDS_1_TO_5);
  }
  reader.leave(outer);
  return { completions, signals, namedSignals, nested, combinator };
}
