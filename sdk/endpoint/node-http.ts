/** An endpoint on Node's own servers, HTTP/2 and HTTP/1.1. */
import http2 from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import type { Sink } from "../context/host.ts";
import type { ServiceDefinition } from "../define/definition.ts";
import type { ServiceOptions } from "../define/service.ts";
import { invocationContentType } from "../protocol/version.ts";
import { InvokeExchange } from "./invoke.ts";
import { route, type Routed, SERVER_HEADER } from "./router.ts";
import { type EndpointOptions, ServedServices } from "./served-services.ts";

export interface NodeEndpointOptions extends EndpointOptions {
  /**
   * Whether requests and responses flow at the same time. Default: over HTTP/2 yes, over HTTP/1.1 no; then each await that
   * needs the server ends an attempt and begins another.
   */
  bidirectional?: boolean;
}

export interface ServeOptions extends NodeEndpointOptions {
  /** Default: the environment variable PORT, else 9080. 0: any free one. */
  port?: number;
  /** The address to listen on. Default: all of them. */
  host?: string;
}

type NodeRequest = IncomingMessage | Http2ServerRequest;
type NodeResponse = ServerResponse | Http2ServerResponse;

/** For `http2.createServer(handler)` and `http.createServer(handler)` alike. */
export type NodeHandler = {
  (request: IncomingMessage, response: ServerResponse): void;
  (request: Http2ServerRequest, response: Http2ServerResponse): void;
};

const DEFAULT_PORT = 9080;

/**
 * A request handler that serves these services.
 *
 * @example
 * http2.createServer(createEndpointHandler({ services: [greeter] })).listen(9080);
 */
export function createEndpointHandler(options: NodeEndpointOptions): NodeHandler {
  const services = new ServedServices(options);
  return (request: NodeRequest, response: NodeResponse): void => {
    const isHttp2 = request.httpVersionMajor >= 2;
    const { bidirectional = isHttp2 } = options;
    const routed = route(
      services,
      {
        method: request.method ?? "",
        url: request.url ?? "",
        contentType: request.headers["content-type"],
        accept: request.headers.accept,
      },
      bidirectional ? "BIDI_STREAM" : "REQUEST_RESPONSE",
    );
    if (routed.kind === "answer") answer(request, response, routed);
    else invoke(request, response, routed);
  };
}

/**
 * Serves these services over HTTP/2 without TLS, on all addresses unless `host` says otherwise; anyone who can reach the port
 * can invoke them. Resolves to the port once it accepts connections.
 */
export async function serve({
  port = portFromEnvironment(),
  host,
  ...options
}: ServeOptions): Promise<number> {
  const server = http2.createServer(createEndpointHandler(options));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return isAddress(address) ? address.port : port;
}

/** The same, step by step. */
export interface RestateEndpoint {
  bind(definition: ServiceDefinition<string, unknown>): RestateEndpoint;
  defaultServiceOptions(options: ServiceOptions): RestateEndpoint;
  /** For a server of your own. */
  handler(options?: { bidirectional?: boolean }): NodeHandler;
  /** Resolves to the port once it accepts connections. */
  listen(port?: number): Promise<number>;
}

export function endpoint(): RestateEndpoint {
  const services: ServiceDefinition<string, unknown>[] = [];
  let defaults: ServiceOptions = {};
  const all = (): NodeEndpointOptions => ({ services, defaultServiceOptions: defaults });
  const made: RestateEndpoint = {
    bind: (definition) => {
      services.push(definition);
      return made;
    },
    defaultServiceOptions: (options) => {
      defaults = options;
      return made;
    },
    handler: (options) => createEndpointHandler({ ...all(), ...options }),
    listen: (port) => serve({ ...all(), ...(port !== undefined && { port }) }),
  };
  return made;
}

function portFromEnvironment(): number {
  const port = Number(process.env["PORT"] ?? DEFAULT_PORT);
  return Number.isInteger(port) && port >= 0 && port < 65_536 ? port : DEFAULT_PORT;
}

function isAddress(address: AddressInfo | string | null): address is AddressInfo {
  return address !== null && typeof address === "object";
}

function answer(
  request: NodeRequest,
  response: NodeResponse,
  routed: Routed & { kind: "answer" },
): void {
  request.resume();
  response.writeHead(routed.status, {
    "content-type": routed.contentType,
    "x-restate-server": SERVER_HEADER,
  });
  response.end(routed.body);
}

function invoke(
  request: NodeRequest,
  response: NodeResponse,
  routed: Routed & { kind: "invoke" },
): void {
  const { handler, version } = routed;
  const exchange = new InvokeExchange({
    handler,
    version,
    sink: sinkOf(response),
    headers: new Map(Object.entries(request.headers)),
  });
  // At once: the server may wait for it before it sends anything.
  response.writeHead(200, {
    "content-type": invocationContentType(version),
    "x-restate-server": SERVER_HEADER,
  });
  response.flushHeaders();
  request.on("data", (chunk: Uint8Array) => exchange.onData(chunk));
  request.on("end", () => exchange.onInputClosed());
  request.on("error", ignore);
  response.on("error", ignore);
  response.on("drain", () => exchange.onDrained());
  // Also when the server cut the stream: then nobody is left to answer to.
  response.on("close", () => exchange.onAborted());
}

/** A connection that breaks is not an error of the endpoint; `close` follows. */
function ignore(): void {}

function sinkOf(response: NodeResponse): Sink {
  return {
    write: (bytes) => write(response, bytes),
    end: (bytes) => {
      if (bytes !== undefined) write(response, bytes);
      response.end();
    },
  };
}

function write(response: NodeResponse, bytes: Uint8Array): boolean {
  return "stream" in response ? response.write(bytes) : response.write(bytes);
}
