/** The statements of the table `state`. */
import type { Database, Statement } from "better-sqlite3";
import type { StateEntry } from "../../sdk/protocol/messages.ts";
import type { Instance } from "../machine/invocation.ts";
import type { StateSnapshot } from "../machine/tx.ts";
import type { Blobs } from "./blobs.ts";

type Name = [service: string, key: string, name: Uint8Array];
type Value = [value: Uint8Array, blob: Uint8Array | null];
type NamedValue = [name: Uint8Array, ...Value];

export class StateRows {
  readonly #blobs: Blobs;
  readonly #set: Statement<[...Name, value: Uint8Array]>;
  readonly #setBlob: Statement<[...Name, blob: Uint8Array]>;
  readonly #clear: Statement<Name>;
  readonly #clearAll: Statement<[string, string]>;
  readonly #sizes: Statement<[string, string], number>;
  readonly #first: Statement<[string, string, number], NamedValue>;
  readonly #value: Statement<Name, Value>;
  readonly #blob: Statement<Name, Uint8Array | null>;
  readonly #allBlobs: Statement<[string, string], Uint8Array>;
  readonly #names: Statement<[string, string], Uint8Array>;

  constructor(db: Database, blobs: Blobs) {
    this.#blobs = blobs;
    this.#set = db.prepare(
      "INSERT OR REPLACE INTO state (service, key, name, value) VALUES (?, ?, ?, ?)",
    );
    this.#setBlob = db.prepare(
      "INSERT OR REPLACE INTO state (service, key, name, value, blob) VALUES (?, ?, ?, x'', ?)",
    );
    this.#clear = db.prepare("DELETE FROM state WHERE service = ? AND key = ? AND name = ?");
    this.#clearAll = db.prepare("DELETE FROM state WHERE service = ? AND key = ?");
    // SQLite orders blobs by their bytes, and tells their length without reading them.
    this.#sizes = db
      .prepare<[string, string], number>(
        "SELECT length(name) + CASE WHEN blob IS NULL THEN length(value) ELSE " +
          "(SELECT size FROM blob WHERE blob.hash = state.blob LIMIT 1) END " +
          "FROM state WHERE service = ? AND key = ? ORDER BY name",
      )
      .pluck();
    this.#first = db
      .prepare<[string, string, number], NamedValue>(
        "SELECT name, value, blob FROM state WHERE service = ? AND key = ? ORDER BY name LIMIT ?",
      )
      .raw();
    this.#value = db
      .prepare<Name, Value>(
        "SELECT value, blob FROM state WHERE service = ? AND key = ? AND name = ?",
      )
      .raw();
    this.#blob = db
      .prepare<Name, Uint8Array | null>(
        "SELECT blob FROM state WHERE service = ? AND key = ? AND name = ?",
      )
      .pluck();
    this.#allBlobs = db
      .prepare<[string, string], Uint8Array>(
        "SELECT blob FROM state WHERE service = ? AND key = ? AND blob IS NOT NULL",
      )
      .pluck();
    this.#names = db
      .prepare<[string, string], Uint8Array>(
        "SELECT name FROM state WHERE service = ? AND key = ? ORDER BY name",
      )
      .pluck();
  }

  set({ service, key }: Instance, name: Uint8Array, value: Uint8Array): void {
    // The new value first: where it is the old one, it keeps its file.
    const blob = value.length < this.#blobs.thresholdBytes ? null : this.#blobs.add(value);
    this.#release(service, key, name);
    if (blob === null) this.#set.run(service, key, name, value);
    else this.#setBlob.run(service, key, name, blob);
  }

  clear({ service, key }: Instance, name: Uint8Array): void {
    this.#release(service, key, name);
    this.#clear.run(service, key, name);
  }

  clearAll({ service, key }: Instance): void {
    if (!this.#blobs.isEmpty) this.#blobs.releaseAll(this.#allBlobs.all(service, key));
    this.#clearAll.run(service, key);
  }

  snapshot({ service, key }: Instance, bytesMax: number): StateSnapshot {
    const sizes = this.#sizes.all(service, key);
    const count = countWithin(sizes, bytesMax);
    const entries =
      count === 0
        ? []
        : this.#first
            .all(service, key, count)
            .map(([name, ...value]): StateEntry => ({ key: name, value: this.#valueOf(value) }));
    return { entries, isComplete: count === sizes.length };
  }

  value({ service, key }: Instance, name: Uint8Array): Uint8Array | undefined {
    const row = this.#value.get(service, key, name);
    return row === undefined ? undefined : this.#valueOf(row);
  }

  names({ service, key }: Instance): Uint8Array[] {
    return this.#names.all(service, key);
  }

  #release(service: string, key: string, name: Uint8Array): void {
    if (!this.#blobs.isEmpty) this.#blobs.release(this.#blob.get(service, key, name) ?? null);
  }

  #valueOf([value, blob]: Value): Uint8Array {
    return blob === null ? value : this.#blobs.read(blob);
  }
}

/** How many of the first fit in all together. */
export function countWithin(sizes: readonly number[], bytesMax: number): number {
  let bytes = 0;
  const tooMany = sizes.findIndex((size) => {
    bytes += size;
    return bytes > bytesMax;
  });
  return tooMany < 0 ? sizes.length : tooMany;
}
