/** Large values as the rows of other tables see them: bytes in, hash out, and back. */
import { randomBytes } from "node:crypto";
import type { BlobFiles } from "./blob-files.ts";
import { hashOf } from "./blob-files.ts";
import type { BlobRow, BlobRows } from "./blob-rows.ts";

const ID_BYTES = 8;

export interface BlobsOptions {
  readonly rows: BlobRows;
  readonly files: BlobFiles;
  readonly thresholdBytes: number;
  readonly nowMs: () => number;
}

export class Blobs {
  readonly rows: BlobRows;
  readonly files: BlobFiles;
  /** Values of this length and longer lie beside the database. */
  readonly thresholdBytes: number;
  readonly #nowMs: () => number;
  #stored: BlobRow[] = [];
  #isUnreferenced = false;

  constructor({ rows, files, thresholdBytes, nowMs }: BlobsOptions) {
    this.rows = rows;
    this.files = files;
    this.thresholdBytes = thresholdBytes;
    this.#nowMs = nowMs;
  }

  /** There has never been one: what is deleted or overwritten refers to none. */
  get isEmpty(): boolean {
    return this.rows.isEmpty;
  }

  /** One more row refers to this value. Returns the hash that the row is to hold. */
  add(bytes: Uint8Array): Uint8Array {
    const hash = hashOf(bytes);
    if (this.rows.refer(hash)) return hash;
    // A row of this hash without references still has the file, but where the directory was restored since; and the bucket may be
    // about to lose what has that row's id.
    if (!this.rows.has(hash) || !this.files.has(hash)) this.files.put(hash, bytes);
    const row = { hash, id: randomBytes(ID_BYTES), size: bytes.length };
    this.rows.insert(row);
    this.#stored.push(row);
    return hash;
  }

  /** Throws where the file is missing or damaged, which is no failure of the store. */
  read(hash: Uint8Array): Uint8Array {
    return this.files.read(hash);
  }

  /** One row less refers to it; null: the row was an ordinary one. */
  release(hash: Uint8Array | null): void {
    if (hash === null) return;
    if (this.rows.release(hash, this.#nowMs()) === 0) this.#isUnreferenced = true;
  }

  releaseAll(hashes: readonly Uint8Array[]): void {
    for (const hash of hashes) this.release(hash);
  }

  /** What the transaction has stored anew, and whether something lost its last reference in it. */
  committed(): { readonly stored: readonly BlobRow[]; readonly isUnreferenced: boolean } {
    const committed = { stored: this.#stored, isUnreferenced: this.#isUnreferenced };
    this.#reset();
    this.files.committed();
    return committed;
  }

  rolledBack(): void {
    this.#reset();
    this.files.rolledBack();
  }

  #reset(): void {
    if (this.#stored.length > 0) this.#stored = [];
    this.#isUnreferenced = false;
  }
}
