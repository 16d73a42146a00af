/** Directories of simulated machines: in memory where there is such a place, for nobody needs what a sync of the real disk costs. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const MEMORY = "/dev/shm";

export class Directories {
  readonly #root = fs.mkdtempSync(
    path.join(fs.existsSync(MEMORY) ? MEMORY : os.tmpdir(), "holdfast-sim-"),
  );
  #count = 0;

  make(): string {
    this.#count += 1;
    const directory = path.join(this.#root, String(this.#count));
    fs.mkdirSync(directory);
    return directory;
  }

  remove(): void {
    fs.rmSync(this.#root, { recursive: true, force: true });
  }
}
