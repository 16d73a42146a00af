/** Journals read from outside, with SQL alone: what is known of each order, whether a step was repeated, whether two are the same. */
import { createHash } from "node:crypto";
import Database from "better-sqlite3";
import { decodeMessage } from "../../../sdk/protocol/codec.ts";
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import { type Execution, orderIdsOf, type Step } from "../audit.ts";
import type { Ledger, OrderState } from "./ledger.ts";

interface OrderRow {
  readonly body: Buffer;
  readonly paid: number;
  readonly done: number;
}

/** Every order that a journal knows; a server may be running on it. */
export function ordersOf(data: string): Map<string, OrderState> {
  const db = new Database(`${data}/holdfast.db`, { readonly: true });
  try {
    const rows = db
      .prepare<[number, number, number], OrderRow>(
        `SELECT input.body,
                EXISTS (SELECT 1 FROM journal WHERE invocation = seq AND type = ?) AS paid,
                EXISTS (SELECT 1 FROM journal WHERE invocation = seq AND type = ?) AS done
         FROM invocation JOIN journal AS input ON input.invocation = seq AND input.idx = 0
         WHERE service = 'Checkout' AND input.type = ?`,
      )
      .all(MessageType.Signal, MessageType.OutputCommand, MessageType.InputCommand);
    return new Map(rows.map(stateOf));
  } finally {
    db.close();
  }
}

function stateOf({ body, paid, done }: OrderRow): [string, OrderState] {
  const input = decodeMessage(MessageType.InputCommand, body);
  if (input.type !== MessageType.InputCommand) throw new Error("no input");
  const { orderId } = JSON.parse(new TextDecoder().decode(input.value)) as { orderId: string };
  return [orderId, { isPaid: paid === 1, isDone: done === 1 }];
}

/** A digest of each table's rows. Throws where the database is not sound. */
export function digestsOf(data: string): Map<string, string> {
  const db = new Database(`${data}/holdfast.db`, { readonly: true });
  try {
    const sound = db.pragma("integrity_check", { simple: true });
    if (sound !== "ok") throw new Error(`${data} is damaged: ${String(sound)}`);
    const tables = db
      .prepare<[], { name: string }>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .all();
    return new Map(tables.map(({ name }) => [name, digestOf(db, name)]));
  } finally {
    db.close();
  }
}

function digestOf(db: Database.Database, table: string): string {
  const hash = createHash("sha256");
  for (const row of db.prepare<[], unknown[]>(`SELECT * FROM "${table}"`).raw().iterate()) {
    for (const value of row) {
      const bytes = Buffer.isBuffer(value) ? value : Buffer.from(String(value));
      hash.update(`${typeof value} ${bytes.length} `).update(bytes);
    }
  }
  return hash.digest("hex");
}

/** While a server that has lost its place has not found out yet, what it had under way may still reach an endpoint. */
export interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Steps that were executed after their result had been recorded, in the journal as it is in the end. */
export function repeatedSteps(
  data: string,
  steps: readonly Step[],
  executions: readonly Execution[],
  excused: readonly Period[],
): string[] {
  const orders = orderIdsOf(data);
  const byStep = new Map<string, Execution[]>();
  for (const each of executions) {
    const key = `${each.orderId} ${each.kind}`;
    byStep.set(key, [...(byStep.get(key) ?? []), each]);
  }
  return steps.flatMap(({ invocation, name, results, recordedAtMs }) => {
    const what = `${orders.get(invocation)} ${name.replace(" ", "-")}`;
    if (results !== 1) return [`${what} has ${results} recorded results`];
    const mine = byStep.get(what) ?? [];
    if (mine.length === 0) return [`${what} was never executed`];
    return mine
      .filter(({ atMs }) => atMs > (recordedAtMs ?? 0) && !isIn(excused, atMs))
      .map(({ atMs }) => `${what} ran again, ${atMs - (recordedAtMs ?? 0)} ms after its record`);
  });
}

const RANKS = ["reserve", "create-order", "mark-paid", "dispatch", "complete"];

export interface Repeat {
  readonly orderId: string;
  readonly kind: string;
  /** When it was certain that its result had been recorded. */
  readonly provenAtMs: number;
  readonly againAtMs: number;
}

/**
 * A step follows another only when the server has said that the other is recorded. So whatever runs after a later step of its order
 * did, was recorded and runs again. This asks the shop and the callers only, no journal.
 */
export function provenRepeats(executions: readonly Execution[], ledger: Ledger): Repeat[] {
  const found: Repeat[] = [];
  const byOrder = new Map<string, Execution[]>();
  for (const each of executions) {
    byOrder.set(each.orderId, [...(byOrder.get(each.orderId) ?? []), each]);
  }
  for (const [orderId, mine] of byOrder) {
    for (const [index, { kind, atMs }] of mine.entries()) {
      const before = mine.slice(0, index).find((each) => rankOf(each.kind) > rankOf(kind));
      const doneAtMs = ledger.acknowledgedAtMs(orderId, "done") ?? Number.POSITIVE_INFINITY;
      const provenAtMs = Math.min(before?.atMs ?? Number.POSITIVE_INFINITY, doneAtMs);
      if (provenAtMs < atMs) found.push({ orderId, kind, provenAtMs, againAtMs: atMs });
    }
  }
  return found;
}

const rankOf = (kind: string): number => RANKS.indexOf(kind);

export function isIn(periods: readonly Period[], atMs: number): boolean {
  return periods.some(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs);
}
