/** One life of the server in the simulated world: the real processor, machine and invoker on a simulated disk, clock and network. */
import { silentLog } from "../base/log.ts";
import { ResultWaiters } from "../ingress/waiters.ts";
import { Attempts } from "../invoker/attempts.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import { Processor } from "../processor/processor.ts";
import { WallTimerQueue } from "../timers/timer-queue.ts";
import type { SimNetwork } from "./network.ts";
import type { SimStore } from "./sim-store.ts";
import type { World } from "./world.ts";

export class SimServer {
  readonly processor: Processor;
  readonly waiters = new ResultWaiters();
  readonly store: SimStore;
  readonly #world: World;
  readonly #transport: ReturnType<SimNetwork["transport"]>;
  #alive = true;

  constructor(world: World, store: SimStore, network: SimNetwork, attemptsMax: number) {
    this.#world = world;
    this.store = store;
    this.#transport = network.transport();
    this.processor = new Processor({
      store,
      clock: world,
      schedule: (run) => this.#after(0, run),
      onFatal: (error) => this.#fail(error),
      onDefect: (error) => this.#fail(error),
    });
    const after = (delayMs: number, run: () => void) => this.#after(delayMs, run);
    const attempts = new Attempts({
      door: this.processor,
      transport: this.#transport,
      clock: world,
      log: silentLog,
      attemptsMax,
      waitingMax: 8,
      protocolVersionMax: 7,
      inactivityTimeoutMs: 30,
      abortTimeoutMs: 2000,
      drainTimeoutMs: 50,
      monotonicMs: () => world.nowMs(),
      after,
    });
    const timers = new WallTimerQueue({ door: this.processor, clock: world, after });
    this.processor.connect({ attempts, timers, waiters: this.waiters });
    attempts.recover();
  }

  get alive(): boolean {
    return this.#alive;
  }

  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void {
    if (this.#alive) this.processor.ask(input, answer);
  }

  /** The process dies, and the power with it; what the disk still holds is the next one's. */
  crash(): SimStore {
    this.#alive = false;
    this.processor.stop();
    this.#transport.kill();
    return this.store.crash();
  }

  /** What a process scheduled dies with it. */
  #after(delayMs: number, run: () => void): () => void {
    let cancelled = false;
    this.#world.after(delayMs, () => {
      if (this.#alive && !cancelled) run();
    });
    return () => {
      cancelled = true;
    };
  }

  #fail(error: unknown): void {
    throw error instanceof Error ? error : new Error(String(error));
  }
}
