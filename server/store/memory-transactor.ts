/** One transaction of the store over Maps. */
import type { Outcome, StateEntry } from "../../sdk/protocol/messages.ts";
import { assert } from "../base/assert.ts";
import { emptySummary, foldEntry } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Instance, Invocation, NewInvocation } from "../machine/invocation.ts";
import {
  type Deployment,
  makeRegistry,
  type ServiceOverrides,
  type ServiceRevision,
  withoutDeployment,
  withRows,
} from "../machine/registry.ts";
import type { Listener, PromiseListener, QueueItem, Timer, Transactor } from "../machine/tx.ts";
import { MemoryReader } from "./memory-reader.ts";
import { bytesKey, Changes, instanceKey, type MemoryTables } from "./memory-tables.ts";
import { firstFields, type InvocationFields, StoredInvocation } from "./stored-invocation.ts";
import { TIMER_KINDS } from "./timer-rows.ts";

export class MemoryTransactor extends MemoryReader implements Transactor {
  /** The invocations handed out in this transaction: one object each. */
  readonly #mine = new Map<number, StoredInvocation>();
  readonly #saved = new Set<StoredInvocation>();
  readonly #changes: Changes;
  #active = true;

  constructor(tables: MemoryTables) {
    super(tables);
    this.#changes = new Changes(tables);
  }

  commit(): void {
    this.#flush();
    this.#active = false;
  }

  rollback(): void {
    this.#changes.undoAll();
    this.#active = false;
  }

  #flush(): void {
    const { invocations } = this.tables();
    for (const invocation of this.#saved) {
      const fields: InvocationFields = Object.assign({}, invocation);
      this.#changes.set(invocations, invocation.seq, fields);
    }
    this.#saved.clear();
  }

  protected override tables(): MemoryTables {
    assert(this.#active, "a transactor ends with its transaction");
    return super.tables();
  }

  #current(invocation: Invocation): StoredInvocation {
    const current = this.#mine.get(invocation.seq);
    assert(
      current !== undefined && current === invocation,
      `invocation ${invocation.seq} is changed in the transaction that read it`,
    );
    return current;
  }

  // ---- invocations and journals ------------------------------------------------------------------

  override invocation(seq: number): Invocation | undefined {
    this.tables();
    const mine = this.#mine.get(seq);
    if (mine !== undefined) return mine;
    const loaded = this.load(seq);
    if (loaded !== undefined) this.#mine.set(seq, loaded);
    return loaded;
  }

  override running(afterSeq: number, limit: number): Invocation[] {
    this.#flush();
    return super.running(afterSeq, limit);
  }

  override isPinned(deploymentId: string): boolean {
    this.#flush();
    return super.isPinned(deploymentId);
  }

  insertInvocation(made: NewInvocation): Invocation {
    const { seqById, invocations, nextSeq: seq } = this.tables();
    const fields = firstFields(seq, made);
    const id = bytesKey(fields.id);
    assert(!seqById.has(id), "an invocation id is used once");
    this.#changes.setField("nextSeq", seq + 1);
    this.#changes.set(seqById, id, seq);
    this.#changes.set(invocations, seq, fields);
    const invocation = new StoredInvocation(fields, emptySummary);
    this.#mine.set(seq, invocation);
    return invocation;
  }

  save(invocation: Invocation): void {
    this.tables();
    this.#saved.add(this.#current(invocation));
  }

  append(invocation: Invocation, type: number, body: Uint8Array, nowMs: number): number {
    const { journals } = this.tables();
    const { seq, journal } = this.#current(invocation);
    const { length: index } = journal;
    foldEntry(journal, type, body);
    const entries = journals.get(seq) ?? [];
    if (index === 0) this.#changes.set(journals, seq, entries);
    this.#changes.push(entries, { index, type, body: Uint8Array.from(body), atMs: nowMs });
    return index;
  }

  purgeJournal(seq: number, keepIndex: number): void {
    const { journals } = this.tables();
    const kept = this.entries(seq, keepIndex, keepIndex + 1);
    this.#changes.set(journals, seq, kept);
  }

  deleteInvocation(seq: number): void {
    const { invocations, seqById, journals, events, listeners } = this.tables();
    const mine = this.#mine.get(seq);
    if (mine !== undefined) this.#saved.delete(mine);
    this.#mine.delete(seq);
    const fields = invocations.get(seq);
    if (fields !== undefined) this.#changes.delete(seqById, bytesKey(fields.id));
    this.#changes.delete(invocations, seq);
    this.#changes.delete(journals, seq);
    this.#changes.delete(events, seq);
    this.#changes.delete(listeners, seq);
  }

  addEvent(seq: number, event: JournalEvent): void {
    const { events } = this.tables();
    this.#changes.set(events, seq, [...(events.get(seq) ?? []), event]);
  }

  // ---- timers and listeners ----------------------------------------------------------------------

  addTimer(timer: Timer): void {
    this.#changes.setField("timers", withItem(this.tables().timers, timer, timerKey));
  }

  takeDueTimers(nowMs: number, limit: number): Timer[] {
    const { timers } = this.tables();
    const later = timers.findIndex((timer) => timer.dueMs > nowMs);
    const count = Math.min(later < 0 ? timers.length : later, limit);
    this.#changes.setField("timers", timers.slice(count));
    return timers.slice(0, count);
  }

  addListener(seq: number, listener: Listener): void {
    const { listeners } = this.tables();
    this.#changes.set(listeners, seq, withItem(listeners.get(seq) ?? [], listener, listenerKey));
  }

  takeListeners(seq: number): Listener[] {
    const { listeners } = this.tables();
    const found = listeners.get(seq) ?? [];
    this.#changes.delete(listeners, seq);
    return [...found];
  }

  // ---- instances ---------------------------------------------------------------------------------

  setState(instance: Instance, name: Uint8Array, value: Uint8Array): void {
    const entry = entryOf({ key: name, value });
    this.#changeState(instance, (state) => state.set(bytesKey(name), entry));
  }

  clearState(instance: Instance, name: Uint8Array): void {
    this.#changeState(instance, (state) => state.delete(bytesKey(name)));
  }

  clearAllState(instance: Instance): void {
    this.#changes.delete(this.tables().states, instanceKey(instance));
  }

  #changeState(instance: Instance, change: (state: Map<string, StateEntry>) => void): void {
    const { states } = this.tables();
    const key = instanceKey(instance);
    const state = new Map(states.get(key));
    change(state);
    this.#changes.set(states, key, state);
  }

  lock(instance: Instance, seq: number): boolean {
    const { locks } = this.tables();
    const key = instanceKey(instance);
    if (locks.has(key)) return false;
    this.#changes.set(locks, key, seq);
    return true;
  }

  unlock(instance: Instance): void {
    this.#changes.delete(this.tables().locks, instanceKey(instance));
  }

  enqueue(instance: Instance, item: QueueItem): number {
    const { queue } = this.tables();
    const position = (queue.at(-1)?.position ?? 0) + 1;
    const queued = { position, instance: instanceKey(instance), item: itemOf(item) };
    this.#changes.setField("queue", [...queue, queued]);
    return position;
  }

  dequeue(instance: Instance): QueueItem | undefined {
    const wanted = instanceKey(instance);
    const first = this.tables().queue.find((queued) => queued.instance === wanted);
    if (first !== undefined) this.removeQueued(first.position);
    return first?.item;
  }

  removeQueued(position: number): void {
    const { queue } = this.tables();
    this.#changes.setField(
      "queue",
      queue.filter((queued) => queued.position !== position),
    );
  }

  completePromise(instance: Instance, name: string, outcome: Outcome): void {
    const { promises } = this.tables();
    const key = instanceKey(instance);
    const completed = new Map(promises.get(key));
    assert(!completed.has(name), "a promise is completed once");
    this.#changes.set(promises, key, completed.set(name, outcomeOf(outcome)));
  }

  addPromiseListener(instance: Instance, name: string, listener: PromiseListener): void {
    const { promiseListeners } = this.tables();
    const key = instanceKey(instance);
    const all = new Map(promiseListeners.get(key));
    all.set(name, withItem(all.get(name) ?? [], listener, promiseListenerKey));
    this.#changes.set(promiseListeners, key, all);
  }

  takePromiseListeners(instance: Instance, name: string): PromiseListener[] {
    const { promiseListeners } = this.tables();
    const key = instanceKey(instance);
    const all = new Map(promiseListeners.get(key));
    const found = all.get(name) ?? [];
    all.delete(name);
    this.#changes.set(promiseListeners, key, all);
    return [...found];
  }

  clearPromises(instance: Instance): void {
    const { promises, promiseListeners, invocations } = this.tables();
    this.#flush();
    const key = instanceKey(instance);
    this.#changes.delete(promises, key);
    const isOver = ({ seq }: PromiseListener): boolean =>
      (invocations.get(seq)?.state.status ?? "completed") === "completed";
    const left = new Map<string, readonly PromiseListener[]>();
    for (const [name, listeners] of promiseListeners.get(key) ?? []) {
      left.set(
        name,
        listeners.filter((each) => !isOver(each)),
      );
    }
    this.#changes.set(promiseListeners, key, left);
  }

  // ---- registry ----------------------------------------------------------------------------------

  putDeployment(deployment: Deployment, revisions: readonly ServiceRevision[]): void {
    const { registry } = this.tables();
    this.#changes.setField("registry", withRows(registry, deployment, revisions));
  }

  deleteDeployment(id: string): void {
    this.#changes.setField("registry", withoutDeployment(this.tables().registry, id));
  }

  putOverrides(service: string, overrides: ServiceOverrides): void {
    const { registry } = this.tables();
    const all = new Map(registry.overrides).set(service, overrides);
    this.#changes.setField("registry", makeRegistry({ ...registry, overrides: all }));
  }
}

// ---- keys, as the primary keys of the tables are ---------------------------------------------------

const timerKey = ({ dueMs, seq, kind, arg }: Timer): number[] => [
  dueMs,
  seq,
  TIMER_KINDS.indexOf(kind),
  arg,
];

const listenerKey = ({ callerSeq, completionId }: Listener): number[] => [callerSeq, completionId];

const promiseListenerKey = ({ seq, completionId }: PromiseListener): number[] => [
  seq,
  completionId,
];

function order(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** `items` with `item` at its place; as they are when one with its key is there. */
function withItem<T>(items: readonly T[], item: T, keyOf: (item: T) => number[]): readonly T[] {
  const key = keyOf(item);
  const at = items.findIndex((other) => order(keyOf(other), key) >= 0);
  const next = items[at];
  if (next === undefined) return [...items, item];
  return order(keyOf(next), key) === 0 ? items : items.toSpliced(at, 0, item);
}

// ---- copies: the bytes given may change later --------------------------------------------------------

function entryOf({ key, value }: StateEntry): StateEntry {
  return { key: Uint8Array.from(key), value: Uint8Array.from(value) };
}

function itemOf(item: QueueItem): QueueItem {
  if (item.kind === "invocation") return item;
  const { version, entries } = item.mutation;
  return { kind: "mutation", mutation: { version, entries: entries.map(entryOf) } };
}

function outcomeOf(outcome: Outcome): Outcome {
  if (outcome.kind === "failure") return outcome;
  return { kind: "value", value: Uint8Array.from(outcome.value) };
}
