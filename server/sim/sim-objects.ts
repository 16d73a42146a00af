/** What lies in the simulated bucket, for whom nothing fails; and what a list shows that is behind. */
import type { ObjectInfo } from "../replica/bucket.ts";
import { MemoryBucket } from "../replica/memory-bucket.ts";

interface Version {
  readonly sinceMs: number;
  /** Null: there is none from then on. */
  readonly info: ObjectInfo | null;
}

export class SimObjects {
  readonly bucket: MemoryBucket;
  readonly #nowMs: () => number;
  readonly #onStored: (key: string, bytes: Uint8Array) => void;
  readonly #versions = new Map<string, Version[]>();

  /** `onStored` is told of every object when it is there. */
  constructor(nowMs: () => number, onStored: (key: string, bytes: Uint8Array) => void) {
    this.#nowMs = nowMs;
    this.#onStored = onStored;
    this.bucket = new MemoryBucket(nowMs);
  }

  async putNew(key: string, bytes: Uint8Array): Promise<"created" | "exists"> {
    const result = await this.bucket.putNew(key, bytes);
    if (result === "created") this.#stored(key, bytes);
    return result;
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.bucket.put(key, bytes);
    this.#stored(key, bytes);
  }

  async delete(keys: readonly string[]): Promise<void> {
    await this.bucket.delete(keys);
    for (const key of keys) this.#note(key, null);
  }

  /** As it was at that moment, in the order of the keys. */
  listed(prefix: string, after: string, atMs: number): ObjectInfo[] {
    const keys = [...this.#versions.keys()].filter((key) => key.startsWith(prefix) && key > after);
    return keys.toSorted().flatMap((key) => {
      const version = this.#versions.get(key)?.findLast(({ sinceMs }) => sinceMs <= atMs);
      return version?.info ?? [];
    });
  }

  #stored(key: string, bytes: Uint8Array): void {
    this.#note(key, { key, size: bytes.length, modifiedAtMs: this.#nowMs() });
    this.#onStored(key, bytes);
  }

  #note(key: string, info: ObjectInfo | null): void {
    const version = { sinceMs: this.#nowMs(), info };
    const versions = this.#versions.get(key);
    if (versions === undefined) this.#versions.set(key, [version]);
    else versions.push(version);
  }
}
