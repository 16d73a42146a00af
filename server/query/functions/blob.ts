/** Large values, which lie in files beside the database: `docs/spec/journal.md` section 8. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { SqlArgument } from "./sql-argument.ts";

/** Twice the largest message, and as much as an answer may have. */
const BYTES_MAX = 64 * 1024 * 1024;
const HASH_BYTES = 32;

export class BlobReader {
  readonly #directory: string;
  /** Several columns of a row are made of the same value. */
  #last: { readonly name: string; readonly bytes: Uint8Array } | null = null;

  constructor(databaseFile: string) {
    this.#directory = path.join(path.dirname(databaseFile), "blobs");
  }

  /** The value of this hash. Null where it is too large to be shown, or was removed after the query began. */
  readonly read = (hash: SqlArgument): Uint8Array | null => {
    if (!(hash instanceof Uint8Array) || hash.length !== HASH_BYTES) return null;
    const name = Buffer.from(hash).toString("hex");
    if (this.#last?.name === name) return this.#last.bytes;
    const file = path.join(this.#directory, name.slice(0, 2), name);
    const bytes = readUpTo(file, BYTES_MAX);
    if (bytes === null) return null;
    if (createHash("sha256").update(bytes).digest("hex") !== name) {
      throw new Error(
        `${file}: the file is damaged: put it back from a copy of the data directory`,
      );
    }
    this.#last = { name, bytes };
    return bytes;
  };
}

function readUpTo(file: string, bytesMax: number): Uint8Array | null {
  try {
    return fs.statSync(file).size > bytesMax ? null : fs.readFileSync(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
