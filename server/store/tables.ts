/** The prepared statements of a connection, table by table. */
import type { Database } from "better-sqlite3";
import { DeploymentRows } from "./deployment-rows.ts";
import { InvocationRows } from "./invocation-rows.ts";
import { JournalRows } from "./journal-rows.ts";
import { SeqRows } from "./seq-rows.ts";
import { ListenerRows, TimerRows } from "./timer-rows.ts";

export interface Tables {
  readonly invocations: InvocationRows;
  readonly journal: JournalRows;
  readonly timers: TimerRows;
  readonly listeners: ListenerRows;
  readonly deployments: DeploymentRows;
  readonly seqs: SeqRows;
}

export function prepareTables(db: Database): Tables {
  return {
    invocations: new InvocationRows(db),
    journal: new JournalRows(db),
    timers: new TimerRows(db),
    listeners: new ListenerRows(db),
    deployments: new DeploymentRows(db),
    seqs: new SeqRows(db),
  };
}
