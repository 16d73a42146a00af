/** Work that is held in a data directory which was restored to an earlier state, until an operator releases it. */
import type { HealthDetail } from "./admin/server-routes.ts";
import { type HeldDocument, readHeldFile, removeHeldFile } from "./replica/held-file.ts";

export class Held {
  readonly #directory: string;
  readonly #letGo: () => void;
  #report: HeldDocument | null;

  /** `letGo` starts what was held. */
  constructor(directory: string, letGo: () => void) {
    this.#directory = directory;
    this.#letGo = letGo;
    this.#report = readHeldFile(directory);
  }

  /** What ran after the restored state; null: nothing is held. */
  report(): HeldDocument | null {
    return this.#report;
  }

  /** Durable first: what has begun cannot be held again. Throws where the disk says no; this process then holds on. */
  release(): void {
    if (this.#report === null) return;
    removeHeldFile(this.#directory);
    this.#report = null;
    this.#letGo();
  }

  /** A server that starts no attempt needs an eye. */
  health(detail: HealthDetail): HealthDetail {
    return this.#report === null ? detail : { ...detail, status: "degraded", held: true };
  }
}
