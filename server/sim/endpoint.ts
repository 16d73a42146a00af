/** An endpoint process in the simulated world: our SDK without a socket, on the simulated clock. */
import type { Host as SdkHost } from "../../sdk/context/host.ts";
import type { ServiceDefinition } from "../../sdk/define/definition.ts";
import { consoleLogger } from "../../sdk/define/logger.ts";
import { Invocation } from "../../sdk/endpoint/invoke.ts";
import { ServedServices } from "../../sdk/endpoint/served-services.ts";
import { parseInvocationContentType } from "../../sdk/protocol/version.ts";
import { present } from "../base/assert.ts";
import type { Handling, Host, Sink } from "./network.ts";
import type { World } from "./world.ts";

/** Set to see what handlers log. */
const LOGS = process.env["SIM_LOG"] === "1";

export class SimEndpoint implements Host {
  readonly #services: ServedServices;
  readonly #world: World;
  /** Counts lives: what belongs to an earlier one is dead. */
  #life = 1;
  #isUp = true;

  constructor(world: World, services: readonly ServiceDefinition<string, unknown>[]) {
    this.#world = world;
    const logger = LOGS ? consoleLogger : () => {};
    this.#services = new ServedServices({ services: [...services], logger });
  }

  isUp(): boolean {
    return this.#isUp;
  }

  crash(): void {
    this.#isUp = false;
    this.#life += 1;
  }

  restart(): void {
    this.#isUp = true;
  }

  accept(path: string, contentType: string, sink: Sink): Handling {
    const [, , service = "", handler = ""] = path.split("/");
    const exchange = new Invocation({
      handler: present(this.#services.find(service, handler), path),
      version: present(parseInvocationContentType(contentType), contentType),
      sink: this.#mortal(sink),
      host: this.#host(),
    });
    return {
      onData: (chunk) => exchange.onData(chunk),
      onInputClosed: () => exchange.onInputClosed(),
      onAborted: () => exchange.onAborted(),
    };
  }

  /** A dead process writes nothing. */
  #mortal(sink: Sink): { write(bytes: Uint8Array): boolean; end(bytes?: Uint8Array): void } {
    const life = this.#life;
    return {
      write: (bytes) => {
        if (life === this.#life) sink.write(bytes.slice());
        return true;
      },
      end: (bytes) => {
        if (life !== this.#life) return;
        if (bytes !== undefined) sink.write(bytes.slice());
        sink.end();
      },
    };
  }

  /** A dead process does nothing any more: what it had scheduled never runs. */
  #host(): SdkHost {
    const life = this.#life;
    return {
      nowMs: () => this.#world.nowMs(),
      afterMicrotasks: (job) => {
        this.#world.after(0, () => {
          if (life === this.#life) job.run();
        });
      },
    };
  }
}
