/**
 * What a transaction of the SQLite store sees and changes.
 *
 * U1 An invocation is one object for as long as the transaction lasts; its row is written once, at the end, if it was saved.
 * U2 Running invocations stay in memory between transactions, summary included: a step costs no SELECT and no UPDATE, its
 *    journal rows alone. All others are forgotten with the commit.
 * U3 After a rollback nothing in memory is trusted: all of it is read again.
 */
import { assert } from "../base/assert.ts";
import { type Entry, foldEntry } from "../journal/summary.ts";
import type { Invocation, NewInvocation } from "../machine/invocation.ts";
import type { Deployment, Registry, ServiceRevision } from "../machine/registry.ts";
import type { Listener, Reader, Timer, Transactor } from "../machine/tx.ts";
import { registryWith } from "./registry-with.ts";
import { firstFields, noEntries, StoredInvocation } from "./stored-invocation.ts";
import type { Tables } from "./tables.ts";

/** More than there are attempts in flight by default. */
const CACHED_MAX = 4096;

export class UnitOfWork implements Transactor {
  readonly #tables: Tables;
  readonly #cache = new Map<number, Invocation>();
  /** Met in this transaction; the cache holds nothing else but running invocations. */
  readonly #touched = new Set<Invocation>();
  readonly #dirty = new Set<Invocation>();
  #active = false;
  #wrote = false;
  #registry: Registry;
  #registryBefore: Registry;

  constructor(tables: Tables) {
    this.#tables = tables;
    this.#registry = tables.deployments.registry();
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
  }

  /** A reader for between transactions. What it loads is not kept. */
  committedState(): Reader {
    const { invocations, journal, timers } = this.#tables;
    const invocation = (seq: number): Invocation | undefined =>
      this.#cache.get(seq) ?? this.#load(seq);
    return {
      registry: () => this.#registry,
      invocation,
      findInvocation: (id) => {
        const seq = invocations.find(id);
        return seq === undefined ? undefined : invocation(seq);
      },
      entries: (seq, from, to) => journal.range(seq, from, to),
      nextDueMs: () => timers.nextDueMs(),
      running: (afterSeq, limit) =>
        invocations.running(afterSeq, limit).flatMap((seq) => invocation(seq) ?? []),
    };
  }

  #load(seq: number): Invocation | undefined {
    const fields = this.#tables.invocations.get(seq);
    if (fields === undefined) return undefined;
    return new StoredInvocation(fields, this.#tables.journal.summarize);
  }

  #keep(invocation: Invocation): Invocation {
    this.#cache.set(invocation.seq, invocation);
    this.#touched.add(invocation);
    return invocation;
  }

  #reads(): Tables {
    assert(this.#active, "a transactor ends with its transaction");
    return this.#tables;
  }

  #writes(): Tables {
    this.#wrote = true;
    return this.#reads();
  }

  /** An object that a rollback or a delete has made void must not reach the tables. */
  #assertCurrent(invocation: Invocation): void {
    const current = this.#cache.get(invocation.seq) === invocation;
    assert(current, `invocation ${invocation.seq} is changed in the transaction that read it`);
  }

  // ---- Reader ------------------------------------------------------------------------------------

  registry(): Registry {
    this.#reads();
    return this.#registry;
  }

  invocation(seq: number): Invocation | undefined {
    this.#reads();
    const cached = this.#cache.get(seq);
    if (cached !== undefined) return cached;
    const loaded = this.#load(seq);
    return loaded === undefined ? undefined : this.#keep(loaded);
  }

  findInvocation(id: Uint8Array): Invocation | undefined {
    const seq = this.#reads().invocations.find(id);
    return seq === undefined ? undefined : this.invocation(seq);
  }

  entries(seq: number, from: number, to: number): Entry[] {
    return this.#reads().journal.range(seq, from, to);
  }

  nextDueMs(): number | undefined {
    return this.#reads().timers.nextDueMs();
  }

  running(afterSeq: number, limit: number): Invocation[] {
    const { invocations } = this.#reads();
    this.flush();
    return invocations.running(afterSeq, limit).flatMap((seq) => this.invocation(seq) ?? []);
  }

  // ---- Transactor --------------------------------------------------------------------------------

  insertInvocation(invocation: NewInvocation): Invocation {
    const { invocations, seqs } = this.#writes();
    const fields = firstFields(seqs.next(), invocation);
    invocations.insert(fields);
    return this.#keep(new StoredInvocation(fields, noEntries));
  }

  save(invocation: Invocation): void {
    this.#writes();
    this.#assertCurrent(invocation);
    this.#touched.add(invocation);
    this.#dirty.add(invocation);
  }

  append(invocation: Invocation, type: number, body: Uint8Array, nowMs: number): number {
    const { journal } = this.#writes();
    this.#assertCurrent(invocation);
    const index = invocation.journal.length;
    foldEntry(invocation.journal, type, body);
    journal.insert(invocation.seq, index, type, nowMs, body);
    return index;
  }

  deleteInvocation(seq: number): void {
    const { invocations, journal, listeners } = this.#writes();
    const cached = this.#cache.get(seq);
    if (cached !== undefined) {
      this.#cache.delete(seq);
      this.#touched.delete(cached);
      this.#dirty.delete(cached);
    }
    invocations.delete(seq);
    journal.deleteAll(seq);
    listeners.deleteAll(seq);
  }

  addTimer(timer: Timer): void {
    this.#writes().timers.add(timer);
  }

  takeDueTimers(nowMs: number, limit: number): Timer[] {
    const taken = this.#reads().timers.takeDue(nowMs, limit);
    if (taken.length > 0) this.#wrote = true;
    return taken;
  }

  addListener(seq: number, listener: Listener): void {
    this.#writes().listeners.add(seq, listener);
  }

  takeListeners(seq: number): Listener[] {
    const taken = this.#reads().listeners.take(seq);
    if (taken.length > 0) this.#wrote = true;
    return taken;
  }

  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    this.#writes().deployments.put(deployment, revisions);
    this.#registry = registryWith(this.#registry, deployment, revisions);
  }
}
