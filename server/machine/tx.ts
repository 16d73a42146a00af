/**
 * The port to storage, declared where it is needed. A `Reader` sees one consistent state; a `Transactor` changes it, all or
 * nothing. Everything is synchronous, so no `await` can stand inside a transaction.
 *
 * Within a transaction, `invocation` and `findInvocation` give the same object for the same invocation.
 */
import type { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Outcome, StateEntry } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import type { JournalEvent } from "./event.ts";
import type { Instance, Invocation, NewInvocation } from "./invocation.ts";
import type { Deployment, Registry, ServiceOverrides, ServiceRevision } from "./registry.ts";

/**
 * What happens at a due time.
 * - start: a scheduled invocation runs
 * - sleep: the sleep with completion id `arg` is over
 * - retry: a backing-off invocation of epoch `arg` runs again
 * - purge: a completed invocation is forgotten
 * - purge-journal: of a completed invocation only the result is kept
 */
export type TimerKind = "start" | "sleep" | "retry" | "purge" | "purge-journal";

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

/** A handler that waits for a durable promise. */
export interface PromiseListener {
  readonly seq: number;
  readonly completionId: number;
}

/** State of one instance as it is told to a handler. */
export interface StateSnapshot {
  readonly entries: readonly StateEntry[];
  /** False when entries were left out because all together are too large. */
  readonly isComplete: boolean;
}

/** Replaces the whole state of an instance, when its turn comes. */
export interface StateMutation {
  /** Applies only to a state of this version (`stateVersion`); null: to any. */
  readonly version: string | null;
  readonly entries: readonly StateEntry[];
}

/** What waits for the key of an instance, first come first served. */
export type QueueItem =
  | { readonly kind: "invocation"; readonly seq: number }
  | { readonly kind: "mutation"; readonly mutation: StateMutation };

export interface Reader {
  registry(): Registry;
  invocation(seq: number): Invocation | undefined;
  /** By public id, 24 bytes. */
  findInvocation(id: Uint8Array): Invocation | undefined;
  /** The entries with `from <= index < to`, in order. */
  entries(seq: number, from: number, to: number): Entry[];
  /** The entries of one message type, in order. */
  entriesOfType(seq: number, type: number): Entry[];
  events(seq: number): JournalEvent[];
  /** The due time of the earliest timer. */
  nextDueMs(): number | undefined;
  /** Running invocations with a larger seq than `afterSeq`, in order of seq. */
  running(afterSeq: number, limit: number): Invocation[];
  /** Whether an invocation that is not completed is bound to this deployment. */
  isPinned(deploymentId: string): boolean;
  /** State in the order of its names' bytes; stops before the sum of names and values exceeds `bytesMax`. */
  state(instance: Instance, bytesMax: number): StateSnapshot;
  stateValue(instance: Instance, name: Uint8Array): Uint8Array | undefined;
  /** In the order of their bytes. */
  stateNames(instance: Instance): Uint8Array[];
  /** The invocation that holds the key. */
  lockHolder(instance: Instance): number | undefined;
  /** The seqs of invocations that wait for the key, first one first, at most `limit`. */
  queue(instance: Instance, limit: number): number[];
  /** How a durable promise was completed; undefined while it was not. */
  promise(instance: Instance, name: string): Outcome | undefined;
}

export interface Transactor extends Reader {
  /** Assigns the seq. */
  insertInvocation(invocation: NewInvocation): Invocation;
  /** The row of this invocation is written at the end of the transaction, once. */
  save(invocation: Invocation): void;
  /** Appends to the journal and folds the entry into `invocation.journal`; returns its index. */
  append(invocation: Invocation, type: number, body: Uint8Array, nowMs: number): number;
  /** Forgets all entries but the one at `keepIndex`. */
  purgeJournal(seq: number, keepIndex: number): void;
  /** Forgets the invocation, its journal, events and listeners. Its timers find nothing and vanish when due. */
  deleteInvocation(seq: number): void;
  addEvent(seq: number, event: JournalEvent): void;
  addTimer(timer: Timer): void;
  /** Removes and returns the timers with `dueMs <= nowMs`, earliest first, at most `limit`. */
  takeDueTimers(nowMs: number, limit: number): Timer[];
  addListener(seq: number, listener: Listener): void;
  /** Removes and returns those who wait for this invocation. */
  takeListeners(seq: number): Listener[];

  setState(instance: Instance, name: Uint8Array, value: Uint8Array): void;
  clearState(instance: Instance, name: Uint8Array): void;
  clearAllState(instance: Instance): void;
  /** True when nobody held the key: then `seq` holds it. */
  lock(instance: Instance, seq: number): boolean;
  unlock(instance: Instance): void;
  /** Puts it behind all others; returns its position, which rises over all instances. */
  enqueue(instance: Instance, item: QueueItem): number;
  /** Removes and returns the first. */
  dequeue(instance: Instance): QueueItem | undefined;
  removeQueued(position: number): void;
  /** Completes a promise that is not completed yet. */
  completePromise(instance: Instance, name: string, outcome: Outcome): void;
  addPromiseListener(instance: Instance, name: string, listener: PromiseListener): void;
  takePromiseListeners(instance: Instance, name: string): PromiseListener[];
  /** Forgets how the promises of a workflow were completed. Who waits for one goes on waiting, unless it is over. */
  clearPromises(instance: Instance): void;

  /** Adds or replaces. */
  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void;
  /** With the revisions that point to it. */
  deleteDeployment(id: string): void;
  putOverrides(service: string, overrides: ServiceOverrides): void;
}
