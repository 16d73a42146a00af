/**
 * A listening socket with bounds: sizes, times and connections. Whatever arrives on it, it goes on listening; what cannot be
 * read as a request is answered with the error document where there is still somebody to answer, and cut where not.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import {
  createServer as createTlsServer,
  Server as TlsServer,
  type ServerOptions as SecureServerOptions,
} from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { present } from "../base/assert.ts";
import { answerable } from "./answer.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { Http2Connections } from "./http2-connections.ts";
import { type PrefaceOptions, readPreface } from "./preface.ts";
import {
  type Problem,
  problemDocument,
  problemHeaders,
  type ProblemSource,
  sendProblem,
} from "./problem.ts";

export interface ListenerLimits {
  /** Request target and headers together. */
  readonly headBytesMax: number;
  readonly urlBytesMax: number;
  /** From the first byte of a request to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From the first byte of a request to the end of its body. How long the answer takes is not limited. */
  readonly requestTimeoutMs: number;
  /** An idle connection is kept this long. */
  readonly keepAliveTimeoutMs: number;
  readonly connectionsMax: number;
}

export const LISTENER_LIMITS: ListenerLimits = {
  headBytesMax: 24 * 1024,
  urlBytesMax: 8 * 1024,
  headersTimeoutMs: 20_000,
  // The largest body a default server accepts, 32 MiB, at 2 Mbit/s.
  requestTimeoutMs: 150_000,
  // Longer than the idle time of common load balancers (60 s), which otherwise send on a connection that is being closed.
  keepAliveTimeoutMs: 75_000,
  connectionsMax: 10_000,
};

/** A certificate with its chain, and its private key, PEM. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
}

export interface ListenerOptions {
  /** Only TLS is spoken, with this certificate. Default: none. */
  readonly tls?: TlsMaterial | null;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly source: Exclude<ProblemSource, "invocation">;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** With it HTTP/2 with prior knowledge is spoken on the same port. */
  readonly http2?: (request: HttpRequest, response: HttpResponse) => void;
  /** A defect of a handler, or of the socket itself; the listener goes on. */
  readonly onError: (error: unknown) => void;
  readonly limits?: Partial<ListenerLimits>;
}

export class Listener {
  readonly #options: ListenerOptions;
  readonly #limits: ListenerLimits;
  readonly #server: Server;
  readonly #http2: Http2Connections | null;
  /** Each connection's answer to its last request: whom a broken or closing connection concerns. */
  readonly #latest = new Map<Duplex, ServerResponse | null>();
  #draining = false;

  private constructor(options: ListenerOptions) {
    this.#options = options;
    this.#limits = { ...LISTENER_LIMITS, ...options.limits };
    const { headBytesMax, headersTimeoutMs, requestTimeoutMs } = this.#limits;
    const { tls = null, http2 } = options;
    const bounds = {
      maxHeaderSize: headBytesMax,
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: this.#limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.ceil(Math.min(headersTimeoutMs, requestTimeoutMs) / 4),
      noDelay: true,
      // A caller that vanished without a word would wait for its result for as long as the invocation takes.
      keepAlive: true,
      keepAliveInitialDelay: this.#limits.keepAliveTimeoutMs,
    };
    this.#server =
      tls === null
        ? createServer(bounds)
        : createTlsServer({ ...bounds, ...tlsOptions(tls, http2) });
    this.#server.maxConnections = this.#limits.connectionsMax;
    // Bounded by their bytes; node would drop the rest without a word.
    this.#server.maxHeadersCount = 0;
    const accepted = tls === null ? "connection" : "secureConnection";
    this.#http2 = http2 === undefined ? null : this.#withHttp2(http2, accepted);
    this.#server.prependListener(accepted, this.#onConnection);
    this.#server.on("request", this.#onRequest);
    // The reader of the body says when to go on, so that a refused body is never sent.
    this.#server.on("checkContinue", this.#onRequest);
    this.#server.on("clientError", this.#onClientError);
  }

  /** Rejects when the address cannot be had. */
  static async listen(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(options.port, options.host, () => {
        server.removeListener("error", reject);
        server.on("error", options.onError);
        resolve();
      });
    });
    return listener;
  }

  get port(): number {
    return this.#address().port;
  }

  /** Where it can be reached, such as `http://127.0.0.1:8080`. */
  get url(): string {
    const { address, family, port } = this.#address();
    const scheme = this.#options.tls ? "https" : "http";
    return family === "IPv6"
      ? `${scheme}://[${address}]:${port}`
      : `${scheme}://${address}:${port}`;
  }

  /** Connections from now on get this certificate. Throws when certificate and key do not belong together. */
  renew(tls: TlsMaterial): void {
    if (this.#server instanceof TlsServer) this.#server.setSecureContext({ ...TLS, ...tls });
  }

  /** Stops accepting, lets open requests end for `deadlineMs`, then cuts them. Resolves when all connections are gone. */
  async drain(deadlineMs: number): Promise<void> {
    this.#draining = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    for (const [socket, response] of this.#latest) {
      if (response === null) socket.destroy();
      else response.shouldKeepAlive = false;
    }
    this.#http2?.drain();
    const cut = setTimeout(() => {
      this.#server.closeAllConnections();
      this.#http2?.destroy();
    }, deadlineMs);
    await closed;
    clearTimeout(cut);
  }

  #address(): AddressInfo {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address;
  }

  readonly #onConnection = (socket: Duplex): void => {
    this.#latest.set(socket, null);
    socket.once("close", () => this.#latest.delete(socket));
  };

  readonly #onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const previous = this.#latest.get(request.socket) ?? null;
    if (previous?.closed === false) closeAfter(previous, response);
    this.#latest.set(request.socket, response);
    if (this.#draining) response.shouldKeepAlive = false;
    response.on("error", ignoreError);
    this.#serve(this.#options.handle, request, response);
  };

  #serve<Q extends HttpRequest, S extends HttpResponse>(
    handle: (request: Q, response: S) => void,
    request: Q,
    response: S,
  ): void {
    const { onError, source } = this.#options;
    if ((request.url ?? "").length > this.#limits.urlBytesMax) {
      return void sendProblem(response, URL_TOO_LONG, source);
    }
    try {
      handle(request, response);
    } catch (error) {
      onError(error);
      if (answerable(response)) sendProblem(response, INTERNAL, source);
      else response.destroy();
    }
    return undefined;
  }

  /** The server's own listener for connections gets those that turn out to be HTTP/1.1, once their first bytes are known. */
  #withHttp2(
    handle: (request: HttpRequest, response: HttpResponse) => void,
    accepted: "connection" | "secureConnection",
  ): Http2Connections {
    const server = this.#server;
    const { source } = this.#options;
    const http2 = new Http2Connections({
      limits: this.#limits,
      handle: (request, response) => this.#serve(handle, request, response),
      onTimeout: (response) => sendProblem(response, REQUEST_TIMEOUT, source),
    });
    const http1 = present(server.listeners(accepted)[0], "the server's own listener");
    const preface: PrefaceOptions = {
      timeoutMs: this.#limits.headersTimeoutMs,
      onKnown: (socket, isHttp2) => {
        if (isHttp2) {
          // Its answers belong to streams, not to the connection.
          this.#latest.delete(socket);
          return http2.accept(socket);
        }
        Reflect.apply(http1, server, [socket]);
        return void socket.resume();
      },
      onTimeout: (socket) => {
        socket.end(rawProblem(REQUEST_TIMEOUT, source), () => socket.destroy());
      },
    };
    server.removeAllListeners(accepted);
    server.on(accepted, (socket: Socket) => readPreface(socket, preface));
    return http2;
  }

  readonly #onClientError = (error: NodeJS.ErrnoException, socket: Duplex): void => {
    const response = this.#latest.get(socket) ?? null;
    if (!socket.writable || error.code === "ECONNRESET") {
      socket.destroy();
    } else if (response === null || response.closed) {
      socket.end(rawProblem(problemOf(error), this.#options.source), () => socket.destroy());
    } else if (response.req.complete || !answerable(response) || response.socket === null) {
      // An answer to another request is due on this connection: one more would be taken for it.
      socket.destroy();
    } else {
      response.shouldKeepAlive = false;
      response.once("finish", () => socket.destroy());
      sendProblem(response, problemOf(error), this.#options.source);
    }
  };
}

/**
 * Answers to pipelined requests wait for their turn without a connection. To those whose turn does not come node says nothing, and
 * what is to be done for them would go on without end.
 */
function closeAfter(previous: ServerResponse, response: ServerResponse): void {
  previous.once("close", () => {
    if (response.socket !== null) return;
    response.destroy();
    response.emit("close");
  });
}

const TLS = { minVersion: "TLSv1.2" } as const;

function tlsOptions(tls: TlsMaterial, http2: ListenerOptions["http2"]): SecureServerOptions {
  const ALPNProtocols = http2 === undefined ? ["http/1.1"] : ["h2", "http/1.1"];
  return { ...TLS, ...tls, ALPNProtocols };
}

/** Writing to a client that left is no event: its request goes on without it. */
function ignoreError(): void {}

function problemOf(error: NodeJS.ErrnoException): Problem {
  switch (error.code) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, reason: "head-too-large", message: "the headers are too large" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return REQUEST_TIMEOUT;
    default:
      return {
        status: 400,
        reason: "malformed-request",
        message: "this is no HTTP/1.1 request: check client, scheme and port",
      };
  }
}

/** The answer to what never became a request, so there is no response object for it. */
function rawProblem(problem: Problem, source: ProblemSource): string {
  const document = problemDocument(problem, source);
  const headers = {
    ...problemHeaders(source),
    "content-type": "application/json",
    "content-length": `${Buffer.byteLength(document)}`,
    connection: "close",
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${problem.status} \r\n${lines.join("")}\r\n${document}`;
}

const REQUEST_TIMEOUT: Problem = {
  status: 408,
  reason: "request-timeout",
  message: "the request took too long",
};

const URL_TOO_LONG: Problem = {
  status: 414,
  reason: "url-too-long",
  message: "the request target is too long",
};

const INTERNAL: Problem = {
  status: 500,
  reason: "internal",
  message: "the server failed to handle this request; its log says why",
};
