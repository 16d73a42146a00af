/** An invocation and its row: the columns in the order of the statements, and the way there and back. */
import { present } from "../base/assert.ts";
import { formatTraceparent, parseTraceContext } from "../base/trace.ts";
import type { HandlerKind } from "../machine/invocation.ts";
import {
  FAILURE_COLUMNS,
  failureOf,
  type FailureValues,
  failureValues,
} from "./failure-columns.ts";
import { STATE_COLUMNS, stateOf, type StateValues, stateValues } from "./state-columns.ts";
import { ID_BYTES, type InvocationFields } from "./stored-invocation.ts";

/** Bytes of the first part of a public id. */
export const PARTITION_KEY_BYTES = 8;

/** The place of a kind is its number in the schema. */
const KINDS: readonly HandlerKind[] = ["plain", "exclusive", "shared", "run", "workflow-shared"];

/** What never changes after the insert. */
export const FIXED_COLUMNS = [
  "partition_key",
  "uuid",
  "service",
  "handler",
  "key",
  "kind",
  "idempotency_key",
  "caller_seq",
  "caller_completion_id",
  "restarted_from",
  "traceparent",
  "tracestate",
  "created_at_ms",
  "start_at_ms",
  "completion_retention_ms",
  "journal_retention_ms",
] as const;

/** What `save` writes. */
export const MUTABLE_COLUMNS = [
  ...STATE_COLUMNS,
  "modified_at_ms",
  "queued_at_ms",
  "running_at_ms",
  "last_start_at_ms",
  "epoch",
  "pin_deployment_id",
  "pin_protocol_version",
  "retry_count",
  "retry_count_since_last_entry",
  "is_journal_purged",
  ...FAILURE_COLUMNS,
] as const;

/** Values of `FIXED_COLUMNS`. */
export type FixedValues = [
  partitionKey: Uint8Array,
  uuid: Uint8Array,
  service: string,
  handler: string,
  key: string | null,
  kind: number,
  idempotencyKey: string | null,
  callerSeq: number | null,
  callerCompletionId: number | null,
  restartedFrom: Uint8Array | null,
  traceparent: string | null,
  tracestate: string | null,
  createdAtMs: number,
  startAtMs: number | null,
  completionRetentionMs: number,
  journalRetentionMs: number,
];

type ProgressValues = [
  modifiedAtMs: number,
  queuedAtMs: number | null,
  runningAtMs: number | null,
  lastStartAtMs: number | null,
  epoch: number,
  pinDeploymentId: string | null,
  pinProtocolVersion: number | null,
  retryCount: number,
  retryCountSinceLastEntry: number,
  isJournalPurged: number,
];

/** Values of `MUTABLE_COLUMNS`. */
export type MutableValues = [...StateValues, ...ProgressValues, ...FailureValues];

export type InvocationRow = [seq: number, ...FixedValues, ...MutableValues];

export function fixedValues(invocation: InvocationFields): FixedValues {
  const { id, target, caller, trace } = invocation;
  return [
    id.subarray(0, PARTITION_KEY_BYTES),
    id.subarray(PARTITION_KEY_BYTES),
    target.service,
    target.handler,
    target.key,
    KINDS.indexOf(invocation.kind),
    invocation.idempotencyKey,
    caller?.seq ?? null,
    caller?.completionId ?? null,
    invocation.restartedFrom,
    trace === null ? null : formatTraceparent(trace),
    trace?.state ?? null,
    invocation.createdAtMs,
    invocation.startAtMs,
    invocation.completionRetentionMs,
    invocation.journalRetentionMs,
  ];
}

export function mutableValues(invocation: InvocationFields): MutableValues {
  const { pin } = invocation;
  return [
    ...stateValues(invocation.state),
    invocation.modifiedAtMs,
    invocation.queuedAtMs,
    invocation.runningAtMs,
    invocation.lastStartAtMs,
    invocation.epoch,
    pin?.deploymentId ?? null,
    pin?.protocolVersion ?? null,
    invocation.retryCount,
    invocation.retryCountSinceLastStoredEntry,
    Number(invocation.isJournalPurged),
    ...failureValues(invocation.lastFailure),
  ];
}

type FixedFields = Omit<InvocationFields, "seq" | keyof MutableFields>;

type MutableFields = Pick<
  InvocationFields,
  | "state"
  | "modifiedAtMs"
  | "queuedAtMs"
  | "runningAtMs"
  | "lastStartAtMs"
  | "epoch"
  | "pin"
  | "retryCount"
  | "retryCountSinceLastStoredEntry"
  | "isJournalPurged"
  | "lastFailure"
>;

export function fieldsOf(row: InvocationRow): InvocationFields {
  const [seq, ...values] = row;
  const [partitionKey, uuid, service, handler, key, kind, idempotencyKey, ...origin] = values;
  const [callerSeq, completionId, restartedFrom, traceparent, tracestate, ...times] = origin;
  const [createdAtMs, startAtMs, completionRetentionMs, journalRetentionMs, ...mutable] = times;
  const id = new Uint8Array(ID_BYTES);
  id.set(partitionKey);
  id.set(uuid, PARTITION_KEY_BYTES);
  const fixed: FixedFields = {
    id,
    target: { service, handler, key },
    kind: present(KINDS[kind], `kind ${kind}`),
    idempotencyKey,
    caller: callerSeq === null ? null : { seq: callerSeq, completionId },
    restartedFrom: restartedFrom === null ? null : Uint8Array.from(restartedFrom),
    trace: traceparent === null ? null : parseTraceContext(traceparent, tracestate ?? undefined),
    createdAtMs,
    startAtMs,
    completionRetentionMs,
    journalRetentionMs,
  };
  return { seq, ...fixed, ...mutableFieldsOf(mutable, startAtMs) };
}

function mutableFieldsOf(values: MutableValues, startAtMs: number | null): MutableFields {
  const [status, position, isPausing, awaiting, retryAtMs, reason, completedAtMs, ...rest] = values;
  const [output, modifiedAtMs, queuedAtMs, runningAtMs, lastStartAtMs, epoch, ...counted] = rest;
  const [deploymentId, protocolVersion, retryCount, sinceLastEntry, isPurged, ...failure] = counted;
  return {
    state: stateOf(
      [status, position, isPausing, awaiting, retryAtMs, reason, completedAtMs, output],
      startAtMs,
    ),
    modifiedAtMs,
    queuedAtMs,
    runningAtMs,
    lastStartAtMs,
    epoch,
    pin:
      deploymentId === null
        ? null
        : { deploymentId, protocolVersion: present(protocolVersion, "protocol version") },
    retryCount,
    retryCountSinceLastStoredEntry: sinceLastEntry,
    isJournalPurged: isPurged === 1,
    lastFailure: failureOf(failure),
  };
}
