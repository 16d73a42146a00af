/** Sends each exchange the way its endpoint is reached. */
import { HttpTransport } from "./http-transport.ts";
import type { LambdaInvoker } from "./lambda-client.ts";
import { LambdaTransport } from "./lambda-transport.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";

export class EndpointTransport implements Transport {
  readonly #http = new HttpTransport();
  readonly #lambda: LambdaTransport;

  constructor(invoker: LambdaInvoker) {
    this.#lambda = new LambdaTransport(invoker);
  }

  open({ endpoint, ...request }: ExchangeRequest, handler: ExchangeHandler): Exchange {
    return endpoint.kind === "http"
      ? this.#http.open({ ...request, endpoint }, handler)
      : this.#lambda.open({ ...request, endpoint }, handler);
  }

  close(): void {
    this.#http.close();
    this.#lambda.close();
  }
}
