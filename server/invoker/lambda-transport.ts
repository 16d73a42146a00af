/** Exchanges with functions on AWS Lambda: the request is complete before it is sent, the response arrives in one piece. */
import { describeLambdaError, type LambdaInvoker } from "./lambda-client.ts";
import type { LambdaEndpoint } from "./endpoint.ts";
import type { LambdaResponse } from "./lambda-event.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";

export class LambdaTransport implements Transport<LambdaEndpoint> {
  readonly #invoker: LambdaInvoker;

  constructor(invoker: LambdaInvoker) {
    this.#invoker = invoker;
  }

  open(request: ExchangeRequest<LambdaEndpoint>, handler: ExchangeHandler): Exchange {
    return new LambdaExchange(this.#invoker, request, handler);
  }

  close(): void {
    this.#invoker.close();
  }
}

class LambdaExchange implements Exchange {
  readonly #abort = new AbortController();
  #handler: ExchangeHandler | null;

  constructor(
    invoker: LambdaInvoker,
    { endpoint, path, headers, body }: ExchangeRequest<LambdaEndpoint>,
    handler: ExchangeHandler,
  ) {
    this.#handler = handler;
    const request = { method: "POST", path, headers, body } as const;
    invoker.invoke(endpoint.target, request, this.#abort.signal).then(
      (response) => this.#answer(response),
      (error: unknown) => this.#fail(describeLambdaError(error)),
    );
  }

  /** Nothing can be added: it was sent whole. */
  write(): boolean {
    return false;
  }

  end(): void {}
  pause(): void {}
  resume(): void {}

  /** The function runs on, but nobody hears it. */
  reset(): void {
    const handler = this.#handler;
    if (handler === null) return;
    this.#handler = null;
    this.#abort.abort();
    process.nextTick(() => handler.onClose());
  }

  #answer({ status, headers, body }: LambdaResponse): void {
    this.#handler?.onHead({
      status,
      contentType: headers["content-type"],
      retryAfter: headers["retry-after"],
      server: headers["x-restate-server"],
    });
    if (body.length > 0) this.#handler?.onData(body);
    this.#handler?.onEnd();
    this.#handler?.onClose();
    this.#handler = null;
  }

  #fail(message: string): void {
    this.#handler?.onError(message);
    this.#handler?.onClose();
    this.#handler = null;
  }
}
