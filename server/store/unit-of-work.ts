/**
 * What a transaction of the SQLite store sees and changes.
 *
 * U1 An invocation is one object for as long as the transaction lasts; its row is written once, at the end, if it was saved.
 * U2 Running invocations stay in memory between transactions, summary included: a step costs no SELECT and no UPDATE, its
 *    journal rows alone. All others are forgotten with the commit.
 * U3 After a rollback nothing in memory is trusted: all of it is read again.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { assert } from "../base/assert.ts";
import { emptySummary, foldEntry } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Instance, Invocation, NewInvocation } from "../machine/invocation.ts";
import {
  type Deployment,
  makeRegistry,
  type Registry,
  type ServiceOverrides,
  type ServiceRevision,
  withoutDeployment,
  withRows,
} from "../machine/registry.ts";
import type {
  Listener,
  PromiseListener,
  QueueItem,
  Reader,
  Timer,
  Transactor,
} from "../machine/tx.ts";
import type { BlobRow } from "./blob-rows.ts";
import { CommittedState, RowReader } from "./row-reader.ts";
import { firstFields, StoredInvocation } from "./stored-invocation.ts";
import type { Tables } from "./tables.ts";

/** More than there are attempts in flight by default. */
const CACHED_MAX = 4096;

export class UnitOfWork extends RowReader implements Transactor {
  readonly #tables: Tables;
  readonly #cache = new Map<number, StoredInvocation>();
  /** Met in this transaction; the cache holds nothing else but running invocations. */
  readonly #touched = new Set<Invocation>();
  readonly #dirty = new Set<Invocation>();
  #active = false;
  #wrote = false;
  #registry: Registry;
  #registryBefore: Registry;

  constructor(tables: Tables) {
    super();
    this.#tables = tables;
    this.#registry = tables.registry.registry();
    this.#registryBefore = this.#registry;
  }

  // ---- its life ----------------------------------------------------------------------------------

  begin(): void {
    this.#active = true;
    this.#wrote = false;
    this.#registryBefore = this.#registry;
    this.#tables.seqs.begin();
  }

  /** Writes what was saved. Returns whether the transaction wrote anything. */
  flush(): boolean {
    for (const invocation of this.#dirty) this.#tables.invocations.update(invocation);
    this.#dirty.clear();
    return this.#wrote;
  }

  committed(): void {
    this.#active = false;
    for (const invocation of this.#touched) {
      if (invocation.state.status !== "running") this.#cache.delete(invocation.seq);
    }
    this.#touched.clear();
    // Running ones may also wait for room by the million: the oldest are read again when their turn comes.
    for (const seq of this.#cache.keys()) {
      if (this.#cache.size <= CACHED_MAX) break;
      this.#cache.delete(seq);
    }
  }

  rolledBack(): void {
    this.#active = false;
    this.#cache.clear();
    this.#touched.clear();
    this.#dirty.clear();
    this.#registry = this.#registryBefore;
    this.#tables.seqs.rolledBack();
    this.#tables.blobs.rolledBack();
  }

  /** A reader for between transactions. What it loads is not kept. */
  committedState(): Reader {
    return new CommittedState({
      tables: this.#tables,
      registry: () => this.#registry,
      invocation: (seq) => this.#cache.get(seq) ?? this.#load(seq),
    });
  }

  #load(seq: number): StoredInvocation | undefined {
    const fields = this.#tables.invocations.get(seq);
    if (fields === undefined) return undefined;
    return new StoredInvocation(fields, this.#tables.journal.summarize);
  }

  #keep(invocation: StoredInvocation): Invocation {
    this.#cache.set(invocation.seq, invocation);
    this.#touched.add(invocation);
    return invocation;
  }

  protected override rows(): Tables {
    assert(this.#active, "a transactor ends with its transaction");
    return this.#tables;
  }

  #writes(): Tables {
    const tables = this.rows();
    this.#wrote = true;
    return tables;
  }

  /** An object that a rollback or a delete has made void must not reach the tables. */
  #current(invocation: Invocation): StoredInvocation {
    const current = this.#cache.get(invocation.seq);
    assert(
      current !== undefined && current === invocation,
      `invocation ${invocation.seq} is changed in the transaction that read it`,
    );
    return current;
  }

  // ---- Reader ------------------------------------------------------------------------------------

  override registry(): Registry {
    this.rows();
    return this.#registry;
  }

  override invocation(seq: number): Invocation | undefined {
    this.rows();
    const cached = this.#cache.get(seq);
    if (cached !== undefined) return cached;
    const loaded = this.#load(seq);
    return loaded === undefined ? undefined : this.#keep(loaded);
  }

  override running(afterSeq: number, limit: number): Invocation[] {
    this.rows();
    this.flush();
    return super.running(afterSeq, limit);
  }

  override isPinned(deploymentId: string): boolean {
    this.rows();
    this.flush();
    return super.isPinned(deploymentId);
  }

  // ---- Transactor --------------------------------------------------------------------------------

  insertInvocation(invocation: NewInvocation): Invocation {
    const { invocations, seqs } = this.#writes();
    const fields = firstFields(seqs.next(), invocation);
    invocations.insert(fields);
    const made = new StoredInvocation(fields, this.#tables.journal.summarize, emptySummary());
    return this.#keep(made);
  }

  save(invocation: Invocation): void {
    this.#writes();
    const current = this.#current(invocation);
    this.#touched.add(current);
    this.#dirty.add(current);
  }

  append(invocation: Invocation, type: number, body: Uint8Array, nowMs: number): number {
    const { journal } = this.#writes();
    const { seq, foldedJournal } = this.#current(invocation);
    // What is not folded yet will be with this entry.
    const index = foldedJournal?.length ?? journal.length(seq);
    if (foldedJournal !== undefined) foldEntry(foldedJournal, type, body);
    journal.insert(seq, index, type, nowMs, body);
    return index;
  }

  purgeJournal(seq: number, keepIndex: number): void {
    this.#writes().journal.deleteAllBut(seq, keepIndex);
  }

  deleteInvocation(seq: number): void {
    const { invocations, journal, events, listeners } = this.#writes();
    const cached = this.#cache.get(seq);
    if (cached !== undefined) {
      this.#cache.delete(seq);
      this.#touched.delete(cached);
      this.#dirty.delete(cached);
    }
    invocations.delete(seq);
    journal.deleteAll(seq);
    events.deleteAll(seq);
    listeners.deleteAll(seq);
  }

  addEvent(seq: number, event: JournalEvent): void {
    this.#writes().events.add(seq, event);
  }

  addTimer(timer: Timer): void {
    this.#writes().timers.add(timer);
  }

  takeDueTimers(nowMs: number, limit: number): Timer[] {
    const taken = this.rows().timers.takeDue(nowMs, limit);
    if (taken.length > 0) this.#wrote = true;
    return taken;
  }

  addListener(seq: number, listener: Listener): void {
    this.#writes().listeners.add(seq, listener);
  }

  takeListeners(seq: number): Listener[] {
    const taken = this.rows().listeners.take(seq);
    if (taken.length > 0) this.#wrote = true;
    return taken;
  }

  setState(instance: Instance, name: Uint8Array, value: Uint8Array): void {
    this.#writes().state.set(instance, name, value);
  }

  clearState(instance: Instance, name: Uint8Array): void {
    this.#writes().state.clear(instance, name);
  }

  clearAllState(instance: Instance): void {
    this.#writes().state.clearAll(instance);
  }

  lock(instance: Instance, seq: number): boolean {
    return this.#writes().locks.lock(instance, seq);
  }

  unlock(instance: Instance): void {
    this.#writes().locks.unlock(instance);
  }

  enqueue(instance: Instance, item: QueueItem): number {
    return this.#writes().queue.add(instance, item);
  }

  dequeue(instance: Instance): QueueItem | undefined {
    return this.#writes().queue.take(instance);
  }

  removeQueued(position: number): void {
    this.#writes().queue.remove(position);
  }

  completePromise(instance: Instance, name: string, outcome: Outcome): void {
    this.#writes().promises.complete(instance, name, outcome);
  }

  addPromiseListener(instance: Instance, name: string, listener: PromiseListener): void {
    this.#writes().promises.addListener(instance, name, listener);
  }

  takePromiseListeners(instance: Instance, name: string): PromiseListener[] {
    return this.#writes().promises.takeListeners(instance, name);
  }

  clearPromises(instance: Instance): void {
    const { promises } = this.#writes();
    this.flush();
    promises.clear(instance);
  }

  /** Forgets large values that nothing refers to; returns those that it did forget. */
  forgetBlobs(rows: readonly BlobRow[]): BlobRow[] {
    const { blobs } = this.#writes();
    return rows.filter((row) => blobs.rows.forget(row));
  }

  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    this.#writes().registry.put(deployment, revisions);
    this.#registry = withRows(this.#registry, deployment, revisions);
  }

  deleteDeployment(id: string): void {
    this.#writes().registry.delete(id);
    this.#registry = withoutDeployment(this.#registry, id);
  }

  putOverrides(service: string, overrides: ServiceOverrides): void {
    this.#writes().registry.putOverrides(service, overrides);
    const all = new Map(this.#registry.overrides).set(service, overrides);
    this.#registry = makeRegistry({ ...this.#registry, overrides: all });
  }
}
