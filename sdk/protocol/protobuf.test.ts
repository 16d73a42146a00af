/**
 * The codec against an independent protobuf implementation, over a schema written from the protocol's tables.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import protobuf from "protobufjs";
import type { StateCommand } from "./codec-state.ts";
import { decodeMessage, encodeBody } from "./codec.ts";
import { MessageType as T, messageTypeName } from "./message-type.ts";
import type {
  CallCommand,
  ControlMessage,
  Failure,
  Future,
  InvocationTarget,
  Message,
  Notification,
  NotificationId,
  NotificationResult,
  OneWayCallCommand,
} from "./messages.ts";
import { MESSAGES } from "./messages.suite.ts";

const SCHEMA = `
syntax = "proto3";

message Value { bytes content = 1; }
message Void {}
message Header { string key = 1; string value = 2; }
message Failure { uint32 code = 1; string message = 2; repeated Header metadata = 3; }
message StateKeys { repeated bytes keys = 1; }
message WorkflowTarget { string workflow_name = 1; string workflow_key = 2; optional string scope = 3; }
message IdempotentRequestTarget {
  string service_name = 1; optional string service_key = 2; string handler_name = 3;
  string idempotency_key = 4; optional string scope = 5;
}
message Future {
  repeated uint32 waiting_completions = 1; repeated uint32 waiting_signals = 2;
  repeated string waiting_named_signals = 3; repeated Future nested_futures = 4; Combinator combinator_type = 5;
}
enum Combinator { UNKNOWN = 0; FIRST_COMPLETED = 1; ALL_COMPLETED = 2; FIRST_SUCCEEDED = 3; ALL_SUCCEEDED = 4; }
enum Behavior { RETRY = 0; PAUSE = 1; FAIL = 2; }

message StateEntry { bytes key = 1; bytes value = 2; }
message Start {
  bytes id = 1; string debug_id = 2; uint32 known_entries = 3; repeated StateEntry state_map = 4;
  bool partial_state = 5; string key = 6; uint32 retry_count = 7; uint64 duration = 8; uint64 random_seed = 9;
  optional string scope = 10; optional string limit_key = 11; optional string idempotency_key = 12;
}
message Suspension {
  repeated uint32 waiting_completions = 1; repeated uint32 waiting_signals = 2;
  repeated string waiting_named_signals = 3; Future awaiting_on = 4;
}
message Error {
  uint32 code = 1; string message = 2; string stacktrace = 3; optional uint32 related_command_index = 4;
  optional string related_command_name = 5; optional uint32 related_command_type = 6;
  optional uint64 next_retry_delay = 8; optional Behavior behavior = 9;
}
message End {}
message CommandAck { uint32 command_index = 1; }
message ProposeRunCompletion {
  uint32 result_completion_id = 1; oneof result { bytes value = 14; Failure failure = 15; }
}
message AwaitingOn { Future awaiting_on = 1; bool executing_side_effects = 2; }
message ProposeRunCompletionAck { uint32 completion_id = 1; }

message InputCommand { repeated Header headers = 1; Value value = 14; string name = 12; }
message OutputCommand { oneof result { Value value = 14; Failure failure = 15; } string name = 12; }
message GetLazyStateCommand { bytes key = 1; uint32 result_completion_id = 11; string name = 12; }
message SetStateCommand { bytes key = 1; Value value = 3; string name = 12; }
message ClearStateCommand { bytes key = 1; string name = 12; }
message ClearAllStateCommand { string name = 12; }
message GetLazyStateKeysCommand { uint32 result_completion_id = 11; string name = 12; }
message GetEagerStateCommand { bytes key = 1; oneof result { Void void = 13; Value value = 14; } string name = 12; }
message GetEagerStateKeysCommand { StateKeys value = 14; string name = 12; }
message GetPromiseCommand { string key = 1; uint32 result_completion_id = 11; string name = 12; }
message PeekPromiseCommand { string key = 1; uint32 result_completion_id = 11; string name = 12; }
message CompletePromiseCommand {
  string key = 1; oneof completion { Value completion_value = 2; Failure completion_failure = 3; }
  uint32 result_completion_id = 11; string name = 12;
}
message SleepCommand { uint64 wake_up_time = 1; uint32 result_completion_id = 11; string name = 12; }
message CallCommand {
  string service_name = 1; string handler_name = 2; bytes parameter = 3; repeated Header headers = 4; string key = 5;
  optional string idempotency_key = 6; optional string scope = 7; optional string limit_key = 8;
  uint32 invocation_id_notification_idx = 10; uint32 result_completion_id = 11; string name = 12;
}
message OneWayCallCommand {
  string service_name = 1; string handler_name = 2; bytes parameter = 3; uint64 invoke_time = 4;
  repeated Header headers = 5; string key = 6; optional string idempotency_key = 7; optional string scope = 8;
  optional string limit_key = 9; uint32 invocation_id_notification_idx = 10; string name = 12;
}
message SendSignalCommand {
  string target_invocation_id = 1; oneof signal_id { uint32 idx = 2; string name = 3; }
  oneof result { Void void = 4; Value value = 5; Failure failure = 6; } string entry_name = 12;
}
message RunCommand { uint32 result_completion_id = 11; string name = 12; }
message AttachInvocationCommand {
  oneof target { string invocation_id = 1; IdempotentRequestTarget idempotent = 3; WorkflowTarget workflow = 4; }
  uint32 result_completion_id = 11; string name = 12;
}
message GetInvocationOutputCommand {
  oneof target { string invocation_id = 1; IdempotentRequestTarget idempotent = 3; WorkflowTarget workflow = 4; }
  uint32 result_completion_id = 11; string name = 12;
}
message CompleteAwakeableCommand {
  string awakeable_id = 1; oneof result { Value value = 2; Failure failure = 3; } string name = 12;
}
message Notification {
  oneof id { uint32 completion_id = 1; uint32 signal_idx = 2; string signal_name = 3; }
  oneof result {
    Void void = 4; Value value = 5; Failure failure = 6; string invocation_id = 16; StateKeys state_keys = 17;
  }
}
`;

const { root } = protobuf.parse(SCHEMA, { keepCase: true });

type Json = Readonly<Record<string, unknown>>;

test("both implementations encode every message to the same bytes", () => {
  for (const messages of MESSAGES) {
    fc.assert(
      fc.property(messages, (message) => {
        assert.deepEqual(encodeBody(message), reference(message));
      }),
      { numRuns: 200 },
    );
  }
});

test("this implementation decodes what the other one encodes", () => {
  for (const messages of MESSAGES) {
    fc.assert(
      fc.property(messages, (message) => {
        assert.deepEqual(decodeMessage(message.type, reference(message)), message);
      }),
      { numRuns: 200 },
    );
  }
});

test("both implementations agree on 64-bit numbers that are no safe integers", () => {
  const schema = root.lookupType("SleepCommand");
  fc.assert(
    fc.property(fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }), (wakeUpTime) => {
      const body = schema.encode(schema.fromObject({ wake_up_time: String(wakeUpTime) })).finish();
      const sleep = decodeMessage(T.SleepCommand, Uint8Array.from(body));
      assert.ok(sleep.type === T.SleepCommand);
      assert.equal(sleep.wakeUpTimeMs, Number.MAX_SAFE_INTEGER);
    }),
  );
});

function reference(message: Message): Uint8Array {
  const schema = root.lookupType(
    message.type >= 0x8000 ? "Notification" : messageTypeName(message.type),
  );
  return Uint8Array.from(schema.encode(schema.fromObject(toSchema(message))).finish());
}

/** The message under the names of the schema. */
function toSchema(message: Message): Json {
  switch (message.type) {
    case T.Start:
      return {
        id: message.id,
        debug_id: message.debugId,
        known_entries: message.knownEntries,
        state_map: message.state,
        partial_state: message.partialState,
        key: message.key,
        retry_count: message.retryCountSinceLastStoredEntry,
        duration: String(message.durationSinceLastStoredEntryMs),
        random_seed: String(message.randomSeed),
        scope: message.scope,
        limit_key: message.limitKey,
        idempotency_key: message.idempotencyKey,
      };
    case T.Suspension:
      return {
        waiting_completions: message.completions,
        waiting_signals: message.signals,
        waiting_named_signals: message.namedSignals,
        awaiting_on: message.awaitingOn && futureOf(message.awaitingOn),
      };
    case T.Error:
      return {
        code: message.code,
        message: message.message,
        stacktrace: message.stacktrace,
        related_command_index: message.relatedCommandIndex,
        related_command_name: message.relatedCommandName,
        related_command_type: message.relatedCommandType,
        next_retry_delay: optionalText(message.nextRetryDelayMs),
        behavior: message.behavior,
      };
    case T.End:
      return {};
    case T.CommandAck:
      return { command_index: message.commandIndex };
    case T.ProposeRunCompletion:
      return {
        result_completion_id: message.resultCompletionId,
        ...(message.result.kind === "value"
          ? { value: message.result.value }
          : { failure: failureOf(message.result.failure) }),
      };
    case T.AwaitingOn:
      return {
        awaiting_on: futureOf(message.awaitingOn),
        executing_side_effects: message.executingSideEffects,
      };
    case T.ProposeRunCompletionAck:
      return { completion_id: message.completionId };
    default:
      return commandToSchema(message);
  }
}

function commandToSchema(message: Exclude<Message, ControlMessage>): Json {
  switch (message.type) {
    case T.InputCommand:
      return { headers: message.headers, value: { content: message.value }, name: message.name };
    case T.OutputCommand:
      return { ...resultOf(message.result), name: message.name };
    case T.SleepCommand:
      return {
        wake_up_time: String(message.wakeUpTimeMs),
        result_completion_id: message.resultCompletionId,
        name: message.name,
      };
    case T.RunCommand:
      return { result_completion_id: message.resultCompletionId, name: message.name };
    case T.CallCommand:
      return { ...callOf(message), result_completion_id: message.resultCompletionId };
    case T.OneWayCallCommand:
      return { ...callOf(message), invoke_time: String(message.invokeTimeMs) };
    case T.SendSignalCommand:
      return {
        target_invocation_id: message.targetInvocationId,
        ...(message.signal.kind === "signal-index"
          ? { idx: message.signal.index }
          : { name: message.signal.name }),
        ...resultOf(message.result),
        entry_name: message.name,
      };
    case T.AttachInvocationCommand:
    case T.GetInvocationOutputCommand:
      return {
        ...targetOf(message.target),
        result_completion_id: message.resultCompletionId,
        name: message.name,
      };
    case T.CompleteAwakeableCommand:
      return { awakeable_id: message.awakeableId, ...resultOf(message.result), name: message.name };
    default:
      return stateToSchema(message);
  }
}

function stateToSchema(message: StateCommand | Notification): Json {
  switch (message.type) {
    case T.GetLazyStateCommand:
    case T.GetPromiseCommand:
    case T.PeekPromiseCommand:
      return {
        key: message.key,
        result_completion_id: message.resultCompletionId,
        name: message.name,
      };
    case T.SetStateCommand:
      return { key: message.key, value: { content: message.value }, name: message.name };
    case T.ClearStateCommand:
      return { key: message.key, name: message.name };
    case T.ClearAllStateCommand:
      return { name: message.name };
    case T.GetLazyStateKeysCommand:
      return { result_completion_id: message.resultCompletionId, name: message.name };
    case T.GetEagerStateCommand:
      return { key: message.key, ...resultOf(message.result), name: message.name };
    case T.GetEagerStateKeysCommand:
      return { value: { keys: message.keys }, name: message.name };
    case T.CompletePromiseCommand: {
      const result = resultOf(message.completion);
      return {
        key: message.key,
        completion_value: result["value"],
        completion_failure: result["failure"],
        result_completion_id: message.resultCompletionId,
        name: message.name,
      };
    }
    default:
      return { ...idOf(message.id), ...resultOf(message.result) };
  }
}

function optionalText(number: number | undefined): string | undefined {
  return number === undefined ? undefined : String(number);
}

function failureOf(failure: Failure): Json {
  return { ...failure };
}

function resultOf(result: NotificationResult): Json {
  switch (result.kind) {
    case "void":
      return { void: {} };
    case "value":
      return { value: { content: result.value } };
    case "failure":
      return { failure: failureOf(result.failure) };
    case "invocation-id":
      return { invocation_id: result.invocationId };
    default:
      return { state_keys: { keys: result.keys } };
  }
}

function idOf(id: NotificationId): Json {
  switch (id.kind) {
    case "completion":
      return { completion_id: id.completionId };
    case "signal-index":
      return { signal_idx: id.index };
    default:
      return { signal_name: id.name };
  }
}

function futureOf(future: Future): Json {
  return {
    waiting_completions: future.completions,
    waiting_signals: future.signals,
    waiting_named_signals: future.namedSignals,
    nested_futures: future.nested.map(futureOf),
    combinator_type: future.combinator,
  };
}

function targetOf(target: InvocationTarget): Json {
  switch (target.kind) {
    case "invocation-id":
      return { invocation_id: target.invocationId };
    case "idempotent":
      return {
        idempotent: {
          service_name: target.service,
          service_key: target.key,
          handler_name: target.handler,
          idempotency_key: target.idempotencyKey,
          scope: target.scope,
        },
      };
    default:
      return {
        workflow: { workflow_name: target.service, workflow_key: target.key, scope: target.scope },
      };
  }
}

function callOf(call: CallCommand | OneWayCallCommand): Json {
  return {
    service_name: call.service,
    handler_name: call.handler,
    parameter: call.parameter,
    headers: call.headers,
    key: call.key,
    idempotency_key: call.idempotencyKey,
    scope: call.scope,
    limit_key: call.limitKey,
    invocation_id_notification_idx: call.invocationIdCompletionId,
    name: call.name,
  };
}
