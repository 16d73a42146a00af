/**
 * HTTP/1.1 on undici's dispatcher, one connection an exchange at a time. A bidirectional exchange sends its request in chunks
 * while the response arrives; a complete one goes out with its length.
 */
import { Readable } from "node:stream";
import { Agent, type Dispatcher } from "undici";
import {
  CONNECT_TIMEOUT_MS,
  type ConnectOptions,
  describeError,
  guardedLookup,
} from "./connect.ts";
import type { HttpEndpoint } from "./endpoint.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";

export class Http1Transport implements Transport<HttpEndpoint> {
  readonly #agent: Agent;

  constructor(options: ConnectOptions = {}) {
    this.#agent = new Agent({
      pipelining: 1,
      allowH2: false,
      // The attempt has its own timeouts, which know of suspension.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
        lookup: guardedLookup,
        ...(options.ca === undefined ? {} : { ca: options.ca }),
      },
    });
  }

  open(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler): Exchange {
    const exchange = new Http1Exchange(request, handler);
    exchange.begin(this.#agent, request);
    return exchange;
  }

  close(): void {
    this.#agent.destroy().catch(() => {});
  }
}

/** The request body as undici wants it. */
class RequestBody extends Readable {
  readonly #onWanted: () => void;
  #isFull = false;

  constructor(onWanted: () => void) {
    super();
    this.#onWanted = onWanted;
  }

  /** False asks to wait until more is wanted. */
  add(bytes: Uint8Array): boolean {
    this.#isFull = !this.push(bytes);
    return !this.#isFull;
  }

  override _read(): void {
    if (!this.#isFull) return;
    this.#isFull = false;
    this.#onWanted();
  }
}

class Http1Exchange implements Exchange, Dispatcher.DispatchHandler {
  #handler: ExchangeHandler | null;
  readonly #body: RequestBody | null;
  #controller: Dispatcher.DispatchController | null = null;
  #isRequestComplete: boolean;

  constructor(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler) {
    this.#handler = handler;
    this.#isRequestComplete = request.bodyComplete;
    this.#body = request.bodyComplete ? null : this.#streamingBody(request.body);
  }

  begin(agent: Agent, { endpoint, path, headers, body }: ExchangeRequest<HttpEndpoint>): void {
    const options: Dispatcher.DispatchOptions = {
      origin: endpoint.origin,
      path,
      method: "POST",
      headers: { ...headers, host: endpoint.authority },
      body: this.#body ?? body,
    };
    try {
      agent.dispatch(options, this);
    } catch (error) {
      this.#fail(describeError(error));
    }
  }

  write(bytes: Uint8Array): boolean {
    if (this.#body === null || this.#isRequestComplete || this.#handler === null) return false;
    return this.#body.add(bytes);
  }

  end(): void {
    if (this.#isRequestComplete) return;
    this.#isRequestComplete = true;
    this.#body?.push(null);
  }

  pause(): void {
    if (this.#handler !== null) this.#controller?.pause();
  }

  resume(): void {
    if (this.#handler !== null) this.#controller?.resume();
  }

  reset(): void {
    const handler = this.#handler;
    if (handler === null) return;
    this.#handler = null;
    this.#controller?.abort(new Error("reset"));
    this.#body?.destroy();
    process.nextTick(() => handler.onClose());
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#handler === null) controller.abort(new Error("reset"));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    if (status < 200) return;
    this.#handler?.onHead({
      status,
      contentType: single(headers["content-type"]),
      retryAfter: single(headers["retry-after"]),
      server: single(headers["x-restate-server"]),
    });
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#handler?.onData(chunk);
  }

  onResponseEnd(): void {
    const handler = this.#handler;
    if (handler === null) return;
    handler.onEnd();
    if (this.#handler === null) return;
    this.#handler = null;
    this.end();
    handler.onClose();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(describeError(error));
  }

  #fail(message: string): void {
    const handler = this.#handler;
    if (handler === null) return;
    this.#handler = null;
    process.nextTick(() => {
      handler.onError(message);
      handler.onClose();
    });
  }

  #streamingBody(opening: Uint8Array): RequestBody {
    const body = new RequestBody(() => process.nextTick(() => this.#handler?.onWritable()));
    // What became of the request is told by the response.
    body.on("error", () => {});
    body.add(opening);
    return body;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
