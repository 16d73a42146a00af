/** Reads what the store over Maps holds. */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { emptySummary, type Entry, foldEntry, type JournalSummary } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Instance, Invocation } from "../machine/invocation.ts";
import type { Registry } from "../machine/registry.ts";
import type { Reader, StateSnapshot } from "../machine/tx.ts";
import { bytesKey, instanceKey, type MemoryTables } from "./memory-tables.ts";
import { countWithin } from "./state-rows.ts";
import { type InvocationFields, StoredInvocation } from "./stored-invocation.ts";

export class MemoryReader implements Reader {
  readonly #tables: MemoryTables;

  constructor(tables: MemoryTables) {
    this.#tables = tables;
  }

  /** Throws when this is not the time to read. */
  protected tables(): MemoryTables {
    return this.#tables;
  }

  protected load(seq: number): StoredInvocation | undefined {
    const fields = this.#tables.invocations.get(seq);
    return fields === undefined ? undefined : new StoredInvocation(fields, this.#summarize);
  }

  readonly #summarize = (seq: number): JournalSummary => {
    const summary = emptySummary();
    for (const { index, type, body } of this.#tables.journals.get(seq) ?? []) {
      // Of a purged journal the entries before the one that is left are missing.
      summary.length = index;
      foldEntry(summary, type, body);
    }
    return summary;
  };

  registry(): Registry {
    return this.tables().registry;
  }

  invocation(seq: number): Invocation | undefined {
    return this.load(seq);
  }

  findInvocation(id: Uint8Array): Invocation | undefined {
    const seq = this.tables().seqById.get(bytesKey(id));
    return seq === undefined ? undefined : this.invocation(seq);
  }

  running(afterSeq: number, limit: number): Invocation[] {
    const seqs: number[] = [];
    for (const { seq, state } of this.tables().invocations.values()) {
      if (state.status === "running" && seq > afterSeq) seqs.push(seq);
    }
    return seqs
      .toSorted((a, b) => a - b)
      .slice(0, limit)
      .flatMap((seq) => this.invocation(seq) ?? []);
  }

  isPinned(deploymentId: string): boolean {
    const isBound = ({ pin, state }: InvocationFields): boolean =>
      pin?.deploymentId === deploymentId && state.status !== "completed";
    return [...this.tables().invocations.values()].some(isBound);
  }

  entries(seq: number, from: number, to: number): Entry[] {
    const entries = this.tables().journals.get(seq) ?? [];
    // Above 0 in a purged journal alone.
    const first = entries[0]?.index ?? 0;
    return entries.slice(Math.max(from - first, 0), Math.max(to - first, 0));
  }

  entriesOfType(seq: number, type: number): Entry[] {
    return (this.tables().journals.get(seq) ?? []).filter((entry) => entry.type === type);
  }

  events(seq: number): JournalEvent[] {
    return [...(this.tables().events.get(seq) ?? [])];
  }

  nextDueMs(): number | undefined {
    return this.tables().timers[0]?.dueMs;
  }

  state(instance: Instance, bytesMax: number): StateSnapshot {
    const all = [...(this.tables().states.get(instanceKey(instance)) ?? [])];
    const inOrder = all.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
    const sizes = inOrder.map(({ key, value }) => key.length + value.length);
    const entries = inOrder.slice(0, countWithin(sizes, bytesMax));
    return { entries, isComplete: entries.length === inOrder.length };
  }

  stateValue(instance: Instance, name: Uint8Array): Uint8Array | undefined {
    return this.tables().states.get(instanceKey(instance))?.get(bytesKey(name))?.value;
  }

  stateNames(instance: Instance): Uint8Array[] {
    return this.state(instance, Number.POSITIVE_INFINITY).entries.map(({ key }) => key);
  }

  lockHolder(instance: Instance): number | undefined {
    return this.tables().locks.get(instanceKey(instance));
  }

  queue(instance: Instance, limit: number): number[] {
    const wanted = instanceKey(instance);
    return this.tables()
      .queue.flatMap((queued) => {
        const isWanted = queued.instance === wanted && queued.item.kind === "invocation";
        return isWanted ? [queued.item.seq] : [];
      })
      .slice(0, limit);
  }

  promise(instance: Instance, name: string): Outcome | undefined {
    return this.tables().promises.get(instanceKey(instance))?.get(name);
  }
}
