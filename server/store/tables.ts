/** The prepared statements of a connection, table by table. */
import type { Database } from "better-sqlite3";
import type { Blobs } from "./blobs.ts";
import { EventRows } from "./event-rows.ts";
import { InvocationRows } from "./invocation-rows.ts";
import { JournalRows } from "./journal-rows.ts";
import { PromiseRows } from "./promise-rows.ts";
import { LockRows, QueueRows } from "./queue-rows.ts";
import { RegistryRows } from "./registry-rows.ts";
import { SeqRows } from "./seq-rows.ts";
import { StateRows } from "./state-rows.ts";
import { ListenerRows, TimerRows } from "./timer-rows.ts";

export interface Tables {
  readonly invocations: InvocationRows;
  readonly journal: JournalRows;
  readonly events: EventRows;
  readonly timers: TimerRows;
  readonly listeners: ListenerRows;
  readonly state: StateRows;
  readonly locks: LockRows;
  readonly queue: QueueRows;
  readonly promises: PromiseRows;
  readonly registry: RegistryRows;
  readonly seqs: SeqRows;
  readonly blobs: Blobs;
}

export function prepareTables(db: Database, blobs: Blobs): Tables {
  return {
    invocations: new InvocationRows(db),
    journal: new JournalRows(db, blobs),
    events: new EventRows(db),
    timers: new TimerRows(db),
    listeners: new ListenerRows(db),
    state: new StateRows(db, blobs),
    locks: new LockRows(db),
    queue: new QueueRows(db, blobs),
    promises: new PromiseRows(db, blobs),
    registry: new RegistryRows(db),
    seqs: new SeqRows(db),
    blobs,
  };
}
