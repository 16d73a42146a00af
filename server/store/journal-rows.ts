/** The statements of the table `journal`. */
import type { Database, Statement } from "better-sqlite3";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import {
  emptySummary,
  type Entry,
  foldEntry,
  type JournalSummary,
  needsBody,
} from "../journal/summary.ts";

type EntryRow = [index: number, type: number, atMs: number, body: Uint8Array];

const NO_BODY = new Uint8Array();

export class JournalRows {
  readonly #insert: Statement<[number, number, number, number, Uint8Array]>;
  readonly #range: Statement<[number, number, number], EntryRow>;
  readonly #ofType: Statement<[number, number], EntryRow>;
  readonly #lastIndex: Statement<[number], number>;
  readonly #scan: Statement<[number], [index: number, type: number, body: Uint8Array | null]>;
  readonly #deleteOthers: Statement<[number, number]>;
  readonly #delete: Statement<[number]>;

  constructor(db: Database) {
    this.#insert = db.prepare(
      "INSERT INTO journal (invocation, idx, type, at_ms, body) VALUES (?, ?, ?, ?, ?)",
    );
    this.#range = db
      .prepare<[number, number, number], EntryRow>(
        "SELECT idx, type, at_ms, body FROM journal WHERE invocation = ? AND idx >= ? AND idx < ? ORDER BY idx",
      )
      .raw();
    this.#ofType = db
      .prepare<[number, number], EntryRow>(
        "SELECT idx, type, at_ms, body FROM journal WHERE invocation = ? AND type = ? ORDER BY idx",
      )
      .raw();
    this.#lastIndex = db
      .prepare<[number], number>(
        "SELECT idx FROM journal WHERE invocation = ? ORDER BY idx DESC LIMIT 1",
      )
      .pluck();
    const read = Object.values(MessageType).filter(needsBody).join(", ");
    this.#scan = db
      .prepare<[number], [number, number, Uint8Array | null]>(
        `SELECT idx, type, CASE WHEN type IN (${read}) THEN body END FROM journal WHERE invocation = ? ORDER BY idx`,
      )
      .raw();
    this.#deleteOthers = db.prepare("DELETE FROM journal WHERE invocation = ? AND idx <> ?");
    this.#delete = db.prepare("DELETE FROM journal WHERE invocation = ?");
  }

  insert(seq: number, index: number, type: number, nowMs: number, body: Uint8Array): void {
    this.#insert.run(seq, index, type, nowMs, body);
  }

  /** The index of the next entry. */
  length(seq: number): number {
    return (this.#lastIndex.get(seq) ?? -1) + 1;
  }

  /** The entries with `from <= index < to`, in order. */
  range(seq: number, from: number, to: number): Entry[] {
    return this.#range.all(seq, from, to).map(entryOf);
  }

  ofType(seq: number, type: number): Entry[] {
    return this.#ofType.all(seq, type).map(entryOf);
  }

  /** The fold over the stored journal; reads the bodies it needs and no others. */
  readonly summarize = (seq: number): JournalSummary => {
    const summary = emptySummary();
    for (const [index, type, body] of this.#scan.all(seq)) {
      // Of a purged journal the entries before the one that is left are missing.
      summary.length = index;
      foldEntry(summary, type, body ?? NO_BODY);
    }
    return summary;
  };

  deleteAllBut(seq: number, keepIndex: number): void {
    this.#deleteOthers.run(seq, keepIndex);
  }

  deleteAll(seq: number): void {
    this.#delete.run(seq);
  }
}

function entryOf([index, type, atMs, body]: EntryRow): Entry {
  return { index, type, body, atMs };
}
