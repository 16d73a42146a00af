/** Endpoints on Node's own servers: a request handler, a server, and the builder for both. */
import type { IncomingMessage, ServerResponse } from "node:http";
import http2, {
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from "node:http2";
import { respondHttp1 } from "./node-http1.ts";
import { respondHttp2 } from "./node-http2.ts";
import { Requests } from "./requests.ts";
import type { ManifestForm } from "./router.ts";
import type { EndpointOptions } from "./served-services.ts";

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
      const form = bidirectional === false ? REQUEST_RESPONSE : STREAMING;
      const routed = requests.route(request.url, request.headers, form);
      respondHttp2(request.stream, request.headers, routed);
    } else if (!("stream" in response)) {
      const form = bidirectional === true ? STREAMING : REQUEST_RESPONSE;
      const routed = requests.route(request.url ?? "", request.headers, form);
      respondHttp1(request, response, routed, form === STREAMING);
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
    respondHttp2(stream, headers, requests.route(headers[":path"] ?? "", headers, STREAMING));
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

const STREAMING: ManifestForm = { protocolMode: "BIDI_STREAM" };
const REQUEST_RESPONSE: ManifestForm = { protocolMode: "REQUEST_RESPONSE" };

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
