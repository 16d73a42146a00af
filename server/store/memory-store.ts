/**
 * The store over Maps: for tests and the simulation. Nothing is durable, and a barrier passes at once. A transaction that throws is undone by
 * putting a copy of everything back, so it is slow where that happens, which is in tests alone.
 */
import { assert, present } from "../base/assert.ts";
import { emptySummary, type Entry, foldEntry, needsBody } from "../journal/summary.ts";
import type { Invocation, NewInvocation } from "../machine/invocation.ts";
import {
  type Deployment,
  EMPTY_REGISTRY,
  type Registry,
  type ServiceRevision,
  withDeployment,
} from "../machine/registry.ts";
import type { Listener, Reader, Timer, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";

interface Tables {
  readonly invocations: Map<number, Invocation>;
  readonly seqById: Map<string, number>;
  readonly journals: Map<number, readonly Entry[]>;
  readonly listeners: Map<number, readonly Listener[]>;
  /** Sorted by due time, then by the order in which they were added. */
  timers: readonly Timer[];
  registry: Registry;
  nextSeq: number;
}

function emptyTables(): Tables {
  return {
    invocations: new Map(),
    seqById: new Map(),
    journals: new Map(),
    listeners: new Map(),
    timers: [],
    registry: EMPTY_REGISTRY,
    nextSeq: 1,
  };
}

function copyOf(invocation: Invocation): Invocation {
  const { journal } = invocation;
  return {
    ...invocation,
    journal: { ...journal, openRuns: new Set(journal.openRuns), signals: new Set(journal.signals) },
  };
}

const keyOf = (id: Uint8Array): string => id.join(",");

class MemoryReader implements Reader {
  protected readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
  }

  registry(): Registry {
    return this.tables.registry;
  }

  invocation(seq: number): Invocation | undefined {
    return this.tables.invocations.get(seq);
  }

  findInvocation(id: Uint8Array): Invocation | undefined {
    const seq = this.tables.seqById.get(keyOf(id));
    return seq === undefined ? undefined : this.invocation(seq);
  }

  entries(seq: number, from: number, to: number): Entry[] {
    return (this.tables.journals.get(seq) ?? []).slice(from, to);
  }

  nextDueMs(): number | undefined {
    return this.tables.timers[0]?.dueMs;
  }

  running(afterSeq: number, limit: number): Invocation[] {
    const found: Invocation[] = [];
    for (const seq of this.tables.invocations.keys()) {
      if (found.length === limit) break;
      const invocation = seq > afterSeq ? this.invocation(seq) : undefined;
      if (invocation?.state.status === "running") found.push(invocation);
    }
    return found;
  }
}

class MemoryTransactor extends MemoryReader implements Transactor {
  /** The invocations handed out in this transaction: one object each. */
  readonly #mine = new Set<Invocation>();

  override invocation(seq: number): Invocation | undefined {
    const found = super.invocation(seq);
    if (found === undefined || this.#mine.has(found)) return found;
    return this.#own(copyOf(found));
  }

  #own(invocation: Invocation): Invocation {
    this.#mine.add(invocation);
    this.tables.invocations.set(invocation.seq, invocation);
    return invocation;
  }

  insertInvocation(made: NewInvocation): Invocation {
    const { seqById } = this.tables;
    assert(!seqById.has(keyOf(made.id)), "an invocation id is used once");
    const seq = this.tables.nextSeq++;
    seqById.set(keyOf(made.id), seq);
    return this.#own({
      ...made,
      seq,
      modifiedAtMs: made.createdAtMs,
      epoch: 0,
      pin: null,
      retryCount: 0,
      retryCountSinceLastStoredEntry: 0,
      lastFailure: null,
      journal: emptySummary(),
    });
  }

  save(invocation: Invocation): void {
    assert(this.#mine.has(invocation), "an invocation is saved in the transaction that read it");
  }

  append(invocation: Invocation, type: number, body: Uint8Array): number {
    const { seq, journal } = invocation;
    const index = journal.length;
    // As from disk: what a caller does with its bytes later changes nothing here.
    const entry = { index, type, body: body.slice() };
    this.tables.journals.set(seq, [...(this.tables.journals.get(seq) ?? []), entry]);
    foldEntry(journal, type, needsBody(type) ? body : EMPTY);
    return index;
  }

  deleteInvocation(seq: number): void {
    const invocation = present(this.invocation(seq), `invocation ${seq}`);
    this.tables.invocations.delete(seq);
    this.tables.seqById.delete(keyOf(invocation.id));
    this.tables.journals.delete(seq);
    this.tables.listeners.delete(seq);
  }

  addTimer(timer: Timer): void {
    const { timers } = this.tables;
    const later = timers.findIndex((other) => other.dueMs > timer.dueMs);
    this.tables.timers = timers.toSpliced(later < 0 ? timers.length : later, 0, timer);
  }

  takeDueTimers(nowMs: number, limit: number): Timer[] {
    const { timers } = this.tables;
    const later = timers.findIndex((timer) => timer.dueMs > nowMs);
    const count = Math.min(later < 0 ? timers.length : later, limit);
    this.tables.timers = timers.slice(count);
    return timers.slice(0, count);
  }

  addListener(seq: number, listener: Listener): void {
    this.tables.listeners.set(seq, [...(this.tables.listeners.get(seq) ?? []), listener]);
  }

  takeListeners(seq: number): Listener[] {
    const found = this.tables.listeners.get(seq) ?? [];
    this.tables.listeners.delete(seq);
    return [...found];
  }

  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    const next = withDeployment(this.tables.registry, deployment);
    assert(next.revisions.length === revisions.length, "one revision a service");
    this.tables.registry = next.registry;
  }
}

const EMPTY = new Uint8Array();

export class MemoryStore implements Store {
  #tables = emptyTables();
  #open = false;

  transact<T>(fn: (tx: Transactor) => T): T {
    assert(!this.#open, "transactions do not nest");
    this.#open = true;
    try {
      const tables = copyTables(this.#tables);
      const value = fn(new MemoryTransactor(tables));
      assert(!(value instanceof Promise), "a transaction is synchronous");
      this.#tables = tables;
      return value;
    } finally {
      this.#open = false;
    }
  }

  read<T>(fn: (reader: Reader) => T): T {
    return fn(new MemoryReader(this.#tables));
  }

  barrier(done: (error: Error | null) => void): void {
    queueMicrotask(() => done(null));
  }

  close(): void {
    this.#tables = emptyTables();
  }
}

function copyTables(tables: Tables): Tables {
  return {
    ...tables,
    invocations: new Map(tables.invocations),
    seqById: new Map(tables.seqById),
    journals: new Map(tables.journals),
    listeners: new Map(tables.listeners),
  };
}
