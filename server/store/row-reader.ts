/** What the readers of the SQLite store have in common: the rows as they stand. */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { Entry } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Instance, Invocation } from "../machine/invocation.ts";
import type { Registry } from "../machine/registry.ts";
import type { Reader, StateSnapshot } from "../machine/tx.ts";
import type { Tables } from "./tables.ts";

export abstract class RowReader implements Reader {
  /** The tables, for reading; throws when this is not the time. */
  protected abstract rows(): Tables;
  abstract registry(): Registry;
  abstract invocation(seq: number): Invocation | undefined;

  findInvocation(id: Uint8Array): Invocation | undefined {
    const seq = this.rows().invocations.find(id);
    return seq === undefined ? undefined : this.invocation(seq);
  }

  running(afterSeq: number, limit: number): Invocation[] {
    const seqs = this.rows().invocations.running(afterSeq, limit);
    return seqs.flatMap((seq) => this.invocation(seq) ?? []);
  }

  isPinned(deploymentId: string): boolean {
    return this.rows().invocations.isPinned(deploymentId);
  }

  entries(seq: number, from: number, to: number): Entry[] {
    return this.rows().journal.range(seq, from, to);
  }

  entriesOfType(seq: number, type: number): Entry[] {
    return this.rows().journal.ofType(seq, type);
  }

  events(seq: number): JournalEvent[] {
    return this.rows().events.of(seq);
  }

  nextDueMs(): number | undefined {
    return this.rows().timers.nextDueMs();
  }

  state(instance: Instance, bytesMax: number): StateSnapshot {
    return this.rows().state.snapshot(instance, bytesMax);
  }

  stateValue(instance: Instance, name: Uint8Array): Uint8Array | undefined {
    return this.rows().state.value(instance, name);
  }

  stateNames(instance: Instance): Uint8Array[] {
    return this.rows().state.names(instance);
  }

  lockHolder(instance: Instance): number | undefined {
    return this.rows().locks.holder(instance);
  }

  queue(instance: Instance, limit: number): number[] {
    return this.rows().queue.invocations(instance, limit);
  }

  promise(instance: Instance, name: string): Outcome | undefined {
    return this.rows().promises.outcome(instance, name);
  }
}

/** What a reader takes from elsewhere than the rows. */
interface CommittedSource {
  readonly tables: Tables;
  readonly registry: () => Registry;
  readonly invocation: (seq: number) => Invocation | undefined;
}

/** The state between transactions. */
export class CommittedState extends RowReader {
  readonly #source: CommittedSource;

  constructor(source: CommittedSource) {
    super();
    this.#source = source;
  }

  protected override rows(): Tables {
    return this.#source.tables;
  }

  override registry(): Registry {
    return this.#source.registry();
  }

  override invocation(seq: number): Invocation | undefined {
    return this.#source.invocation(seq);
  }
}
