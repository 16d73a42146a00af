/**
 * A process of the simulated world. While it sleeps, what is due and what it is told waits; when it is killed, all of that is gone. What it
 * has asked of others happens all the same.
 */
import type { World } from "./world.ts";

export class Life {
  /** For people. */
  readonly name: string;
  readonly #world: World;
  #state: "awake" | "asleep" | "dead" = "awake";
  #waiting: (() => void)[] = [];

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
  }

  get isAlive(): boolean {
    return this.#state !== "dead";
  }

  get isAsleep(): boolean {
    return this.#state === "asleep";
  }

  /** Returns what cancels it. */
  readonly after = (delayMs: number, run: () => void): (() => void) => {
    let isCancelled = false;
    this.#world.after(delayMs, () =>
      this.tell(() => {
        if (!isCancelled) run();
      }),
    );
    return () => {
      isCancelled = true;
    };
  };

  /** The same in whole milliseconds, as those of a clock. */
  readonly afterWhole = (delayMs: number, run: () => void): (() => void) =>
    this.after(Math.ceil(delayMs), run);

  /** An event for this process: now, when it wakes up, or never. */
  tell(run: () => void): void {
    if (this.#state === "awake") run();
    else if (this.#state === "asleep") this.#waiting.push(run);
  }

  sleep(): void {
    if (this.#state === "awake") this.#state = "asleep";
  }

  /** What has been waiting happens one after another. */
  wake(): void {
    if (this.#state !== "asleep") return;
    this.#state = "awake";
    for (const run of this.#waiting.splice(0)) this.#world.after(0, () => this.tell(run));
  }

  kill(): void {
    this.#state = "dead";
    this.#waiting = [];
  }
}
