/**
 * An invocation as the SQLite store hands it out. The summary of its journal is folded when somebody first asks for it: an
 * answer to an attach, or a purge, reads the row alone, however long the journal is.
 */
import type {
  Caller,
  Invocation,
  InvocationState,
  NewInvocation,
  Pin,
  Target,
} from "../machine/invocation.ts";
import { emptySummary, type JournalSummary } from "../journal/summary.ts";

/** All of an invocation but its journal. */
export type InvocationFields = Omit<Invocation, "journal">;

/** Folds the stored journal of an invocation. */
export type Summarize = (seq: number) => JournalSummary;

export class StoredInvocation implements Invocation {
  readonly seq: number;
  readonly id: Uint8Array;
  readonly target: Target;
  readonly idempotencyKey: string | null;
  readonly caller: Caller | null;
  readonly createdAtMs: number;
  readonly retentionMs: number;
  modifiedAtMs: number;
  epoch: number;
  state: InvocationState;
  pin: Pin | null;
  retryCount: number;
  retryCountSinceLastStoredEntry: number;
  lastFailure: Invocation["lastFailure"];
  readonly #summarize: Summarize;
  #journal: JournalSummary | undefined;

  constructor(fields: InvocationFields, summarize: Summarize) {
    this.seq = fields.seq;
    this.id = fields.id;
    this.target = fields.target;
    this.idempotencyKey = fields.idempotencyKey;
    this.caller = fields.caller;
    this.createdAtMs = fields.createdAtMs;
    this.retentionMs = fields.retentionMs;
    this.modifiedAtMs = fields.modifiedAtMs;
    this.epoch = fields.epoch;
    this.state = fields.state;
    this.pin = fields.pin;
    this.retryCount = fields.retryCount;
    this.retryCountSinceLastStoredEntry = fields.retryCountSinceLastStoredEntry;
    this.lastFailure = fields.lastFailure;
    this.#summarize = summarize;
  }

  get journal(): JournalSummary {
    this.#journal ??= this.#summarize(this.seq);
    return this.#journal;
  }
}

/** The journal of an invocation that has just been made. */
export const noEntries: Summarize = emptySummary;

/** A new invocation at its first values. */
export function firstFields(seq: number, invocation: NewInvocation): InvocationFields {
  const { target, idempotencyKey, caller, createdAtMs, retentionMs, state } = invocation;
  return {
    seq,
    // A copy: the bytes given may be part of a large buffer, which would stay in memory as long as this runs.
    id: Uint8Array.from(invocation.id),
    target,
    idempotencyKey,
    caller,
    createdAtMs,
    retentionMs,
    modifiedAtMs: createdAtMs,
    epoch: 0,
    state,
    pin: null,
    retryCount: 0,
    retryCountSinceLastStoredEntry: 0,
    lastFailure: null,
  };
}
