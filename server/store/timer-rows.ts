/** The statements of the tables `timer` and `listener`. */
import type { Database, Statement } from "better-sqlite3";
import { present } from "../base/assert.ts";
import type { Listener, ListenerType, Timer, TimerKind } from "../machine/tx.ts";

/** The numbers of `kind` in the schema; timers of one due time and invocation fire in this order. */
export const TIMER_KINDS: readonly TimerKind[] = [
  "start",
  "sleep",
  "retry",
  "purge",
  "purge-journal",
];

type TimerRow = [dueMs: number, seq: number, kind: number, arg: number];

export class TimerRows {
  readonly #add: Statement<TimerRow>;
  readonly #next: Statement<[], number>;
  readonly #due: Statement<[number, number], TimerRow>;
  readonly #delete: Statement<TimerRow>;

  constructor(db: Database) {
    this.#add = db.prepare(
      "INSERT INTO timer (due_ms, seq, kind, arg) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    this.#next = db.prepare<[], number>("SELECT due_ms FROM timer ORDER BY due_ms LIMIT 1").pluck();
    this.#due = db
      .prepare<[number, number], TimerRow>(
        "SELECT due_ms, seq, kind, arg FROM timer WHERE due_ms <= ? ORDER BY due_ms, seq, kind, arg LIMIT ?",
      )
      .raw();
    this.#delete = db.prepare("DELETE FROM timer WHERE (due_ms, seq, kind, arg) <= (?, ?, ?, ?)");
  }

  add({ dueMs, seq, kind, arg }: Timer): void {
    this.#add.run(dueMs, seq, TIMER_KINDS.indexOf(kind), arg);
  }

  nextDueMs(): number | undefined {
    return this.#next.get();
  }

  /** Removes what it returns: the first timers in key order, so one range. */
  takeDue(nowMs: number, limit: number): Timer[] {
    const rows = this.#due.all(nowMs, limit);
    const last = rows.at(-1);
    if (last !== undefined) this.#delete.run(...last);
    return rows.map(([dueMs, seq, kind, arg]) => ({
      dueMs,
      seq,
      kind: present(TIMER_KINDS[kind], `timer kind ${kind}`),
      arg,
    }));
  }
}

type ListenerRow = [callerSeq: number, completionId: number, messageType: ListenerType];

export class ListenerRows {
  readonly #add: Statement<[seq: number, ...ListenerRow]>;
  readonly #of: Statement<[number], ListenerRow>;
  readonly #delete: Statement<[number]>;

  constructor(db: Database) {
    this.#add = db.prepare(
      "INSERT INTO listener (seq, caller_seq, completion_id, message_type) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
    );
    this.#of = db
      .prepare<[number], ListenerRow>(
        "SELECT caller_seq, completion_id, message_type FROM listener WHERE seq = ? ORDER BY caller_seq, completion_id",
      )
      .raw();
    this.#delete = db.prepare("DELETE FROM listener WHERE seq = ?");
  }

  add(seq: number, { callerSeq, completionId, messageType }: Listener): void {
    this.#add.run(seq, callerSeq, completionId, messageType);
  }

  /** Removes what it returns. */
  take(seq: number): Listener[] {
    const rows = this.#of.all(seq);
    if (rows.length > 0) this.#delete.run(seq);
    return rows.map(([callerSeq, completionId, messageType]) => ({
      callerSeq,
      completionId,
      messageType,
    }));
  }

  deleteAll(seq: number): void {
    this.#delete.run(seq);
  }
}
