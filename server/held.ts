/** Work that is held in a data directory which was restored to an earlier state, until an operator releases it. */
import { readHeldFile, removeHeldFile } from "./replica/held-file.ts";

export class Held {
  readonly #directory: string;
  readonly #letGo: () => void;
  #report: Readonly<Record<string, unknown>> | null;

  /** `letGo` starts what was held. */
  constructor(directory: string, letGo: () => void) {
    this.#directory = directory;
    this.#letGo = letGo;
    this.#report = readHeldFile(directory);
  }

  /** What ran after the restored state; null: nothing is held. */
  report(): Readonly<Record<string, unknown>> | null {
    return this.#report;
  }

  /** Durable first: what has begun cannot be held again. */
  release(): void {
    if (this.#report === null) return;
    removeHeldFile(this.#directory);
    this.#report = null;
    this.#letGo();
  }
}
