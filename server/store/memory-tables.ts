/** What the store over Maps holds, and how a transaction's changes to it are undone. */
import type { Outcome, StateEntry } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Instance } from "../machine/invocation.ts";
import { EMPTY_REGISTRY, type Registry } from "../machine/registry.ts";
import type { Listener, PromiseListener, QueueItem, Timer } from "../machine/tx.ts";
import type { InvocationFields } from "./stored-invocation.ts";

interface Queued {
  readonly position: number;
  /** `instanceKey`. */
  readonly instance: string;
  readonly item: QueueItem;
}

/** Values are never changed in place, with one exception: entries are pushed to a journal. */
export interface MemoryTables {
  readonly invocations: Map<number, InvocationFields>;
  /** By `bytesKey` of the id. */
  readonly seqById: Map<string, number>;
  /** In order of index, without gaps. */
  readonly journals: Map<number, Entry[]>;
  readonly events: Map<number, readonly JournalEvent[]>;
  /** Of each invocation, in key order. */
  readonly listeners: Map<number, readonly Listener[]>;
  /** By `instanceKey`, as all that follow; inside by `bytesKey` of the name. */
  readonly states: Map<string, ReadonlyMap<string, StateEntry>>;
  readonly locks: Map<string, number>;
  /** Inside by name. */
  readonly promises: Map<string, ReadonlyMap<string, Outcome>>;
  readonly promiseListeners: Map<string, ReadonlyMap<string, readonly PromiseListener[]>>;
  /** In order of position. */
  queue: readonly Queued[];
  /** In key order: due time, seq, kind, argument. */
  timers: readonly Timer[];
  registry: Registry;
  nextSeq: number;
}

type Field = "queue" | "timers" | "registry" | "nextSeq";

export function emptyTables(): MemoryTables {
  return {
    invocations: new Map(),
    seqById: new Map(),
    journals: new Map(),
    events: new Map(),
    listeners: new Map(),
    states: new Map(),
    locks: new Map(),
    promises: new Map(),
    promiseListeners: new Map(),
    queue: [],
    timers: [],
    registry: EMPTY_REGISTRY,
    nextSeq: 1,
  };
}

export function instanceKey({ service, key }: Instance): string {
  return `${service.length}/${service}/${key}`;
}

/** Strings of equal order: a character a byte. */
export function bytesKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Changes tables and notes of each change how to undo it, so that a rollback costs what was done. */
export class Changes {
  readonly #tables: MemoryTables;
  readonly #undo: (() => void)[] = [];

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  set<K, V>(map: Map<K, V>, key: K, value: V): void {
    this.#noteEntry(map, key);
    map.set(key, value);
  }

  delete<K, V>(map: Map<K, V>, key: K): void {
    this.#noteEntry(map, key);
    map.delete(key);
  }

  setField<K extends Field>(field: K, value: MemoryTables[K]): void {
    const tables = this.#tables;
    const before = tables[field];
    this.#undo.push(() => {
      tables[field] = before;
    });
    tables[field] = value;
  }

  push<T>(items: T[], item: T): void {
    this.#undo.push(() => void items.pop());
    items.push(item);
  }

  undoAll(): void {
    for (const undo of this.#undo.toReversed()) undo();
  }

  #noteEntry<K, V>(map: Map<K, V>, key: K): void {
    const before = map.get(key);
    this.#undo.push(() => (before === undefined ? map.delete(key) : map.set(key, before)));
  }
}
