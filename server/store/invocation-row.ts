/** An invocation and its row: the columns in the order of the schema, and the way there and back. */
import { assert, present, unreachable } from "../base/assert.ts";
import type { AwaitSet } from "../journal/await-set.ts";
import type { Invocation, InvocationState, InvocationStatus, Pin } from "../machine/invocation.ts";
import { fromJson, type Json, toJson } from "./json.ts";
import type { InvocationFields } from "./stored-invocation.ts";

/** Bytes of the two parts of a public id: partition key and uuid. */
export const PARTITION_KEY_BYTES = 8;
export const ID_BYTES = 24;

/** The numbers of `status` in the schema. */
export const STATUS_CODES: Readonly<Record<InvocationStatus, number>> = {
  scheduled: 0,
  running: 1,
  suspended: 2,
  "backing-off": 3,
  paused: 4,
  completed: 5,
};

const STATUSES: readonly InvocationStatus[] = [
  "scheduled",
  "running",
  "suspended",
  "backing-off",
  "paused",
  "completed",
];

/** What never changes after the insert. */
export const FIXED_COLUMNS = [
  "partition_key",
  "uuid",
  "service",
  "handler",
  "key",
  "idempotency_key",
  "caller_seq",
  "caller_completion_id",
  "created_at_ms",
  "retention_ms",
] as const;

/** What `save` writes. */
export const MUTABLE_COLUMNS = [
  "status",
  "modified_at_ms",
  "epoch",
  "start_at_ms",
  "awaiting",
  "retry_at_ms",
  "completed_at_ms",
  "output_index",
  "pin_deployment_id",
  "pin_protocol_version",
  "retry_count",
  "retry_count_since_last_entry",
  "failure_at_ms",
  "failure_code",
  "failure_error_code",
  "failure_message",
  "failure_stacktrace",
  "failure_command_index",
  "failure_command_name",
  "failure_command_type",
] as const;

type Text = string | null;
type Int = number | null;

/** Values of `FIXED_COLUMNS`. */
export type FixedValues = [
  partitionKey: Uint8Array,
  uuid: Uint8Array,
  service: string,
  handler: string,
  key: Text,
  idempotencyKey: Text,
  callerSeq: Int,
  callerCompletionId: Int,
  createdAtMs: number,
  retentionMs: number,
];

type StateValues = [
  startAtMs: Int,
  awaiting: Json<AwaitSet> | null,
  retryAtMs: Int,
  completedAtMs: Int,
  outputIndex: Int,
];

type FailureValues = [
  atMs: Int,
  code: Int,
  errorCode: Text,
  message: Text,
  stacktrace: Text,
  commandIndex: Int,
  commandName: Text,
  commandType: Int,
];

/** Values of `MUTABLE_COLUMNS`. */
export type MutableValues = [
  status: number,
  modifiedAtMs: number,
  epoch: number,
  ...state: StateValues,
  pinDeploymentId: Text,
  pinProtocolVersion: Int,
  retryCount: number,
  retryCountSinceLastEntry: number,
  ...failure: FailureValues,
];

export type InvocationRow = [seq: number, ...FixedValues, ...MutableValues];

export function fixedValues(invocation: InvocationFields): FixedValues {
  const { id, target, idempotencyKey, caller, createdAtMs, retentionMs } = invocation;
  assert(id.length === ID_BYTES, `an invocation id has ${ID_BYTES} bytes, not ${id.length}`);
  return [
    id.subarray(0, PARTITION_KEY_BYTES),
    id.subarray(PARTITION_KEY_BYTES),
    target.service,
    target.handler,
    target.key,
    idempotencyKey,
    caller?.seq ?? null,
    caller?.completionId ?? null,
    createdAtMs,
    retentionMs,
  ];
}

export function mutableValues(invocation: InvocationFields): MutableValues {
  const { state, pin } = invocation;
  return [
    STATUS_CODES[state.status],
    invocation.modifiedAtMs,
    invocation.epoch,
    ...stateValues(state),
    pin?.deploymentId ?? null,
    pin?.protocolVersion ?? null,
    invocation.retryCount,
    invocation.retryCountSinceLastStoredEntry,
    ...failureValues(invocation.lastFailure),
  ];
}

const NO_STATE: StateValues = [null, null, null, null, null];

function stateValues(state: InvocationState): StateValues {
  switch (state.status) {
    case "scheduled":
      return [state.startAtMs, null, null, null, null];
    case "suspended":
      return [null, toJson(state.awaiting), null, null, null];
    case "backing-off":
      return [null, null, state.retryAtMs, null, null];
    case "completed":
      return [null, null, null, state.completedAtMs, state.outputIndex];
    case "running":
    case "paused":
      return NO_STATE;
    default:
      return unreachable(state);
  }
}

const NO_FAILURE: FailureValues = [null, null, null, null, null, null, null, null];

function failureValues(failure: Invocation["lastFailure"]): FailureValues {
  if (failure === null) return NO_FAILURE;
  return [
    failure.atMs,
    failure.code,
    failure.errorCode,
    failure.message,
    failure.stacktrace ?? null,
    failure.relatedCommandIndex ?? null,
    failure.relatedCommandName ?? null,
    failure.relatedCommandType ?? null,
  ];
}

export function fieldsOf(row: InvocationRow): InvocationFields {
  const [seq, partitionKey, uuid, service, handler, key, idempotencyKey, callerSeq, ...rest] = row;
  const [completionId, createdAtMs, retentionMs, status, modifiedAtMs, epoch, ...late] = rest;
  const [startAtMs, awaiting, retryAtMs, completedAtMs, outputIndex, ...counted] = late;
  const [deploymentId, protocolVersion, retryCount, retryCountSinceLastEntry, ...failure] = counted;
  const id = new Uint8Array(ID_BYTES);
  id.set(partitionKey);
  id.set(uuid, PARTITION_KEY_BYTES);
  return {
    seq,
    id,
    target: { service, handler, key },
    idempotencyKey,
    caller: callerSeq === null ? null : { seq: callerSeq, completionId },
    createdAtMs,
    retentionMs,
    modifiedAtMs,
    epoch,
    state: stateOf(status, [startAtMs, awaiting, retryAtMs, completedAtMs, outputIndex]),
    pin: pinOf(deploymentId, protocolVersion),
    retryCount,
    retryCountSinceLastStoredEntry: retryCountSinceLastEntry,
    lastFailure: failureOf(failure),
  };
}

function pinOf(deploymentId: Text, protocolVersion: Int): Pin | null {
  if (deploymentId === null) return null;
  return { deploymentId, protocolVersion: present(protocolVersion, "protocol version") };
}

function stateOf(code: number, values: StateValues): InvocationState {
  const [startAtMs, awaiting, retryAtMs, completedAtMs, outputIndex] = values;
  const status = present(STATUSES[code], `status ${code}`);
  switch (status) {
    case "scheduled":
      return { status, startAtMs: present(startAtMs, "start time") };
    case "suspended":
      return { status, awaiting: fromJson(present(awaiting, "await set")) };
    case "backing-off":
      return { status, retryAtMs: present(retryAtMs, "retry time") };
    case "completed":
      return {
        status,
        completedAtMs: present(completedAtMs, "completion time"),
        outputIndex: present(outputIndex, "output index"),
      };
    case "running":
    case "paused":
      return { status };
    default:
      return unreachable(status);
  }
}

function failureOf(values: FailureValues): Invocation["lastFailure"] {
  const [atMs, code, errorCode, message, stacktrace, index, name, type] = values;
  if (atMs === null) return null;
  return {
    atMs,
    code: present(code, "failure code"),
    errorCode: present(errorCode, "error code"),
    message: present(message, "failure message"),
    ...(stacktrace === null ? {} : { stacktrace }),
    ...(index === null ? {} : { relatedCommandIndex: index }),
    ...(name === null ? {} : { relatedCommandName: name }),
    ...(type === null ? {} : { relatedCommandType: type }),
  };
}
