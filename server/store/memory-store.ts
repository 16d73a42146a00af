/**
 * The store over Maps: for tests and the simulation. It keeps to the letter of what the SQLite store does, also where that is
 * unforgiving: an invocation that was changed and not saved is found unchanged, and bytes given to it are copied.
 *
 * Nothing is durable; a barrier passes at once. Each change notes how to undo it, so that a rollback costs what was done.
 */
import { assert } from "../base/assert.ts";
import { emptySummary, type Entry, foldEntry } from "../journal/summary.ts";
import type { Invocation, NewInvocation } from "../machine/invocation.ts";
import {
  type Deployment,
  EMPTY_REGISTRY,
  type Registry,
  type ServiceRevision,
} from "../machine/registry.ts";
import type { Listener, Reader, Timer, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { ID_BYTES, PARTITION_KEY_BYTES } from "./invocation-row.ts";
import { isPromiseLike } from "./promise-like.ts";
import { registryWith } from "./registry-with.ts";
import { firstFields, type InvocationFields } from "./stored-invocation.ts";
import { TIMER_KINDS } from "./timer-rows.ts";

interface Tables {
  readonly invocations: Map<number, InvocationFields>;
  readonly seqByUuid: Map<string, number>;
  readonly journals: Map<number, Entry[]>;
  /** Of each invocation, in key order. */
  readonly listeners: Map<number, readonly Listener[]>;
  /** In key order: due time, seq, kind, argument. */
  timers: readonly Timer[];
  registry: Registry;
  nextSeq: number;
}

function emptyTables(): Tables {
  return {
    invocations: new Map(),
    seqByUuid: new Map(),
    journals: new Map(),
    listeners: new Map(),
    timers: [],
    registry: EMPTY_REGISTRY,
    nextSeq: 1,
  };
}

const uuidOf = (id: Uint8Array): string =>
  Buffer.from(id.subarray(PARTITION_KEY_BYTES)).toString("latin1");

const order = (a: readonly number[], b: readonly number[]): number => {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
};

const timerKey = ({ dueMs, seq, kind, arg }: Timer): number[] => [
  dueMs,
  seq,
  TIMER_KINDS.indexOf(kind),
  arg,
];

const listenerKey = ({ callerSeq, completionId }: Listener): number[] => [callerSeq, completionId];

/** `items` with `item` at its place; as they are when one with its key is there. */
function withItem<T>(items: readonly T[], item: T, keyOf: (item: T) => number[]): readonly T[] {
  const key = keyOf(item);
  const at = items.findIndex((other) => order(keyOf(other), key) >= 0);
  const next = items[at];
  if (next === undefined) return [...items, item];
  return order(keyOf(next), key) === 0 ? items : items.toSpliced(at, 0, item);
}

class MemoryReader implements Reader {
  protected readonly tables: Tables;

  constructor(tables: Tables) {
    this.tables = tables;
  }

  registry(): Registry {
    return this.tables.registry;
  }

  invocation(seq: number): Invocation | undefined {
    const fields = this.tables.invocations.get(seq);
    if (fields === undefined) return undefined;
    const journal = emptySummary();
    for (const { type, body } of this.tables.journals.get(seq) ?? []) {
      foldEntry(journal, type, body);
    }
    return { ...fields, journal };
  }

  findInvocation(id: Uint8Array): Invocation | undefined {
    const seq = this.tables.seqByUuid.get(uuidOf(id));
    const found = seq === undefined ? undefined : this.invocation(seq);
    return found !== undefined && Buffer.from(id).equals(found.id) ? found : undefined;
  }

  entries(seq: number, from: number, to: number): Entry[] {
    return (this.tables.journals.get(seq) ?? []).slice(from, to);
  }

  nextDueMs(): number | undefined {
    return this.tables.timers[0]?.dueMs;
  }

  running(afterSeq: number, limit: number): Invocation[] {
    const seqs: number[] = [];
    for (const { seq, state } of this.tables.invocations.values()) {
      if (state.status === "running" && seq > afterSeq) seqs.push(seq);
    }
    return seqs
      .toSorted((a, b) => a - b)
      .slice(0, limit)
      .flatMap((seq) => this.invocation(seq) ?? []);
  }
}

class MemoryTransactor extends MemoryReader implements Transactor {
  /** The invocations handed out in this transaction: one object each. */
  readonly #mine = new Map<number, Invocation>();
  readonly #saved = new Set<Invocation>();
  readonly #undo: (() => void)[] = [];
  #active = true;

  commit(): void {
    this.#flush();
    this.#active = false;
  }

  rollback(): void {
    for (const undo of this.#undo.toReversed()) undo();
    this.#active = false;
  }

  #flush(): void {
    for (const invocation of this.#saved) {
      const { journal: _, ...fields } = invocation;
      this.#set(this.tables.invocations, invocation.seq, fields);
    }
    this.#saved.clear();
  }

  #set<K, V>(map: Map<K, V>, key: K, value: V): void {
    this.#noteEntry(map, key);
    map.set(key, value);
  }

  #delete<K, V>(map: Map<K, V>, key: K): void {
    this.#noteEntry(map, key);
    map.delete(key);
  }

  #noteEntry<K, V>(map: Map<K, V>, key: K): void {
    this.#assertActive();
    const before = map.get(key);
    this.#undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
  }

  #setField<K extends "timers" | "registry" | "nextSeq">(field: K, value: Tables[K]): void {
    this.#assertActive();
    const { tables } = this;
    const before = tables[field];
    this.#undo.push(() => {
      tables[field] = before;
    });
    tables[field] = value;
  }

  #assertActive(): void {
    assert(this.#active, "a transactor ends with its transaction");
  }

  #assertCurrent(invocation: Invocation): void {
    const current = this.#mine.get(invocation.seq) === invocation;
    assert(current, `invocation ${invocation.seq} is changed in the transaction that read it`);
  }

  override invocation(seq: number): Invocation | undefined {
    this.#assertActive();
    const mine = this.#mine.get(seq);
    if (mine !== undefined) return mine;
    const loaded = super.invocation(seq);
    if (loaded !== undefined) this.#mine.set(seq, loaded);
    return loaded;
  }

  override running(afterSeq: number, limit: number): Invocation[] {
    this.#flush();
    return super.running(afterSeq, limit);
  }

  insertInvocation(made: NewInvocation): Invocation {
    const { seqByUuid, invocations, nextSeq: seq } = this.tables;
    assert(made.id.length === ID_BYTES, `an invocation id has ${ID_BYTES} bytes`);
    assert(!seqByUuid.has(uuidOf(made.id)), "an invocation id is used once");
    const fields = firstFields(seq, made);
    this.#setField("nextSeq", seq + 1);
    this.#set(seqByUuid, uuidOf(fields.id), seq);
    this.#set(invocations, seq, fields);
    const invocation = { ...fields, journal: emptySummary() };
    this.#mine.set(seq, invocation);
    return invocation;
  }

  save(invocation: Invocation): void {
    this.#assertActive();
    this.#assertCurrent(invocation);
    this.#saved.add(invocation);
  }

  append(invocation: Invocation, type: number, body: Uint8Array): number {
    this.#assertActive();
    this.#assertCurrent(invocation);
    const { journals } = this.tables;
    const { seq, journal } = invocation;
    const { length: index } = journal;
    foldEntry(journal, type, body);
    const entries = journals.get(seq) ?? [];
    if (index === 0) this.#set(journals, seq, entries);
    entries.push({ index, type, body: Uint8Array.from(body) });
    this.#undo.push(() => void entries.pop());
    return index;
  }

  deleteInvocation(seq: number): void {
    const { invocations, seqByUuid, journals, listeners } = this.tables;
    const mine = this.#mine.get(seq);
    if (mine !== undefined) this.#saved.delete(mine);
    this.#mine.delete(seq);
    const fields = invocations.get(seq);
    if (fields !== undefined) this.#delete(seqByUuid, uuidOf(fields.id));
    this.#delete(invocations, seq);
    this.#delete(journals, seq);
    this.#delete(listeners, seq);
  }

  addTimer(timer: Timer): void {
    this.#setField("timers", withItem(this.tables.timers, timer, timerKey));
  }

  takeDueTimers(nowMs: number, limit: number): Timer[] {
    const { timers } = this.tables;
    const later = timers.findIndex((timer) => timer.dueMs > nowMs);
    const count = Math.min(later < 0 ? timers.length : later, limit);
    this.#setField("timers", timers.slice(count));
    return timers.slice(0, count);
  }

  addListener(seq: number, listener: Listener): void {
    const { listeners } = this.tables;
    this.#set(listeners, seq, withItem(listeners.get(seq) ?? [], listener, listenerKey));
  }

  takeListeners(seq: number): Listener[] {
    const found = this.tables.listeners.get(seq) ?? [];
    this.#delete(this.tables.listeners, seq);
    return [...found];
  }

  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    this.#setField("registry", registryWith(this.tables.registry, deployment, revisions));
  }
}

export class MemoryStore implements Store {
  readonly #tables = emptyTables();
  #inTransaction = false;
  #closed = false;

  /** Nothing is ever checkpointed here. */
  readonly commitGate: Promise<void> | null = null;

  transact<T>(fn: (tx: Transactor) => T): T {
    this.#assertUsable();
    this.#inTransaction = true;
    const tx = new MemoryTransactor(this.#tables);
    try {
      const value = fn(tx);
      assert(!isPromiseLike(value), "a transaction is synchronous");
      tx.commit();
      return value;
    } catch (error) {
      tx.rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  read<T>(fn: (reader: Reader) => T): T {
    this.#assertUsable();
    return fn(new MemoryReader(this.#tables));
  }

  barrier(done: (error: Error | null) => void): void {
    assert(!this.#closed, "the store is closed");
    queueMicrotask(() => done(null));
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #assertUsable(): void {
    assert(!this.#closed, "the store is closed");
    assert(!this.#inTransaction, "a transaction neither nests nor is read around");
  }
}
