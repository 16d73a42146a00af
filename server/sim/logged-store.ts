/** A store in memory whose commits are frames of a simulated log: opened on a disk, it is what the commits there make. */
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { Commits } from "./commits.ts";
import type { Life } from "./life.ts";
import type { SimDisk } from "./sim-disk.ts";
import type { SimLog } from "./sim-log.ts";
import type { World } from "./world.ts";

export interface LoggedStoreOptions {
  readonly world: World;
  readonly life: Life;
  readonly disk: SimDisk;
  readonly commits: Commits;
  readonly log: SimLog;
  readonly logFramesMax: number;
}

export class LoggedStore implements Store {
  readonly #options: LoggedStoreOptions;
  readonly #memory = new MemoryStore();

  constructor(options: LoggedStoreOptions) {
    this.#options = options;
    const { disk, commits } = options;
    for (const number of disk.commits) this.#memory.transact(commits.at(number));
  }

  get commitGate(): Promise<void> | null {
    return this.#options.log.commitGate;
  }

  get isDurable(): boolean {
    return this.#options.log.isDurable;
  }

  transact<T>(fn: (tx: Transactor) => T): T {
    const { commits, log, life, world, logFramesMax } = this.#options;
    const value = this.#memory.transact(fn);
    log.commit(commits.add(fn));
    if (log.frames >= logFramesMax) life.after(world.below(5), () => log.startOver());
    return value;
  }

  read<T>(fn: (reader: Reader) => T): T {
    return this.#memory.read(fn);
  }

  barrier(done: (error: Error | null) => void): void {
    this.#options.log.barrier(done);
  }
}
