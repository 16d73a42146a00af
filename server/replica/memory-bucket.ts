/** A bucket in memory: for tests and the simulation. */
import fs from "node:fs/promises";
import type { Bucket, ObjectInfo } from "./bucket.ts";

interface Stored {
  readonly bytes: Uint8Array;
  readonly modifiedAtMs: number;
}

export class MemoryBucket implements Bucket {
  readonly url = "memory:";
  readonly #objects = new Map<string, Stored>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  async get(key: string): Promise<Uint8Array | null> {
    return this.#objects.get(key)?.bytes.slice() ?? null;
  }

  async read(key: string): Promise<AsyncIterable<Uint8Array> | null> {
    const bytes = await this.get(key);
    return bytes === null ? null : once(bytes);
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    if (this.#objects.has(key)) return "exists";
    await this.put(key, bytes);
    return "created";
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    this.#objects.set(key, { bytes: bytes.slice(), modifiedAtMs: this.#nowMs() });
  }

  async putFile(key: string, file: string, onProgress?: (bytes: number) => void): Promise<void> {
    const bytes = new Uint8Array(await fs.readFile(file));
    await this.put(key, bytes);
    onProgress?.(bytes.length);
  }

  async *list(prefix: string, after = ""): AsyncGenerator<ObjectInfo> {
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix) && key > after);
    for (const key of keys.toSorted()) {
      const stored = this.#objects.get(key);
      if (stored === undefined) continue;
      yield { key, size: stored.bytes.length, modifiedAtMs: stored.modifiedAtMs };
    }
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.#objects.delete(key);
  }

  close(): void {}
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
