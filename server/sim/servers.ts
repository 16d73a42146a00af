/** The servers of a simulated history, one at a time or more, and what befalls them. */
import { Life } from "./life.ts";
import type { SimNetwork } from "./network.ts";
import { SimServer } from "./server.ts";
import { SimStore } from "./sim-store.ts";
import type { World } from "./world.ts";

export interface Servers {
  /** One that a caller reaches; it may be dead. Null: none has ever lived. */
  any(): SimServer | null;
  /** The one whose state counts; null: there is none at the moment. */
  current(): SimServer | null;
  /** Something befalls one of them; `recovered` is called when the next thing may. */
  hit(recovered: () => void): void;
  /** Nothing befalls them any more. */
  heal(): void;
  /** The machines are lost; false: what they had is lost with them. */
  loseAll(): boolean;
  /** Promises that they have broken. */
  readonly broken: readonly string[];
  /** Two lived at once: a step may have run for one that did not count any more. */
  readonly wereTwo: boolean;
}

export interface ServersOptions {
  readonly world: World;
  readonly network: SimNetwork;
  readonly attemptsMax: number;
}

/** One server on one disk, which loses power again and again. */
export class DiskServers implements Servers {
  readonly broken: readonly string[] = [];
  readonly wereTwo = false;
  readonly #world: World;
  readonly #network: SimNetwork;
  readonly #attemptsMax: number;
  #store: SimStore;
  #server: SimServer;

  constructor({ world, network, attemptsMax }: ServersOptions) {
    this.#world = world;
    this.#network = network;
    this.#attemptsMax = attemptsMax;
    this.#store = new SimStore(world);
    this.#server = this.#boot();
  }

  any(): SimServer {
    return this.#server;
  }

  current(): SimServer | null {
    return this.#server.alive ? this.#server : null;
  }

  hit(recovered: () => void): void {
    this.#server.kill();
    this.#store = this.#store.crash();
    this.#world.after(20 + this.#world.below(100), () => {
      this.#server = this.#boot();
      recovered();
    });
  }

  heal(): void {}

  loseAll(): boolean {
    return false;
  }

  #boot(): SimServer {
    this.#world.trace("server starts");
    return new SimServer({
      world: this.#world,
      life: new Life(this.#world, "server"),
      store: this.#store,
      network: this.#network,
      attemptsMax: this.#attemptsMax,
      onFatal: (error) => {
        throw error;
      },
    });
  }
}
