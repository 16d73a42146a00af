/** The tables that come with a query: attempts in flight, and the invocations whose ids it names. */
import type { Database, Statement } from "better-sqlite3";
import { parseInvocationId } from "../../../sdk/protocol/ids.ts";
import type { LiveRow } from "../messages.ts";

const PARTITION_KEY_BYTES = 8;

type LiveValues = [
  seq: number,
  epoch: number,
  deploymentId: string,
  server: string | null,
  startedAtMs: number,
  awaiting: string | null,
];

export class LiveTables {
  readonly #db: Database;
  readonly #clearLive: Statement;
  readonly #addLive: Statement<LiveValues>;
  readonly #clearPicked: Statement;
  readonly #pick: Statement<[uuid: Uint8Array, partitionKey: Uint8Array]>;

  constructor(db: Database) {
    this.#db = db;
    this.#clearLive = db.prepare('DELETE FROM temp."live attempts"');
    this.#addLive = db.prepare(
      'INSERT OR REPLACE INTO temp."live attempts" VALUES (?, ?, ?, ?, ?, ?)',
    );
    this.#clearPicked = db.prepare('DELETE FROM temp."picked ids"');
    this.#pick = db.prepare(
      'INSERT OR IGNORE INTO temp."picked ids" SELECT seq FROM main.invocation WHERE uuid = ? AND partition_key = ?',
    );
  }

  fill(live: readonly LiveRow[]): void {
    this.#write(() => {
      this.#clearLive.run();
      for (const { seq, epoch, deploymentId, server, startedAtMs, awaiting } of live) {
        const future = awaiting === null ? null : JSON.stringify(awaiting);
        this.#addLive.run(seq, epoch, deploymentId, server, startedAtMs, future);
      }
    });
  }

  /** What is no id is the id of nothing. */
  pick(ids: ReadonlySet<string>): void {
    this.#write(() => {
      this.#clearPicked.run();
      for (const text of ids) {
        const id = parseInvocationId(text);
        if (id === undefined) continue;
        this.#pick.run(id.subarray(PARTITION_KEY_BYTES), id.subarray(0, PARTITION_KEY_BYTES));
      }
    });
  }

  #write(fn: () => void): void {
    this.#db.exec("PRAGMA query_only = OFF");
    try {
      this.#db.transaction(fn)();
    } finally {
      this.#db.exec("PRAGMA query_only = ON");
    }
  }
}
