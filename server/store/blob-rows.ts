/** The statements of the table `blob`: which large values there are, and how many rows refer to each. */
import type { Database, Statement } from "better-sqlite3";
import { present } from "../base/assert.ts";
import { ask } from "./ask.ts";

const NO_BYTES = new Uint8Array();

/** A large value as the database knows it. */
export interface BlobRow {
  /** SHA-256 of the value. */
  readonly hash: Uint8Array;
  /** 8 bytes at random; others each time the value is stored anew. */
  readonly id: Uint8Array;
  /** Bytes. */
  readonly size: number;
}

/** With the number of rows that refer to it. */
export interface CountedBlobRow extends BlobRow {
  readonly refs: number;
}

/** Whatever its table, a row that refers to a value counts as one. */
export class BlobRows {
  readonly #insert: Statement<[hash: Uint8Array, id: Uint8Array, size: number]>;
  readonly #refer: Statement<[Uint8Array]>;
  readonly #release: Statement<[nowMs: number, hash: Uint8Array], number>;
  readonly #has: Statement<[Uint8Array], number>;
  readonly #knows: Statement<[hash: Uint8Array, id: Uint8Array], number>;
  readonly #all: Statement<[hash: Uint8Array, id: Uint8Array, limit: number], CountedBlobRow>;
  readonly #unreferenced: Statement<[beforeMs: number, limit: number], BlobRow>;
  readonly #forget: Statement<[hash: Uint8Array, id: Uint8Array]>;
  /** False also where the first one was undone. */
  #isEmpty: boolean;

  constructor(db: Database) {
    this.#insert = db.prepare("INSERT INTO blob (hash, id, size, refs) VALUES (?, ?, ?, 1)");
    this.#refer = db.prepare("UPDATE blob SET refs = refs + 1 WHERE hash = ? AND refs > 0");
    this.#release = db
      .prepare<[number, Uint8Array], number>(
        "UPDATE blob SET refs = refs - 1, unreferenced_at_ms = CASE WHEN refs = 1 THEN ? END " +
          "WHERE hash = ? AND refs > 0 RETURNING refs",
      )
      .pluck();
    this.#has = db.prepare<[Uint8Array], number>("SELECT 1 FROM blob WHERE hash = ?").pluck();
    this.#knows = db
      .prepare<[Uint8Array, Uint8Array], number>("SELECT 1 FROM blob WHERE hash = ? AND id = ?")
      .pluck();
    this.#all = db.prepare(
      "SELECT hash, id, size, refs FROM blob WHERE (hash, id) > (?, ?) ORDER BY hash, id LIMIT ?",
    );
    this.#unreferenced = db.prepare(
      "SELECT hash, id, size FROM blob WHERE refs = 0 AND unreferenced_at_ms < ? " +
        "ORDER BY unreferenced_at_ms LIMIT ?",
    );
    this.#forget = db.prepare("DELETE FROM blob WHERE hash = ? AND id = ? AND refs = 0");
    this.#isEmpty = ask(db, "SELECT EXISTS (SELECT 1 FROM blob)") === 0;
  }

  /** There has never been one, so that nothing needs to be looked for. */
  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  has(hash: Uint8Array): boolean {
    return this.#has.get(hash) !== undefined;
  }

  knows(hash: Uint8Array, id: Uint8Array): boolean {
    return this.#knows.get(hash, id) !== undefined;
  }

  /** One more row refers to it. False where none did so far: then it is to be inserted. */
  refer(hash: Uint8Array): boolean {
    return this.#refer.run(hash).changes === 1;
  }

  insert({ hash, id, size }: BlobRow): void {
    this.#insert.run(hash, id, size);
    this.#isEmpty = false;
  }

  /** One row less refers to it. Returns how many are left. */
  release(hash: Uint8Array, nowMs: number): number {
    return present(this.#release.get(nowMs, hash), "the value that a row refers to");
  }

  /** By hash and id, behind `after`. */
  all(after: BlobRow | null, limit: number): CountedBlobRow[] {
    return this.#all.all(after?.hash ?? NO_BYTES, after?.id ?? NO_BYTES, limit);
  }

  /** Those that nothing has referred to since before `beforeMs`. */
  unreferenced(beforeMs: number, limit: number): BlobRow[] {
    return this.#unreferenced.all(beforeMs, limit);
  }

  /** False where something refers to it again, or it is gone already. */
  forget({ hash, id }: BlobRow): boolean {
    return this.#forget.run(hash, id).changes === 1;
  }
}
