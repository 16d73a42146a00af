/**
 * An invocation as the stores hand it out. The summary of its journal is folded when somebody first asks for it: an answer to
 * an attach, a purge, or a result that does not wake it yet, reads the row alone, however long the journal is.
 */
import { assert } from "../base/assert.ts";
import type { TraceContext } from "../base/trace.ts";
import type {
  Caller,
  HandlerKind,
  Invocation,
  InvocationState,
  NewInvocation,
  Pin,
  Target,
} from "../machine/invocation.ts";
import type { JournalSummary } from "../journal/summary.ts";

/** Bytes of a public id. */
export const ID_BYTES = 24;

/** All of an invocation but its journal. */
export type InvocationFields = Omit<Invocation, "journal">;

/** Folds the stored journal of an invocation. */
export type Summarize = (seq: number) => JournalSummary;

/** Its own enumerable properties are the `InvocationFields`. */
export class StoredInvocation implements Invocation {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly target: Target;
  readonly kind: HandlerKind;
  readonly idempotencyKey: string | null;
  readonly caller: Caller | null;
  readonly restartedFrom: Uint8Array | null;
  readonly trace: TraceContext | null;
  readonly createdAtMs: number;
  readonly startAtMs: number | null;
  readonly completionRetentionMs: number;
  readonly journalRetentionMs: number;
  modifiedAtMs: number;
  queuedAtMs: number | null;
  runningAtMs: number | null;
  lastStartAtMs: number | null;
  epoch: number;
  state: InvocationState;
  pin: Pin | null;
  retryCount: number;
  retryCountSinceLastStoredEntry: number;
  lastFailure: Invocation["lastFailure"];
  isJournalPurged: boolean;
  readonly #summarize: Summarize;
  #journal: JournalSummary | undefined;

  /** `journal`: of one that has just been made. */
  constructor(fields: InvocationFields, summarize: Summarize, journal?: JournalSummary) {
    this.seq = fields.seq;
    this.id = fields.id;
    this.target = fields.target;
    this.kind = fields.kind;
    this.idempotencyKey = fields.idempotencyKey;
    this.caller = fields.caller;
    this.restartedFrom = fields.restartedFrom;
    this.trace = fields.trace;
    this.createdAtMs = fields.createdAtMs;
    this.startAtMs = fields.startAtMs;
    this.completionRetentionMs = fields.completionRetentionMs;
    this.journalRetentionMs = fields.journalRetentionMs;
    this.modifiedAtMs = fields.modifiedAtMs;
    this.queuedAtMs = fields.queuedAtMs;
    this.runningAtMs = fields.runningAtMs;
    this.lastStartAtMs = fields.lastStartAtMs;
    this.epoch = fields.epoch;
    this.state = fields.state;
    this.pin = fields.pin;
    this.retryCount = fields.retryCount;
    this.retryCountSinceLastStoredEntry = fields.retryCountSinceLastStoredEntry;
    this.lastFailure = fields.lastFailure;
    this.isJournalPurged = fields.isJournalPurged;
    this.#summarize = summarize;
    this.#journal = journal;
  }

  /** The summary, if somebody has asked for it. */
  get foldedJournal(): JournalSummary | undefined {
    return this.#journal;
  }

  get journal(): JournalSummary {
    this.#journal ??= this.#summarize(this.seq);
    return this.#journal;
  }
}

/** A new invocation at its first values. One that is made running has its first attempt at once. */
export function firstFields(seq: number, made: NewInvocation): InvocationFields {
  const { id, restartedFrom, startAtMs, state } = made;
  assert(id.length === ID_BYTES, `an invocation id has ${ID_BYTES} bytes, not ${id.length}`);
  const startsAsSaid = state.status !== "scheduled" || state.startAtMs === startAtMs;
  assert(startsAsSaid, "a scheduled invocation waits for the start time it was given");
  const firstRunAtMs = state.status === "running" ? made.createdAtMs : null;
  return {
    seq,
    // Copies: the bytes given may be part of a large buffer, which would stay in memory as long as this runs.
    id: Uint8Array.from(id),
    target: made.target,
    kind: made.kind,
    idempotencyKey: made.idempotencyKey,
    caller: made.caller,
    restartedFrom: restartedFrom === null ? null : Uint8Array.from(restartedFrom),
    trace: made.trace,
    createdAtMs: made.createdAtMs,
    startAtMs,
    completionRetentionMs: made.completionRetentionMs,
    journalRetentionMs: made.journalRetentionMs,
    modifiedAtMs: made.createdAtMs,
    queuedAtMs: null,
    runningAtMs: firstRunAtMs,
    lastStartAtMs: firstRunAtMs,
    epoch: 0,
    state,
    pin: null,
    retryCount: 0,
    retryCountSinceLastStoredEntry: 0,
    lastFailure: null,
    isJournalPurged: false,
  };
}
