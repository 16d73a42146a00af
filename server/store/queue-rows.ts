/** The statements of the tables `lock` and `queue`: who has the key of an instance, and what waits for it. */
import type { Database, Statement } from "better-sqlite3";
import { present } from "../base/assert.ts";
import type { Instance } from "../machine/invocation.ts";
import type { QueueItem, StateMutation } from "../machine/tx.ts";
import type { Blobs } from "./blobs.ts";
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

type ItemValues = [
  seq: number | null,
  mutation: Json<StoredMutation> | null,
  blob: Uint8Array | null,
];

const NO_TEXT: Json<StoredMutation> = "";

export class QueueRows {
  readonly #blobs: Blobs;
  readonly #add: Statement<[service: string, key: string, ...ItemValues]>;
  readonly #take: Statement<[string, string], ItemValues>;
  readonly #remove: Statement<[number]>;
  readonly #blob: Statement<[number], Uint8Array | null>;
  readonly #invocations: Statement<[string, string, number], number>;

  constructor(db: Database, blobs: Blobs) {
    this.#blobs = blobs;
    // SQLite gives a new row the highest position and one more.
    this.#add = db.prepare(
      "INSERT INTO queue (service, key, seq, mutation, blob) VALUES (?, ?, ?, ?, ?)",
    );
    this.#take = db
      .prepare<[string, string], ItemValues>(
        "DELETE FROM queue WHERE position = " +
          "(SELECT position FROM queue WHERE service = ? AND key = ? ORDER BY position LIMIT 1) " +
          "RETURNING seq, mutation, blob",
      )
      .raw();
    this.#remove = db.prepare("DELETE FROM queue WHERE position = ?");
    this.#blob = db
      .prepare<[number], Uint8Array | null>("SELECT blob FROM queue WHERE position = ?")
      .pluck();
    this.#invocations = db
      .prepare<[string, string, number], number>(
        "SELECT seq FROM queue WHERE service = ? AND key = ? AND seq IS NOT NULL ORDER BY position LIMIT ?",
      )
      .pluck();
  }

  /** Returns its position. */
  add({ service, key }: Instance, item: QueueItem): number {
    const values: ItemValues =
      item.kind === "invocation" ? [item.seq, null, null] : this.#valuesOf(item.mutation);
    return Number(this.#add.run(service, key, ...values).lastInsertRowid);
  }

  /** Removes what it returns. */
  take({ service, key }: Instance): QueueItem | undefined {
    const values = this.#take.get(service, key);
    if (values === undefined) return undefined;
    const [seq, mutation, blob] = values;
    if (seq !== null) return { kind: "invocation", seq };
    const text: Json<StoredMutation> =
      blob === null ? present(mutation, "mutation") : textOf(this.#blobs.read(blob));
    this.#blobs.release(blob);
    return { kind: "mutation", mutation: mutationOf(fromJson(text)) };
  }

  remove(position: number): void {
    if (!this.#blobs.isEmpty) this.#blobs.release(this.#blob.get(position) ?? null);
    this.#remove.run(position);
  }

  /** The seqs of the invocations among what waits, first one first. */
  invocations({ service, key }: Instance, limit: number): number[] {
    return this.#invocations.all(service, key, limit);
  }

  #valuesOf(mutation: StateMutation): ItemValues {
    const text = toJson(stored(mutation));
    // It is ASCII: as many bytes as characters, but for the version, which is short.
    if (text.length < this.#blobs.thresholdBytes) return [null, text, null];
    return [null, NO_TEXT, this.#blobs.add(Buffer.from(text))];
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
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
