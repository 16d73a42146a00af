/** The statements of the tables `lock` and `queue`: who has the key of an instance, and what waits for it. */
import type { Database, Statement } from "better-sqlite3";
import { present } from "../base/assert.ts";
import type { Instance } from "../machine/invocation.ts";
import type { QueueItem, StateMutation } from "../machine/tx.ts";
import { fromJson, type Json, toJson } from "./json.ts";

export class LockRows {
  readonly #lock: Statement<[service: string, key: string, seq: number]>;
  readonly #unlock: Statement<[string, string]>;
  readonly #holder: Statement<[string, string], number>;

  constructor(db: Database) {
    this.#lock = db.prepare(
      "INSERT INTO lock (service, key, seq) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
    );
    this.#unlock = db.prepare("DELETE FROM lock WHERE service = ? AND key = ?");
    this.#holder = db
      .prepare<[string, string], number>("SELECT seq FROM lock WHERE service = ? AND key = ?")
      .pluck();
  }

  /** False when somebody holds it. */
  lock({ service, key }: Instance, seq: number): boolean {
    return this.#lock.run(service, key, seq).changes === 1;
  }

  unlock({ service, key }: Instance): void {
    this.#unlock.run(service, key);
  }

  holder({ service, key }: Instance): number | undefined {
    return this.#holder.get(service, key);
  }
}

/** A mutation as JSON; bytes are base64. */
interface StoredMutation {
  readonly version: string | null;
  readonly entries: readonly { readonly name: string; readonly value: string }[];
}

type ItemValues = [seq: number | null, mutation: Json<StoredMutation> | null];

export class QueueRows {
  readonly #add: Statement<[service: string, key: string, ...ItemValues]>;
  readonly #take: Statement<[string, string], ItemValues>;
  readonly #remove: Statement<[number]>;
  readonly #invocations: Statement<[string, string, number], number>;

  constructor(db: Database) {
    // SQLite gives a new row the highest position and one more.
    this.#add = db.prepare("INSERT INTO queue (service, key, seq, mutation) VALUES (?, ?, ?, ?)");
    this.#take = db
      .prepare<[string, string], ItemValues>(
        "DELETE FROM queue WHERE position = " +
          "(SELECT position FROM queue WHERE service = ? AND key = ? ORDER BY position LIMIT 1) " +
          "RETURNING seq, mutation",
      )
      .raw();
    this.#remove = db.prepare("DELETE FROM queue WHERE position = ?");
    this.#invocations = db
      .prepare<[string, string, number], number>(
        "SELECT seq FROM queue WHERE service = ? AND key = ? AND seq IS NOT NULL ORDER BY position LIMIT ?",
      )
      .pluck();
  }

  /** Returns its position. */
  add({ service, key }: Instance, item: QueueItem): number {
    const values: ItemValues =
      item.kind === "invocation" ? [item.seq, null] : [null, toJson(stored(item.mutation))];
    return Number(this.#add.run(service, key, ...values).lastInsertRowid);
  }

  /** Removes what it returns. */
  take({ service, key }: Instance): QueueItem | undefined {
    const values = this.#take.get(service, key);
    if (values === undefined) return undefined;
    const [seq, mutation] = values;
    if (seq !== null) return { kind: "invocation", seq };
    return { kind: "mutation", mutation: mutationOf(fromJson(present(mutation, "mutation"))) };
  }

  remove(position: number): void {
    this.#remove.run(position);
  }

  /** The seqs of the invocations among what waits, first one first. */
  invocations({ service, key }: Instance, limit: number): number[] {
    return this.#invocations.all(service, key, limit);
  }
}

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
const fromBase64 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "base64"));

function stored({ version, entries }: StateMutation): StoredMutation {
  return {
    version,
    entries: entries.map((entry) => ({ name: toBase64(entry.key), value: toBase64(entry.value) })),
  };
}

function mutationOf({ version, entries }: StoredMutation): StateMutation {
  return {
    version,
    entries: entries.map((entry) => ({
      key: fromBase64(entry.name),
      value: fromBase64(entry.value),
    })),
  };
}
