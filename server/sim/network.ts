/**
 * The simulated network between invoker and endpoints: bytes arrive late, in pieces, in order, or the connection is cut. What TCP would
 * not do (reorder, duplicate, lose a piece of a stream) does not happen.
 */
import type {
  Exchange,
  ExchangeHandler,
  ExchangeRequest,
  Transport,
} from "../invoker/transport.ts";
import type { HttpEndpoint } from "../invoker/endpoint.ts";
import type { World } from "./world.ts";

/** The endpoint's side of one exchange. */
export interface Handling {
  onData(chunk: Uint8Array): void;
  onInputClosed(): void;
  onAborted(): void;
}

export interface Sink {
  write(bytes: Uint8Array): void;
  end(): void;
}

/** A process that serves handlers. While it is down nobody can connect; what it was doing is gone. */
export interface Host {
  isUp(): boolean;
  /** Called for each connection that reaches it. */
  accept(path: string, contentType: string, sink: Sink): Handling;
}

export interface NetworkFaults {
  /** The chance that a connection is cut at some moment of its life. */
  cut: number;
  latencyMsMax: number;
}

export class SimNetwork {
  readonly #world: World;
  readonly #hosts = new Map<string, Host>();
  readonly #open = new Set<Connection>();
  readonly faults: NetworkFaults;

  constructor(world: World, faults: NetworkFaults) {
    this.#world = world;
    this.faults = faults;
  }

  addHost(origin: string, host: Host): void {
    this.#hosts.set(origin, host);
  }

  /** Cuts all connections of a host, as when its process is killed. */
  cutHost(origin: string): void {
    for (const connection of this.#open) if (connection.origin === origin) connection.cut();
  }

  /** A transport for one server process; `kill` drops its end of everything. */
  transport(): Transport<HttpEndpoint> & { kill(): void } {
    const mine = new Set<Connection>();
    return {
      open: (request, handler) => {
        const host = this.#hosts.get(request.endpoint.origin);
        const connection = new Connection(this.#world, this.faults, request, handler, host);
        mine.add(connection);
        this.#open.add(connection);
        connection.onGone = () => {
          mine.delete(connection);
          this.#open.delete(connection);
        };
        return connection;
      },
      close: () => {
        for (const connection of mine) connection.reset();
      },
      kill: () => {
        for (const connection of mine) connection.dropClient();
      },
    };
  }
}

/** One exchange. Both directions keep their order: each has a time before which nothing later may arrive. */
class Connection implements Exchange {
  readonly origin: string;
  readonly #world: World;
  readonly #faults: NetworkFaults;
  #client: ExchangeHandler | null;
  #handling: Handling | null = null;
  #toEndpointMs = 0;
  #toClientMs = 0;
  #gone = false;
  onGone: () => void = () => {};

  constructor(
    world: World,
    faults: NetworkFaults,
    request: ExchangeRequest<HttpEndpoint>,
    handler: ExchangeHandler,
    host: Host | undefined,
  ) {
    this.#world = world;
    this.#faults = faults;
    this.#client = handler;
    this.origin = request.endpoint.origin;
    this.#toEndpoint(() => this.#connect(request, host));
    if (world.chance(faults.cut)) world.after(world.below(200), () => this.cut());
  }

  #connect(request: ExchangeRequest<HttpEndpoint>, host: Host | undefined): void {
    if (host === undefined || !host.isUp()) return this.#fail("connection refused");
    const contentType = request.headers["content-type"] ?? "";
    this.#handling = host.accept(request.path, contentType, {
      write: (bytes) => this.#arrive(bytes),
      end: () => this.#toClient(() => this.#finish()),
    });
    this.#toClient(() => this.#client?.onHead({ status: 200, contentType, retryAfter: undefined }));
    this.#deliver(request.body);
    if (request.bodyComplete) this.#handling?.onInputClosed();
  }

  write(bytes: Uint8Array): boolean {
    this.#toEndpoint(() => this.#deliver(bytes));
    return true;
  }

  end(): void {
    this.#toEndpoint(() => this.#handling?.onInputClosed());
  }

  /** The simulation's endpoints do not flood. */
  pause(): void {}

  resume(): void {}

  reset(): void {
    this.#toEndpoint(() => {
      this.#handling?.onAborted();
      this.#handling = null;
    });
    this.#toClient(() => this.#close());
  }

  /** The connection breaks: both sides notice. */
  cut(): void {
    if (this.#gone) return;
    this.#handling?.onAborted();
    this.#handling = null;
    this.#fail("connection reset");
  }

  /** The server process died: nobody is left to tell, and the endpoint notices. */
  dropClient(): void {
    this.#client = null;
    this.#toEndpoint(() => {
      this.#handling?.onAborted();
      this.#handling = null;
    });
  }

  /** In pieces of any size, as a network delivers them. */
  #deliver(bytes: Uint8Array): void {
    for (const piece of this.#pieces(bytes)) this.#handling?.onData(piece);
  }

  #arrive(bytes: Uint8Array): void {
    for (const piece of this.#pieces(bytes)) this.#toClient(() => this.#client?.onData(piece));
  }

  #pieces(bytes: Uint8Array): Uint8Array[] {
    if (bytes.length < 2 || this.#world.chance(0.7)) return [bytes.slice()];
    const at = 1 + this.#world.below(bytes.length - 1);
    return [bytes.slice(0, at), bytes.slice(at)];
  }

  #finish(): void {
    this.#client?.onEnd();
    this.#close();
  }

  #fail(message: string): void {
    this.#toClient(() => {
      this.#client?.onError(message);
      this.#close();
    });
  }

  #close(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#client?.onClose();
    this.#client = null;
    this.onGone();
  }

  #toEndpoint(run: () => void): void {
    this.#toEndpointMs = this.#at(this.#toEndpointMs, run);
  }

  #toClient(run: () => void): void {
    this.#toClientMs = this.#at(this.#toClientMs, () => {
      if (!this.#gone) run();
    });
  }

  #at(earliestMs: number, run: () => void): number {
    const nowMs = this.#world.nowMs();
    const dueMs = Math.max(earliestMs, nowMs + this.#world.below(this.#faults.latencyMsMax + 1));
    this.#world.after(dueMs - nowMs, run);
    return dueMs;
  }
}
