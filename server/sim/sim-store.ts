/**
 * A store whose disk can lose power. It remembers every committed transaction; a barrier takes simulated time; after a crash the
 * state is what some prefix of the commits makes, at least up to the last barrier that was reported. Since the machine is
 * deterministic, that state is made by running the prefix again.
 */
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { MemoryStore } from "../store/memory-store.ts";
import type { World } from "./world.ts";

type Transaction = (tx: Transactor) => unknown;

export class SimStore implements Store {
  readonly #world: World;
  readonly #commits: Transaction[];
  readonly #memory = new MemoryStore();
  #durable: number;
  #closed = false;
  readonly commitGate = null;

  get isDurable(): boolean {
    return this.#durable === this.#commits.length;
  }

  #lastBarrierMs = 0;

  constructor(world: World, survived: readonly Transaction[] = []) {
    this.#world = world;
    this.#commits = [...survived];
    this.#durable = survived.length;
    for (const transaction of survived) this.#memory.transact(transaction);
  }

  transact<T>(fn: (tx: Transactor) => T): T {
    const value = this.#memory.transact(fn);
    this.#commits.push(fn);
    return value;
  }

  read<T>(fn: (reader: Reader) => T): T {
    return this.#memory.read(fn);
  }

  barrier(done: (error: Error | null) => void): void {
    const commits = this.#commits.length;
    // Barriers are reported in the order in which they were asked for.
    this.#lastBarrierMs = Math.max(this.#lastBarrierMs, this.#world.nowMs() + this.#world.below(4));
    this.#world.after(this.#lastBarrierMs - this.#world.nowMs(), () => {
      if (this.#closed) return;
      this.#durable = Math.max(this.#durable, commits);
      done(null);
    });
  }

  /** The power goes. Returns what a new process finds on the disk. */
  crash(): SimStore {
    this.#closed = true;
    const lost = this.#commits.length - this.#durable;
    const survived = this.#durable + this.#world.below(lost + 1);
    this.#world.trace(`crash: ${survived} of ${this.#commits.length} commits survive`);
    return new SimStore(this.#world, this.#commits.slice(0, survived));
  }
}
