/**
 * The network between server and handlers, without one: bytes arrive in order, in a later event. The endpoint's arrive frame by
 * frame, so that an attempt can be cut right after one of them.
 */
import type { Host } from "../context/host.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import { Invocation } from "../endpoint/invoke.ts";
import { FRAME_HEADER_BYTES } from "../protocol/frame.ts";
import { parseInvocationContentType } from "../protocol/version.ts";
import type {
  Exchange,
  ExchangeHandler,
  ExchangeRequest,
  Transport,
} from "../../server/invoker/transport.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface InProcessOptions {
  readonly clock: VirtualClock;
  readonly find: (service: string, handler: string) => ServedHandler | undefined;
}

export class InProcessTransport implements Transport {
  readonly #options: InProcessOptions;
  readonly #open = new Set<Connection>();
  /** Whose frame the server is being given. */
  #delivering: Connection | undefined;

  constructor(options: InProcessOptions) {
    this.#options = options;
  }

  open(request: ExchangeRequest, handler: ExchangeHandler): Exchange {
    const connection = new Connection(this.#options, request, handler, {
      onDelivering: (delivering) => (this.#delivering = delivering),
      onGone: () => this.#open.delete(connection),
    });
    this.#open.add(connection);
    return connection;
  }

  close(): void {
    for (const connection of this.#open) connection.reset();
  }

  /** No handler and no step does anything by itself. */
  get isAtRest(): boolean {
    for (const connection of this.#open) if (!connection.isAtRest) return false;
    return true;
  }

  /** Cuts the connection whose frame the server is being given: the server keeps the frame, and nothing after it. */
  cutDelivering(why: string): void {
    this.#delivering?.cut(why);
  }

  /** Nothing is written or read any more, and nobody is told. */
  kill(): void {
    for (const connection of this.#open) connection.kill();
    this.#open.clear();
  }
}

interface ConnectionEvents {
  readonly onDelivering: (connection: Connection | undefined) => void;
  readonly onGone: () => void;
}

class Connection implements Exchange {
  readonly #options: InProcessOptions;
  readonly #events: ConnectionEvents;
  #client: ExchangeHandler | null;
  #invocation: Invocation | null = null;

  constructor(
    options: InProcessOptions,
    request: ExchangeRequest,
    client: ExchangeHandler,
    events: ConnectionEvents,
  ) {
    this.#options = options;
    this.#client = client;
    this.#events = events;
    this.#later(() => this.#connect(request));
  }

  get isAtRest(): boolean {
    return this.#invocation?.isAtRest ?? true;
  }

  write(bytes: Uint8Array): boolean {
    this.#later(() => this.#invocation?.onData(bytes));
    return true;
  }

  end(): void {
    this.#later(() => this.#invocation?.onInputClosed());
  }

  /** What a handler writes is in memory already. */
  pause(): void {}

  resume(): void {}

  reset(): void {
    this.#later(() => this.#close());
  }

  cut(why: string): void {
    const client = this.#client;
    this.#client = null;
    this.#abort();
    this.#later(() => {
      client?.onError(why);
      client?.onClose();
      this.#events.onGone();
    });
  }

  kill(): void {
    this.#client = null;
    this.#abort();
  }

  #connect({ path, headers, body, bodyComplete }: ExchangeRequest): void {
    const contentType = headers["content-type"] ?? "";
    const version = parseInvocationContentType(contentType);
    const [, , service = "", name = ""] = path.split("/");
    const handler = this.#options.find(service, name);
    if (version === undefined || handler === undefined) {
      this.#client?.onError(`nothing serves ${path} as ${contentType}`);
      return this.#close();
    }
    const sink = {
      write: (bytes: Uint8Array) => {
        this.#receive(bytes);
        return true;
      },
      end: (bytes?: Uint8Array) => {
        if (bytes !== undefined) this.#receive(bytes);
        this.#later(() => this.#finish());
      },
    };
    const { clock } = this.#options;
    const host: Host = {
      nowMs: () => clock.nowMs(),
      afterMicrotasks: (job) => void clock.after(0, () => job.run()),
    };
    this.#invocation = new Invocation({ handler, version, sink, host, attemptHeaders: headers });
    this.#client?.onHead({ status: 200, contentType, retryAfter: undefined });
    this.#invocation.onData(body);
    return bodyComplete ? this.#invocation.onInputClosed() : undefined;
  }

  /** What an attempt writes at once is whole frames. Copied: its buffers are its own. */
  #receive(bytes: Uint8Array): void {
    const copy = bytes.slice();
    const view = new DataView(copy.buffer);
    for (let at = 0; at < copy.length;) {
      const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 4);
      const frame = Buffer.from(copy.buffer, at, end - at);
      this.#later(() => this.#deliver(frame));
      at = end;
    }
  }

  #deliver(frame: Buffer): void {
    this.#events.onDelivering(this);
    this.#client?.onData(frame);
    this.#events.onDelivering(undefined);
  }

  #finish(): void {
    this.#client?.onEnd();
    this.#close();
  }

  #close(): void {
    const client = this.#client;
    this.#client = null;
    this.#abort();
    client?.onClose();
    this.#events.onGone();
  }

  #abort(): void {
    this.#invocation?.onAborted();
    this.#invocation = null;
  }

  #later(happen: () => void): void {
    this.#options.clock.after(0, happen);
  }
}
