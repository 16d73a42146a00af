/** The statements of the table `journal_event`. */
import type { Database, Statement } from "better-sqlite3";
import type { JournalEvent, JournalEventKind } from "../machine/event.ts";
import { fromJson, type Json, toJson } from "./json.ts";

/** The place of a kind is its number in the schema. */
const KINDS: readonly JournalEvent["kind"][] = ["attempt-failed", "suspended", "paused", "resumed"];

type EventRow = [afterIndex: number, atMs: number, body: Json<JournalEventKind>];

export class EventRows {
  readonly #add: Statement<[seq: number, seqAgain: number, kind: number, ...EventRow]>;
  readonly #of: Statement<[number], EventRow>;
  readonly #delete: Statement<[number]>;

  constructor(db: Database) {
    this.#add = db.prepare(
      "INSERT INTO journal_event (invocation, number, kind, after_idx, at_ms, body) VALUES " +
        "(?, (SELECT coalesce(max(number), 0) + 1 FROM journal_event WHERE invocation = ?), ?, ?, ?, ?)",
    );
    this.#of = db
      .prepare<[number], EventRow>(
        "SELECT after_idx, at_ms, body FROM journal_event WHERE invocation = ? ORDER BY number",
      )
      .raw();
    this.#delete = db.prepare("DELETE FROM journal_event WHERE invocation = ?");
  }

  add(seq: number, { atMs, afterIndex, ...what }: JournalEvent): void {
    this.#add.run(seq, seq, KINDS.indexOf(what.kind), afterIndex, atMs, toJson(what));
  }

  of(seq: number): JournalEvent[] {
    return this.#of.all(seq).map(eventOf);
  }

  deleteAll(seq: number): void {
    this.#delete.run(seq);
  }
}

function eventOf([afterIndex, atMs, body]: EventRow): JournalEvent {
  return { ...fromJson(body), atMs, afterIndex };
}
