/** The statements of the tables `promise` and `promise_listener`. */
import type { Database, Statement } from "better-sqlite3";
import type { Failure, Outcome } from "../../sdk/protocol/messages.ts";
import { present } from "../base/assert.ts";
import type { Instance } from "../machine/invocation.ts";
import type { PromiseListener } from "../machine/tx.ts";
import type { Blobs } from "./blobs.ts";
import { fromJson, type Json, toJson } from "./json.ts";
import { statusCode } from "./state-columns.ts";

type Name = [service: string, key: string, name: string];
type OutcomeValues = [
  value: Uint8Array | null,
  failure: Json<Failure> | null,
  blob: Uint8Array | null,
];
type ListenerValues = [seq: number, completionId: number];

const NO_BYTES = new Uint8Array();

export class PromiseRows {
  readonly #blobs: Blobs;
  readonly #complete: Statement<[...Name, ...OutcomeValues]>;
  readonly #outcome: Statement<Name, OutcomeValues>;
  readonly #addListener: Statement<[...Name, ...ListenerValues]>;
  readonly #takeListeners: Statement<Name, ListenerValues>;
  readonly #allBlobs: Statement<[string, string], Uint8Array>;
  readonly #clear: Statement<[string, string]>;
  readonly #clearListeners: Statement<[string, string]>;

  constructor(db: Database, blobs: Blobs) {
    this.#blobs = blobs;
    this.#complete = db.prepare(
      "INSERT INTO promise (service, key, name, value, failure, blob) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#outcome = db
      .prepare<Name, OutcomeValues>(
        "SELECT value, failure, blob FROM promise WHERE service = ? AND key = ? AND name = ?",
      )
      .raw();
    this.#addListener = db.prepare(
      "INSERT INTO promise_listener (service, key, name, seq, completion_id) VALUES (?, ?, ?, ?, ?) " +
        "ON CONFLICT DO NOTHING",
    );
    this.#takeListeners = db
      .prepare<Name, ListenerValues>(
        "DELETE FROM promise_listener WHERE service = ? AND key = ? AND name = ? RETURNING seq, completion_id",
      )
      .raw();
    this.#allBlobs = db
      .prepare<[string, string], Uint8Array>(
        "SELECT blob FROM promise WHERE service = ? AND key = ? AND blob IS NOT NULL",
      )
      .pluck();
    this.#clear = db.prepare("DELETE FROM promise WHERE service = ? AND key = ?");
    this.#clearListeners = db.prepare(
      "DELETE FROM promise_listener WHERE service = ? AND key = ? AND NOT EXISTS " +
        `(SELECT 1 FROM invocation AS waiting WHERE waiting.seq = promise_listener.seq AND waiting.status <> ${statusCode("completed")})`,
    );
  }

  /** Throws when it is completed already. */
  complete({ service, key }: Instance, name: string, outcome: Outcome): void {
    this.#complete.run(service, key, name, ...this.#valuesOf(outcome));
  }

  outcome({ service, key }: Instance, name: string): Outcome | undefined {
    const row = this.#outcome.get(service, key, name);
    if (row === undefined) return undefined;
    const [value, failure, blob] = row;
    if (blob !== null) return { kind: "value", value: this.#blobs.read(blob) };
    if (value !== null) return { kind: "value", value };
    return { kind: "failure", failure: fromJson(present(failure, "failure of a promise")) };
  }

  addListener({ service, key }: Instance, name: string, listener: PromiseListener): void {
    this.#addListener.run(service, key, name, listener.seq, listener.completionId);
  }

  /** Removes what it returns. */
  takeListeners({ service, key }: Instance, name: string): PromiseListener[] {
    // What RETURNING gives has no order of its own.
    return this.#takeListeners
      .all(service, key, name)
      .map(([seq, completionId]) => ({ seq, completionId }))
      .toSorted((a, b) => a.seq - b.seq || a.completionId - b.completionId);
  }

  /** Listeners that are not over yet stay. */
  clear({ service, key }: Instance): void {
    if (!this.#blobs.isEmpty) this.#blobs.releaseAll(this.#allBlobs.all(service, key));
    this.#clear.run(service, key);
    this.#clearListeners.run(service, key);
  }

  #valuesOf(outcome: Outcome): OutcomeValues {
    if (outcome.kind === "failure") return [null, toJson(outcome.failure), null];
    const { value } = outcome;
    if (value.length < this.#blobs.thresholdBytes) return [value, null, null];
    return [NO_BYTES, null, this.#blobs.add(value)];
  }
}
