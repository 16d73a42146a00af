/**
 * A directory as a bucket: for development, and for tests of several processes. An object is a file that is written under another
 * name, synced, and linked into place, so that it appears whole, and of several writers one wins.
 */
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import fs from "node:fs/promises";
import path from "node:path";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";

/** Below it lies what is being written; no key begins like this. */
const SCRATCH = ".tmp";
const KEY = /^[a-z0-9][a-z0-9-]*(?:\/[a-z0-9][a-z0-9-]*)*$/;

export class FileBucket implements Bucket {
  readonly url: string;
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = path.resolve(directory);
    this.url = `file://${this.#directory}`;
  }

  async get(key: string): Promise<Uint8Array | null> {
    try {
      return new Uint8Array(await fs.readFile(this.#path(key)));
    } catch (error) {
      return absent(error);
    }
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    try {
      const handle = await fs.open(this.#path(key));
      return createReadStream("", { fd: handle });
    } catch (error) {
      return absent(error);
    }
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    return await this.#store(key, bytes, async (from, to) => {
      try {
        await fs.link(from, to);
        return "created";
      } catch (error) {
        if (codeOf(error) === "EEXIST") return "exists";
        throw error;
      } finally {
        await fs.rm(from, { force: true });
      }
    });
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#store(key, bytes, (from, to) => fs.rename(from, to));
  }

  async putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void> {
    await this.#store(key, file, (from, to) => fs.rename(from, to));
    onProgress?.((await fs.stat(file)).size);
  }

  async *list(prefix: string, after = ""): AsyncGenerator<ObjectInfo> {
    // Keys are files in folders one deep; a prefix names a folder.
    const folder = path.join(this.#directory, prefix);
    const names = await fs.readdir(folder).catch((error: unknown) => absent(error) ?? []);
    for (const name of names.toSorted(byBytes)) {
      const key = prefix + name;
      if (key <= after || !KEY.test(key)) continue;
      const stat = await fs.stat(path.join(folder, name)).catch(absent);
      if (stat === null) continue;
      yield { key, size: stat.size, modifiedAtMs: Math.trunc(stat.mtimeMs) };
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    try {
      for (const key of keys) await fs.rm(this.#path(key), { force: true });
    } catch (error) {
      throw failure(error);
    }
  }

  close(): void {}

  async #store<T>(
    key: string,
    content: Uint8Array | string,
    place: (from: string, to: string) => Promise<T>,
  ): Promise<T> {
    const to = this.#path(key);
    const from = path.join(this.#directory, SCRATCH, randomBytes(12).toString("hex"));
    try {
      await fs.mkdir(path.dirname(from), { recursive: true, mode: 0o700 });
      await fs.mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
      if (typeof content === "string") await fs.copyFile(content, from);
      else await fs.writeFile(from, content, { mode: 0o600 });
      await sync(from);
      const result = await place(from, to);
      await sync(path.dirname(to));
      return result;
    } catch (error) {
      await fs.rm(from, { force: true }).catch(() => {});
      throw failure(error);
    }
  }

  #path(key: string): string {
    if (!KEY.test(key)) throw new BucketError("refused", `${key} is no key of a replica`);
    return path.join(this.#directory, key);
  }
}

/** Keys are ASCII. */
const byBytes = (one: string, other: string): number => (one < other ? -1 : 1);

async function sync(file: string): Promise<void> {
  const handle = await fs.open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Null for what is not there; anything else is thrown. */
function absent(error: unknown): null {
  if (codeOf(error) === "ENOENT") return null;
  throw failure(error);
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function failure(error: unknown): BucketError {
  if (error instanceof BucketError) return error;
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  const isDenied = code === "EACCES" || code === "EPERM" || code === "EROFS";
  return new BucketError(isDenied ? "denied" : "unavailable", message, { cause: error });
}
