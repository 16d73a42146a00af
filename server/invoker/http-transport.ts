/** Sends each exchange the way its endpoint answered the discovery. */
import { Http1Transport } from "./http1.ts";
import { Http2Transport } from "./http2.ts";
import type { Http2Options } from "./http2-session.ts";
import type { HttpEndpoint } from "./endpoint.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";

export class HttpTransport implements Transport<HttpEndpoint> {
  readonly #http1: Http1Transport;
  readonly #http2: Http2Transport;

  constructor(options: Http2Options = {}) {
    this.#http1 = new Http1Transport(options);
    this.#http2 = new Http2Transport(options);
  }

  open(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler): Exchange {
    const isHttp2 = request.endpoint.httpVersion === "HTTP/2.0";
    return (isHttp2 ? this.#http2 : this.#http1).open(request, handler);
  }

  close(): void {
    this.#http1.close();
    this.#http2.close();
  }
}
