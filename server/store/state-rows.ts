/** The statements of the table `state`. */
import type { Database, Statement } from "better-sqlite3";
import type { StateEntry } from "../../sdk/protocol/messages.ts";
import type { Instance } from "../machine/invocation.ts";
import type { StateSnapshot } from "../machine/tx.ts";

type Name = [service: string, key: string, name: Uint8Array];

export class StateRows {
  readonly #set: Statement<[...Name, value: Uint8Array]>;
  readonly #clear: Statement<Name>;
  readonly #clearAll: Statement<[string, string]>;
  readonly #sizes: Statement<[string, string], number>;
  readonly #first: Statement<[string, string, number], StateEntry>;
  readonly #value: Statement<Name, Uint8Array>;
  readonly #names: Statement<[string, string], Uint8Array>;

  constructor(db: Database) {
    this.#set = db.prepare(
      "INSERT OR REPLACE INTO state (service, key, name, value) VALUES (?, ?, ?, ?)",
    );
    this.#clear = db.prepare("DELETE FROM state WHERE service = ? AND key = ? AND name = ?");
    this.#clearAll = db.prepare("DELETE FROM state WHERE service = ? AND key = ?");
    // SQLite orders blobs by their bytes, and tells their length without reading them.
    this.#sizes = db
      .prepare<[string, string], number>(
        "SELECT length(name) + length(value) FROM state WHERE service = ? AND key = ? ORDER BY name",
      )
      .pluck();
    this.#first = db.prepare(
      "SELECT name AS key, value FROM state WHERE service = ? AND key = ? ORDER BY name LIMIT ?",
    );
    this.#value = db
      .prepare<Name, Uint8Array>(
        "SELECT value FROM state WHERE service = ? AND key = ? AND name = ?",
      )
      .pluck();
    this.#names = db
      .prepare<[string, string], Uint8Array>(
        "SELECT name FROM state WHERE service = ? AND key = ? ORDER BY name",
      )
      .pluck();
  }

  set({ service, key }: Instance, name: Uint8Array, value: Uint8Array): void {
    this.#set.run(service, key, name, value);
  }

  clear({ service, key }: Instance, name: Uint8Array): void {
    this.#clear.run(service, key, name);
  }

  clearAll({ service, key }: Instance): void {
    this.#clearAll.run(service, key);
  }

  snapshot({ service, key }: Instance, bytesMax: number): StateSnapshot {
    const sizes = this.#sizes.all(service, key);
    const count = countWithin(sizes, bytesMax);
    const entries = count === 0 ? [] : this.#first.all(service, key, count);
    return { entries, isComplete: count === sizes.length };
  }

  value({ service, key }: Instance, name: Uint8Array): Uint8Array | undefined {
    return this.#value.get(service, key, name);
  }

  names({ service, key }: Instance): Uint8Array[] {
    return this.#names.all(service, key);
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
