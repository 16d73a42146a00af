/** One life of the server in the simulated world: the real processor, machine and invoker on a simulated disk, clock and network. */
import { silentLog } from "../base/log.ts";
import { ResultWaiters } from "../ingress/waiters.ts";
import { Attempts } from "../invoker/attempts.ts";
import type { HttpEndpoint } from "../invoker/endpoint.ts";
import type { Transport } from "../invoker/transport.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import type { Store } from "../processor/ports.ts";
import { Processor } from "../processor/processor.ts";
import { WallTimerQueue } from "../timers/timer-queue.ts";
import type { Life } from "./life.ts";
import type { SimNetwork } from "./network.ts";
import type { World } from "./world.ts";

export interface SimServerOptions {
  readonly world: World;
  readonly life: Life;
  readonly store: Store;
  readonly network: SimNetwork;
  readonly attemptsMax: number;
  /** The medium failed, or is another server's now. */
  readonly onFatal: (error: Error) => void;
}

export class SimServer {
  readonly processor: Processor;
  readonly waiters = new ResultWaiters();
  readonly #life: Life;
  readonly #transport: ReturnType<SimNetwork["transport"]>;

  constructor({ world, life, store, network, attemptsMax, onFatal }: SimServerOptions) {
    this.#life = life;
    this.#transport = network.transport();
    const { after } = life;
    this.processor = new Processor({
      store,
      clock: world,
      schedule: (run) => after(0, run),
      onFatal,
      onDefect: (error) => {
        throw error instanceof Error ? error : new Error(String(error));
      },
    });
    const attempts = new Attempts({
      door: this.processor,
      transport: heardBy(life, this.#transport),
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
    return this.#life.isAlive;
  }

  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void {
    this.#life.tell(() => this.processor.ask(input, answer));
  }

  /** The process dies, and its connections with it. */
  kill(): void {
    this.#life.kill();
    this.processor.stop();
    this.#transport.kill();
  }
}

/** What a process that sleeps is sent, it finds when it wakes up. */
function heardBy(life: Life, transport: Transport<HttpEndpoint>): Transport<HttpEndpoint> {
  return {
    open: (request, handler) =>
      transport.open(request, {
        onHead: (head) => life.tell(() => handler.onHead(head)),
        onData: (chunk) => life.tell(() => handler.onData(chunk)),
        onEnd: () => life.tell(() => handler.onEnd()),
        onWritable: () => life.tell(() => handler.onWritable()),
        onError: (message) => life.tell(() => handler.onError(message)),
        onClose: () => life.tell(() => handler.onClose()),
      }),
    close: () => transport.close(),
  };
}
