/**
 * The files of large values: `blobs/<first 2 digits>/<hash>`, hexadecimal.
 *
 * F1 What has its final name is whole and on the disk: written and synced under another name, renamed, its directory synced.
 * F2 A row that names a file is committed after that. So whatever part of the log survives a loss of power, its files do.
 * F3 A file goes only when no row names it, durably, and no transaction is about to.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { BlobDisk } from "./blob-disk.ts";
import { storageFailure } from "./medium-error.ts";

const FOLDER = "blobs";
const MODE = 0o700;
const FOLDER_NAME = /^[0-9a-f]{2}$/;
/** Also what was on its way to its name, or away from it. */
const FILE_NAME = /^[0-9a-f]{64}(\.\d+\.(new|old))?$/;
const HASH_DIGITS = 64;
const LANES = 4;

type Values = ReadonlyMap<string, Uint8Array>;

export class BlobFiles {
  readonly #dataDirectory: string;
  readonly #directory: string;
  readonly #disk: BlobDisk;
  /** By name: values of the transaction, not written yet. */
  #pending = new Map<string, Uint8Array>();
  /** Names of files that were written ahead of their transaction, or are being written. */
  readonly #ahead = new Map<string, "under-way" | "done">();
  /** Those that this transaction makes use of. */
  readonly #used = new Set<string>();
  /** Folders that are on the disk themselves. */
  readonly #folders = new Set<string>();
  readonly #removals: Uint8Array[] = [];
  #isRemoving = false;
  #whenRemoved: (() => void) | null = null;
  #temporary = 0;

  constructor(dataDirectory: string, disk: BlobDisk) {
    this.#dataDirectory = dataDirectory;
    this.#directory = path.join(dataDirectory, FOLDER);
    this.#disk = disk;
  }

  file(hash: Uint8Array): string {
    return this.#fileOf(nameOf(hash));
  }

  /** The value is to be on the disk before the transaction commits. */
  put(hash: Uint8Array, bytes: Uint8Array): void {
    const name = nameOf(hash);
    if (this.#ahead.get(name) === "done") this.#used.add(name);
    else this.#pending.set(name, bytes);
  }

  /** It is there, or will be with this transaction. */
  has(hash: Uint8Array): boolean {
    return this.#pending.has(nameOf(hash)) || fs.existsSync(this.file(hash));
  }

  get hasPending(): boolean {
    return this.#pending.size > 0;
  }

  /** Throws where the file is missing or damaged (`PayloadError`), or the medium fails (`StorageError`). */
  read(hash: Uint8Array): Uint8Array {
    const name = nameOf(hash);
    const pending = this.#pending.get(name);
    if (pending !== undefined) return pending;
    const file = this.#fileOf(name);
    let bytes: Uint8Array;
    try {
      bytes = fs.readFileSync(file);
    } catch (error) {
      throw unreadable(file, error);
    }
    if (nameOf(hashOf(bytes)) !== name) {
      throw new PayloadError(`${file}: the file is damaged: ${ADVICE}`);
    }
    return bytes;
  }

  // ---- writing -----------------------------------------------------------------------------------

  /** Writes what is pending, and waits for the disk. */
  write(): void {
    if (this.#pending.size === 0) return;
    const folders = new Set<string>();
    for (const [name, bytes] of this.#pending) {
      const file = this.#fileOf(name);
      try {
        const folder = path.dirname(file);
        this.#makeFolder(folder, folders);
        const temporary = this.#temporaryName(file, "new");
        fs.writeFileSync(temporary, bytes);
        this.#disk.sync(temporary);
        fs.renameSync(temporary, file);
        folders.add(folder);
      } catch (error) {
        throw unwritable(file, error);
      }
    }
    for (const folder of folders) this.#syncFolder(folder);
  }

  /** Writes what is pending off this thread. Rejects with a `StorageError`. */
  async writeAhead(): Promise<void> {
    const values: Values = this.#pending;
    this.#pending = new Map();
    for (const name of values.keys()) this.#ahead.set(name, "under-way");
    const folders = new Set<string>();
    const left = [...values];
    const lane = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        await this.#writeOneAhead(next[0], next[1], folders);
      }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    for (const folder of folders) {
      await this.#disk.syncLater(folder).catch((error: unknown) => {
        throw unwritable(folder, error);
      });
    }
    for (const folder of folders) this.#folders.add(folder);
    for (const name of values.keys()) this.#ahead.set(name, "done");
  }

  async #writeOneAhead(name: string, bytes: Uint8Array, folders: Set<string>): Promise<void> {
    const file = this.#fileOf(name);
    try {
      const folder = path.dirname(file);
      this.#makeFolder(folder, folders);
      const temporary = this.#temporaryName(file, "new");
      await fs.promises.writeFile(temporary, bytes);
      await this.#disk.syncLater(temporary);
      await fs.promises.rename(temporary, file);
      folders.add(folder);
    } catch (error) {
      throw unwritable(file, error);
    }
  }

  /** A folder that this process has not used may be new, or its entry not on the disk. */
  #makeFolder(folder: string, toSync: Set<string>): void {
    if (this.#folders.has(folder)) return;
    fs.mkdirSync(folder, { recursive: true, mode: MODE });
    toSync.add(this.#dataDirectory).add(this.#directory);
  }

  #syncFolder(folder: string): void {
    try {
      this.#disk.sync(folder);
      this.#folders.add(folder);
    } catch (error) {
      throw unwritable(folder, error);
    }
  }

  committed(): void {
    this.#pending.clear();
    for (const name of this.#used) this.#ahead.delete(name);
    this.#used.clear();
  }

  /** What was written ahead stays so: the transaction is run again. */
  rolledBack(): void {
    this.#pending.clear();
    this.#used.clear();
  }

  // ---- removing ----------------------------------------------------------------------------------

  /** Removes the files one after another, but those that `isNamed` when their turn comes. */
  remove(hashes: readonly Uint8Array[], isNamed: (hash: Uint8Array) => boolean): void {
    this.#removals.push(...hashes);
    if (!this.#isRemoving) this.#removeNext(isNamed);
  }

  #removeNext(isNamed: (hash: Uint8Array) => boolean): void {
    this.#isRemoving = true;
    for (let hash = this.#removals.shift(); hash !== undefined; hash = this.#removals.shift()) {
      const name = nameOf(hash);
      if (this.#ahead.has(name) || this.#pending.has(name) || isNamed(hash)) continue;
      const away = this.#temporaryName(this.#fileOf(name), "old");
      // Its name is free at once: whoever stores the value meanwhile loses nothing by what follows.
      if (!renamed(this.#fileOf(name), away)) continue;
      return fs.unlink(away, () => this.#removeNext(isNamed));
    }
    this.#isRemoving = false;
    return this.#whenRemoved?.();
  }

  /** Removes nothing more: the next start does. */
  async close(): Promise<void> {
    this.#removals.length = 0;
    if (this.#isRemoving) await new Promise<void>((resolve) => (this.#whenRemoved = resolve));
  }

  /** Removes what a transaction that was undone, or a process that was killed, has left. */
  sweep(isNamed: (hash: Uint8Array) => boolean): void {
    for (const folder of entriesOf(this.#directory, FOLDER_NAME)) {
      const within = path.join(this.#directory, folder);
      for (const name of entriesOf(within, FILE_NAME)) {
        if (name.length === HASH_DIGITS && isNamed(Buffer.from(name, "hex"))) continue;
        fs.rmSync(path.join(within, name), { force: true });
      }
    }
  }

  #fileOf(name: string): string {
    return path.join(this.#directory, name.slice(0, 2), name);
  }

  #temporaryName(file: string, kind: "new" | "old"): string {
    this.#temporary += 1;
    return `${file}.${this.#temporary}.${kind}`;
  }
}

export function hashOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

function nameOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString("hex");
}

function entriesOf(directory: string, names: RegExp): string[] {
  try {
    return fs.readdirSync(directory).filter((name) => names.test(name));
  } catch (error) {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return [];
    throw error;
  }
}

/** What cannot be removed now is tried again at the next start. */
function renamed(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch {
    return false;
  }
}

/** Costs whoever needs the value, and nobody else; with the file in its place again it can be read. */
class PayloadError extends Error {
  override readonly name = "PayloadError";
}

const ADVICE =
  "put it back from a copy of the data directory or from the bucket (blobs/<its name>-…), and what waits for it goes on";

function unreadable(file: string, error: unknown): Error {
  if (codeOf(error) !== "ENOENT") return storageFailure(`${file} could not be read`, error);
  return new PayloadError(`${file}: the file is missing: ${ADVICE}`, { cause: error });
}

function unwritable(file: string, error: unknown): Error {
  return storageFailure(`${file} could not be written`, error);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
