/**
 * The port to storage, declared where it is needed. A `Reader` sees one consistent state; a `Transactor` changes it, all or
 * nothing. Everything is synchronous, so no `await` can stand inside a transaction.
 *
 * Within a transaction, `invocation` and `findInvocation` give the same object for the same invocation.
 */
import type { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation, NewInvocation } from "./invocation.ts";
import type { Deployment, Registry, ServiceRevision } from "./registry.ts";

/**
 * What happens at a due time.
 * - start: a scheduled invocation runs
 * - sleep: the sleep with completion id `arg` is over
 * - retry: a backing-off invocation of epoch `arg` runs again
 * - purge: a completed invocation is forgotten
 */
export type TimerKind = "start" | "sleep" | "retry" | "purge";

export interface Timer {
  readonly dueMs: number;
  readonly seq: number;
  readonly kind: TimerKind;
  /** Completion id or epoch; 0 where the kind needs none. */
  readonly arg: number;
}

export type ListenerType =
  | typeof MessageType.CallCompletion
  | typeof MessageType.AttachInvocationCompletion
  | typeof MessageType.GetInvocationOutputCompletion;

/** A handler that waits for the result of an invocation it did not start itself. */
export interface Listener {
  readonly callerSeq: number;
  readonly completionId: number;
  /** The completion it gets. */
  readonly messageType: ListenerType;
}

export interface Reader {
  registry(): Registry;
  invocation(seq: number): Invocation | undefined;
  /** By public id, 24 bytes. */
  findInvocation(id: Uint8Array): Invocation | undefined;
  /** The entries with `from <= index < to`, in order. */
  entries(seq: number, from: number, to: number): Entry[];
  /** The due time of the earliest timer. */
  nextDueMs(): number | undefined;
  /** Running invocations with a larger seq than `afterSeq`, in order of seq. */
  running(afterSeq: number, limit: number): Invocation[];
}

export interface Transactor extends Reader {
  /** Assigns the seq. */
  insertInvocation(invocation: NewInvocation): Invocation;
  /** The row of this invocation is written at the end of the transaction, once. */
  save(invocation: Invocation): void;
  /** Appends to the journal and folds the entry into `invocation.journal`; returns its index. */
  append(invocation: Invocation, type: number, body: Uint8Array, nowMs: number): number;
  /** Forgets the invocation, its journal and its listeners. Its timers find nothing and vanish when due. */
  deleteInvocation(seq: number): void;
  addTimer(timer: Timer): void;
  /** Removes and returns the timers with `dueMs <= nowMs`, earliest first, at most `limit`. */
  takeDueTimers(nowMs: number, limit: number): Timer[];
  addListener(seq: number, listener: Listener): void;
  /** Removes and returns those who wait for this invocation. */
  takeListeners(seq: number): Listener[];
  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void;
}
