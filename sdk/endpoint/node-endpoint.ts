/** Endpoints on Node's own servers: a request handler, a server, and the builder for both. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import http2, {
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import type { ProtocolMode } from "../protocol/manifest.ts";
import { IdentityVerifier } from "./identity.ts";
import { respondHttp1 } from "./node-http1.ts";
import { respondHttp2 } from "./node-http2.ts";
import { pathOf, route, type Routed } from "./router.ts";
import { type EndpointOptions, ServedServices } from "./served-services.ts";

export interface NodeEndpointOptions extends EndpointOptions {
  /**
   * Whether the server keeps talking to a running handler (true) or ends its request at once and starts another attempt for
   * each result the handler waits for (false). Default: true over HTTP/2, false over HTTP/1.1.
   */
  bidirectional?: boolean;
}

export interface ServeOptions extends EndpointOptions {
  /** Default: the environment variable PORT, else 9080. 0: any free one. */
  port?: number;
  /** The address to listen on. Default: all of them, so that a server on another machine can reach the services. */
  host?: string;
}

/** For `http2.createServer(handler)` and `http.createServer(handler)` alike. */
export interface NodeHandler {
  (request: IncomingMessage, response: ServerResponse): void;
  (request: Http2ServerRequest, response: Http2ServerResponse): void;
}

const DEFAULT_PORT = 9080;
const PORT_MAX = 0xffff;

/**
 * A request handler that serves these services. Throws `TypeError` for what is no service and for a bad identity key.
 *
 * @example
 * http2.createServer(createEndpointHandler({ services: [greeter] })).listen(9080);
 */
export function createEndpointHandler(options: NodeEndpointOptions): NodeHandler {
  const { bidirectional } = options;
  const requests = new Requests(options);
  return (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    if ("stream" in request) {
      const routed = requests.route(request.url, request.headers, bidirectional ?? true);
      respondHttp2(request.stream, request.headers, routed);
    } else if (!("stream" in response)) {
      const streaming = bidirectional ?? false;
      const routed = requests.route(request.url ?? "", request.headers, streaming);
      respondHttp1(request, response, routed, streaming);
    }
  };
}

/**
 * Serves these services over HTTP/2 without TLS and resolves to the port once it accepts connections. It listens on all
 * addresses unless `host` says otherwise, and whoever reaches the port can invoke the services: keep it in a private
 * network, or give `identityKeys`.
 */
export async function serve({ port, host, ...options }: ServeOptions): Promise<number> {
  const server = await listen(options, port ?? portFromEnvironment(), host);
  return portOf(server);
}

/** The server behind `serve`, without the request and response objects that only its handler form needs. */
export async function listen(
  options: EndpointOptions,
  port: number,
  host: string | undefined,
): Promise<Http2Server> {
  const requests = new Requests(options);
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    respondHttp2(stream, headers, requests.route(headers[":path"] ?? "", headers, true));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return server;
}

/** Routes requests of either protocol. */
class Requests {
  readonly #services: ServedServices;
  readonly #identity: IdentityVerifier | undefined;

  constructor(options: EndpointOptions) {
    const { identityKeys = [] } = options;
    this.#services = new ServedServices(options);
    this.#identity = identityKeys.length > 0 ? new IdentityVerifier(identityKeys) : undefined;
  }

  route(url: string, headers: IncomingHttpHeaders, bidirectional: boolean): Routed {
    const mode: ProtocolMode = bidirectional ? "BIDI_STREAM" : "REQUEST_RESPONSE";
    const { accept, "content-type": contentType } = headers;
    const isAuthorized = this.#isAuthorized(url, headers);
    return route(this.#services, { url, contentType, accept, isAuthorized }, mode);
  }

  #isAuthorized(url: string, headers: IncomingHttpHeaders): boolean {
    if (this.#identity === undefined) return true;
    const scheme = single(headers["x-restate-signature-scheme"]);
    const token = single(headers["x-restate-jwt-v1"]);
    return this.#identity.accepts({ path: pathOf(url), scheme, token }, Date.now());
  }
}

const single = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? undefined : value;

export function portFromEnvironment(): number {
  const text = process.env["PORT"] ?? "";
  if (text === "") return DEFAULT_PORT;
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= PORT_MAX) return port;
  throw new TypeError(`the environment variable PORT is "${text}", not a port`);
}

export function portOf(server: Http2Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the server has no port");
  return address.port;
}
