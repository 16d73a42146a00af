/**
 * One invocation as the machine sees it: the row, and a summary of its journal. Mutable inside a transaction only;
 * whoever changes it calls `tx.save`.
 */
import type { AwaitSet } from "../journal/await-set.ts";
import type { JournalSummary } from "../journal/summary.ts";

export interface Target {
  readonly service: string;
  readonly handler: string;
  /** The object or workflow key; null for plain services. */
  readonly key: string | null;
}

/** Who waits inside the system for the result of a call. */
export interface Caller {
  readonly seq: number;
  /** The completion id of the result in the caller's journal; null for a one-way call. */
  readonly completionId: number | null;
}

/**
 * What an invocation is doing. Transitions stand in `status.ts`.
 * - scheduled: waits for its start time
 * - running: has, or is about to have, a current attempt
 * - suspended: no attempt; waits for one of the awaited notifications
 * - backing-off: the last attempt failed; waits for its retry time
 * - paused: needs an operator
 * - completed: its result is the journal entry at `outputIndex`
 */
export type InvocationState =
  | { readonly status: "scheduled"; readonly startAtMs: number }
  | { readonly status: "running" }
  | { readonly status: "suspended"; readonly awaiting: AwaitSet }
  | { readonly status: "backing-off"; readonly retryAtMs: number }
  | { readonly status: "paused" }
  | { readonly status: "completed"; readonly completedAtMs: number; readonly outputIndex: number };

export type InvocationStatus = InvocationState["status"];

/** Fixed with the first stored command: the rest of the invocation runs on the same code. */
export interface Pin {
  readonly deploymentId: string;
  readonly protocolVersion: number;
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
}

export interface Invocation {
  /** Internal, rising, never used twice. */
  readonly seq: number;
  /** 24 bytes: partition key and uuid. */
  readonly id: Uint8Array;
  readonly target: Target;
  readonly idempotencyKey: string | null;
  readonly caller: Caller | null;
  readonly createdAtMs: number;
  /** How long it is kept after completion. */
  readonly retentionMs: number;
  modifiedAtMs: number;
  /** Rises each time an attempt stops being current. */
  epoch: number;
  state: InvocationState;
  pin: Pin | null;
  /** Failed attempts since the start, the last suspension or the last resume: the retry policy counts these. */
  retryCount: number;
  /** Failed attempts since the last stored command: told to the SDK in `Start`. */
  retryCountSinceLastStoredEntry: number;
  lastFailure: (AttemptFailure & { readonly atMs: number }) | null;
  readonly journal: JournalSummary;
}

/** What `tx.insertInvocation` needs; the rest starts at its first value. */
export interface NewInvocation {
  readonly id: Uint8Array;
  readonly target: Target;
  readonly idempotencyKey: string | null;
  readonly caller: Caller | null;
  readonly createdAtMs: number;
  readonly retentionMs: number;
  readonly state: InvocationState;
}
