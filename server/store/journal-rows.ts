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
import type { Blobs } from "./blobs.ts";

type EntryRow = [
  index: number,
  type: number,
  atMs: number,
  body: Uint8Array,
  blob: Uint8Array | null,
];
type SummaryRow = [index: number, type: number, body: Uint8Array | null, blob: Uint8Array | null];

const NO_BODY = new Uint8Array();
const NO_INDEX = -1;

export class JournalRows {
  readonly #blobs: Blobs;
  readonly #insert: Statement<[number, number, number, number, Uint8Array]>;
  readonly #insertBlob: Statement<[number, number, number, number, Uint8Array]>;
  readonly #range: Statement<[number, number, number], EntryRow>;
  readonly #ofType: Statement<[number, number], EntryRow>;
  readonly #lastIndex: Statement<[number], number>;
  readonly #scan: Statement<[number], SummaryRow>;
  readonly #otherBlobs: Statement<[number, number], Uint8Array>;
  readonly #deleteOthers: Statement<[number, number]>;
  readonly #delete: Statement<[number]>;

  constructor(db: Database, blobs: Blobs) {
    this.#blobs = blobs;
    this.#insert = db.prepare(
      "INSERT INTO journal (invocation, idx, type, at_ms, body) VALUES (?, ?, ?, ?, ?)",
    );
    this.#insertBlob = db.prepare(
      "INSERT INTO journal (invocation, idx, type, at_ms, body, blob) VALUES (?, ?, ?, ?, x'', ?)",
    );
    this.#range = db
      .prepare<[number, number, number], EntryRow>(
        "SELECT idx, type, at_ms, body, blob FROM journal WHERE invocation = ? AND idx >= ? AND idx < ? ORDER BY idx",
      )
      .raw();
    this.#ofType = db
      .prepare<[number, number], EntryRow>(
        "SELECT idx, type, at_ms, body, blob FROM journal WHERE invocation = ? AND type = ? ORDER BY idx",
      )
      .raw();
    this.#lastIndex = db
      .prepare<[number], number>(
        "SELECT idx FROM journal WHERE invocation = ? ORDER BY idx DESC LIMIT 1",
      )
      .pluck();
    const read = Object.values(MessageType).filter(needsBody).join(", ");
    this.#scan = db
      .prepare<[number], SummaryRow>(
        `SELECT idx, type, CASE WHEN type IN (${read}) THEN body END, CASE WHEN type IN (${read}) THEN blob END ` +
          "FROM journal WHERE invocation = ? ORDER BY idx",
      )
      .raw();
    this.#otherBlobs = db
      .prepare<[number, number], Uint8Array>(
        "SELECT blob FROM journal WHERE invocation = ? AND idx <> ? AND blob IS NOT NULL",
      )
      .pluck();
    this.#deleteOthers = db.prepare("DELETE FROM journal WHERE invocation = ? AND idx <> ?");
    this.#delete = db.prepare("DELETE FROM journal WHERE invocation = ?");
  }

  insert(seq: number, index: number, type: number, nowMs: number, body: Uint8Array): void {
    if (body.length < this.#blobs.thresholdBytes) this.#insert.run(seq, index, type, nowMs, body);
    else this.#insertBlob.run(seq, index, type, nowMs, this.#blobs.add(body));
  }

  /** The index of the next entry. */
  length(seq: number): number {
    return (this.#lastIndex.get(seq) ?? -1) + 1;
  }

  /** The entries with `from <= index < to`, in order. */
  range(seq: number, from: number, to: number): Entry[] {
    return this.#range.all(seq, from, to).map(this.#entryOf);
  }

  ofType(seq: number, type: number): Entry[] {
    return this.#ofType.all(seq, type).map(this.#entryOf);
  }

  /** The fold over the stored journal; reads the bodies it needs and no others. */
  readonly summarize = (seq: number): JournalSummary => {
    const summary = emptySummary();
    for (const [index, type, body, blob] of this.#scan.all(seq)) {
      // Of a purged journal the entries before the one that is left are missing.
      summary.length = index;
      foldEntry(summary, type, blob === null ? (body ?? NO_BODY) : this.#blobs.read(blob));
    }
    return summary;
  };

  deleteAllBut(seq: number, keepIndex: number): void {
    this.#releaseAllBut(seq, keepIndex);
    this.#deleteOthers.run(seq, keepIndex);
  }

  deleteAll(seq: number): void {
    this.#releaseAllBut(seq, NO_INDEX);
    this.#delete.run(seq);
  }

  #releaseAllBut(seq: number, keepIndex: number): void {
    if (this.#blobs.isEmpty) return;
    this.#blobs.releaseAll(this.#otherBlobs.all(seq, keepIndex));
  }

  readonly #entryOf = ([index, type, atMs, body, blob]: EntryRow): Entry => ({
    index,
    type,
    body: blob === null ? body : this.#blobs.read(blob),
    atMs,
  });
}
