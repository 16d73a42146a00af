/**
 * What the files of large values may look like when the power goes: a directory has each entry as it was at its last sync or as it
 * is now, and a file that was not synced any part of its bytes, or none.
 */
import fs from "node:fs";
import path from "node:path";
import type { BlobDisk } from "./blob-disk.ts";
import type { Chance } from "./random-transactions.suite.ts";

const FOLDER = "blobs";

/** Of a directory: names and what they stand for. */
type Entries = ReadonlyMap<string, number>;

export class BlobDiskModel implements BlobDisk {
  readonly #directory: string;
  /** By path, as last synced. */
  readonly #entries = new Map<string, Entries>();
  /** By inode, as last synced. */
  readonly #contents = new Map<number, Buffer>();
  readonly #later: (() => void)[] = [];
  /** Syncs on the thread of the store, and off it. */
  readonly syncs = { now: 0, later: 0 };

  constructor(directory: string) {
    this.#directory = directory;
  }

  sync(of: string): void {
    this.syncs.now += 1;
    this.#begin(of)();
  }

  syncLater(of: string): Promise<void> {
    this.syncs.later += 1;
    const end = this.#begin(of);
    return new Promise((resolve) => {
      this.#later.push(() => {
        end();
        resolve();
      });
    });
  }

  /** One of the syncs under way ends. */
  step(chance: Chance): void {
    const [end] = this.#later.splice(chance.below(this.#later.length), 1);
    end?.();
  }

  #begin(of: string): () => void {
    const stat = fs.statSync(of);
    if (stat.isDirectory()) {
      const entries = entriesOf(of);
      return () => this.#entries.set(of, entries);
    }
    const bytes = fs.readFileSync(of);
    return () => this.#contents.set(stat.ino, bytes);
  }

  /** The power goes now. */
  loseInto(directory: string, chance: Chance): void {
    for (const [name] of this.#survivors(this.#directory, chance)) {
      if (name !== FOLDER) continue;
      const top = path.join(this.#directory, FOLDER);
      for (const [folder] of this.#survivors(top, chance)) {
        const from = path.join(top, folder);
        const to = path.join(directory, FOLDER, folder);
        fs.mkdirSync(to, { recursive: true });
        for (const [file, inode] of this.#survivors(from, chance)) {
          fs.writeFileSync(
            path.join(to, file),
            this.#bytesOf(path.join(from, file), inode, chance),
          );
        }
      }
    }
  }

  #survivors(of: string, chance: Chance): Entries {
    const old: Entries = this.#entries.get(of) ?? new Map();
    const now = entriesOf(of);
    const survivors = new Map<string, number>();
    for (const name of new Set([...old.keys(), ...now.keys()])) {
      const isChanged = old.get(name) !== now.get(name);
      const inode = (isChanged && chance.below(2) === 0 ? old : now).get(name);
      if (inode !== undefined) survivors.set(name, inode);
    }
    return survivors;
  }

  #bytesOf(file: string, inode: number, chance: Chance): Buffer {
    const synced = this.#contents.get(inode);
    if (synced !== undefined) return synced;
    const now = fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0);
    const cut = chance.below(now.length + 1);
    switch (chance.below(3)) {
      case 0:
        return now.subarray(0, cut);
      case 1:
        return Buffer.from(now).fill(0, cut);
      default:
        return now;
    }
  }
}

function entriesOf(directory: string): Entries {
  if (!fs.existsSync(directory)) return new Map();
  return new Map(
    fs.readdirSync(directory).map((name) => [name, fs.statSync(path.join(directory, name)).ino]),
  );
}
