/**
 * Reads a server's journal file and a shop's database from outside, with SQL alone, and says what promise was broken.
 * Independent of the code that wrote them, except for the decoding of frames.
 */
import Database from "better-sqlite3";
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";

export interface Step {
  readonly invocation: number;
  readonly completionId: number;
  readonly name: string;
  /** When its result was recorded; null for a step that never was. */
  readonly recordedAtMs: number | null;
  readonly results: number;
}

interface JournalRow {
  readonly invocation: number;
  readonly type: number;
  readonly at_ms: number;
  readonly body: Buffer;
}

/** Every step of every journal in a stopped server's data directory. */
export function stepsOf(dataDirectory: string): Step[] {
  const db = new Database(`${dataDirectory}/holdfast.db`, { readonly: true });
  try {
    const rows = db
      .prepare<[number, number], JournalRow>(
        "SELECT invocation, type, at_ms, body FROM journal WHERE type IN (?, ?) ORDER BY invocation, idx",
      )
      .all(MessageType.RunCommand, MessageType.RunCompletion);
    return fold(rows);
  } finally {
    db.close();
  }
}

function fold(rows: readonly JournalRow[]): Step[] {
  const steps = new Map<string, Step>();
  for (const { invocation, type, at_ms: atMs, body } of rows) {
    const message = decodeMessage(type, body);
    if (message.type === MessageType.RunCommand) {
      const completionId = message.resultCompletionId;
      const { name } = message;
      const step = { invocation, completionId, name, recordedAtMs: null, results: 0 };
      steps.set(`${invocation}/${completionId}`, step);
    } else if (message.type === MessageType.RunCompletion && message.id.kind === "completion") {
      const key = `${invocation}/${message.id.completionId}`;
      const step = steps.get(key);
      if (step === undefined) throw new Error(`a result without its step: ${key}`);
      steps.set(key, { ...step, recordedAtMs: atMs, results: step.results + 1 });
    }
  }
  return [...steps.values()];
}

export interface Execution {
  readonly orderId: string;
  readonly kind: string;
  readonly atMs: number;
}

/** Every side effect that the shop's endpoint executed, in order. */
export function executionsOf(shopDatabase: string): Execution[] {
  const db = new Database(shopDatabase, { readonly: true });
  try {
    return db
      .prepare<[], Execution>(
        "SELECT order_id AS orderId, kind, at_ms AS atMs FROM effects ORDER BY id",
      )
      .all();
  } finally {
    db.close();
  }
}

/** The order id in the input of each invocation, by its internal number. */
export function orderIdsOf(dataDirectory: string): Map<number, string> {
  const db = new Database(`${dataDirectory}/holdfast.db`, { readonly: true });
  try {
    const rows = db
      .prepare<[number], JournalRow>(
        "SELECT invocation, type, at_ms, body FROM journal WHERE idx = 0 AND type = ?",
      )
      .all(MessageType.InputCommand);
    const found = new Map<number, string>();
    for (const row of rows) {
      const input = decodeMessage(row.type, row.body);
      if (input.type !== MessageType.InputCommand) continue;
      const order: unknown = JSON.parse(new TextDecoder().decode(input.value));
      if (typeof order === "object" && order !== null && "orderId" in order) {
        found.set(row.invocation, String(order.orderId));
      }
    }
    return found;
  } finally {
    db.close();
  }
}
