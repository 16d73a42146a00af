/**
 * One invocation as the machine sees it: the row, and a summary of its journal. Mutable inside a transaction only;
 * whoever changes it calls `tx.save`.
 */
import type { Future } from "../../sdk/protocol/messages.ts";
import type { TraceContext } from "../base/trace.ts";
import type { JournalSummary } from "../journal/summary.ts";

export interface Target {
  readonly service: string;
  readonly handler: string;
  /** The object or workflow key; null for plain services. */
  readonly key: string | null;
}

/**
 * What kind of handler it runs, fixed when it is created.
 * - plain: of a plain service
 * - exclusive, shared: of a virtual object; exclusive ones run one at a time per key
 * - run, workflow-shared: of a workflow; `run` happens once per key while it is retained, and holds the key like an exclusive one
 */
export type HandlerKind = "plain" | "exclusive" | "shared" | "run" | "workflow-shared";

/** An instance of an object or a workflow: what state, promises, lock and queue belong to. */
export interface Instance {
  readonly service: string;
  readonly key: string;
}

/** Who waits inside the system for the result of a call. */
export interface Caller {
  readonly seq: number;
  /** The completion id of the result in the caller's journal; null for a one-way call. */
  readonly completionId: number | null;
}

/**
 * Why an invocation is paused.
 * - operator: somebody asked for it
 * - retries-exhausted: the retry policy says so
 * - handler: the endpoint asked for it with the behavior of its error
 * - future-too-deep: what it awaits is nested deeper than is evaluated
 */
export type PauseReason = "operator" | "retries-exhausted" | "handler" | "future-too-deep";

/**
 * What an invocation is doing. Transitions stand in `status.ts`.
 * - scheduled: waits for its start time
 * - queued: waits for the key of its object
 * - running: has, or is about to have, a current attempt; with `isPausing` that attempt was asked to suspend and pauses then
 * - suspended: no attempt; waits until what it awaits is decided
 * - backing-off: the last attempt failed; waits for its retry time
 * - paused: needs an operator
 * - completed: its result is the journal entry at `outputIndex`
 */
export type InvocationState =
  | { readonly status: "scheduled"; readonly startAtMs: number }
  | { readonly status: "queued"; readonly position: number }
  | { readonly status: "running"; readonly isPausing: boolean }
  | { readonly status: "suspended"; readonly awaiting: Future }
  | { readonly status: "backing-off"; readonly retryAtMs: number }
  | { readonly status: "paused"; readonly reason: PauseReason }
  | { readonly status: "completed"; readonly completedAtMs: number; readonly outputIndex: number };

export type InvocationStatus = InvocationState["status"];

/** Fixed with the first stored command: the rest of the invocation runs on the same code. */
export interface Pin {
  readonly deploymentId: string;
  readonly protocolVersion: number;
}

/** What the journal holds where the code did something else (service protocol 8.12). */
export interface Mismatch {
  /** Of the recorded command, in the journal and among its commands. */
  readonly entryIndex: number;
  readonly commandIndex: number;
  readonly recordedType: number;
  readonly recordedName: string;
}

/** Why an attempt failed. Shown to operators; kept on the invocation until an attempt succeeds. */
export interface AttemptFailure {
  /** HTTP-like, or 570 to 573. */
  readonly code: number;
  /** Stable, such as `RT0010`. */
  readonly errorCode: string;
  readonly message: string;
  readonly stacktrace?: string;
  readonly relatedCommandIndex?: number;
  readonly relatedCommandName?: string;
  readonly relatedCommandType?: number;
  /** With error code RT0016, where the recorded command could be found. */
  readonly mismatch?: Mismatch;
}

export interface Invocation {
  /** Internal, rising, never used twice. */
  readonly seq: number;
  /** 24 bytes: partition key and uuid. */
  readonly id: Uint8Array;
  readonly target: Target;
  readonly kind: HandlerKind;
  readonly idempotencyKey: string | null;
  readonly caller: Caller | null;
  /** 24 bytes: the invocation it was restarted from. */
  readonly restartedFrom: Uint8Array | null;
  /** Where its spans hang; null when nobody traces. */
  readonly trace: TraceContext | null;
  readonly createdAtMs: number;
  /** The start time it was given; null for at once. Stays when it has started. */
  readonly startAtMs: number | null;
  /** How long its result is kept after completion. */
  readonly completionRetentionMs: number;
  /** How long its journal is kept after completion; never longer than the result. */
  readonly journalRetentionMs: number;
  modifiedAtMs: number;
  /** When it began to wait for its key; null if it never did. */
  queuedAtMs: number | null;
  /** When it ran for the first time, and when its newest attempt was asked for; null before. */
  runningAtMs: number | null;
  lastStartAtMs: number | null;
  /** Rises each time an attempt stops being current. */
  epoch: number;
  state: InvocationState;
  pin: Pin | null;
  /** Failed attempts since the start, the last suspension or the last resume: the retry policy counts these. */
  retryCount: number;
  /** Failed attempts since the last stored command: told to the SDK in `Start`. */
  retryCountSinceLastStoredEntry: number;
  lastFailure: (AttemptFailure & { readonly atMs: number }) | null;
  /** Of the journal only the Output is left. */
  isJournalPurged: boolean;
  readonly journal: JournalSummary;
}

/** What `tx.insertInvocation` needs; the rest starts at its first value. */
export type NewInvocation = Pick<
  Invocation,
  | "id"
  | "target"
  | "kind"
  | "idempotencyKey"
  | "caller"
  | "restartedFrom"
  | "trace"
  | "createdAtMs"
  | "startAtMs"
  | "completionRetentionMs"
  | "journalRetentionMs"
  | "state"
>;

/** The instance it belongs to; null for a plain service. */
export function instanceOf({ target: { service, key } }: Invocation): Instance | null {
  return key === null ? null : { service, key };
}

/** It runs alone on its key. */
export function isExclusive(kind: HandlerKind): boolean {
  return kind === "exclusive" || kind === "run";
}

/** Its attempt was asked to suspend, and it pauses then. */
export function isPausing({ state }: Invocation): boolean {
  return state.status === "running" && state.isPausing;
}

/** `service/handler` or `service/key/handler`, as people write it. */
export function targetText({ service, key, handler }: Target): string {
  return key === null ? `${service}/${handler}` : `${service}/${key}/${handler}`;
}
