/**
 * HTTP/2 with prior knowledge on connections that somebody else accepted, within the same bounds as HTTP/1.1: the size of the head,
 * the time until a request is there, the time a connection may idle. Floods of resets, pings, settings and continuations are
 * counted and cut by nghttp2 itself.
 *
 * A connection with open requests is asked whether it is alive. After an error of the protocol nghttp2 says goodbye and node
 * stops to read, without a word to us: not even that the client is gone would be seen.
 */
import {
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Socket } from "node:net";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { Http2Request, Http2Response } from "./http2-exchange.ts";

/** A request stays open until its result is there, and a proxy sends those of many callers on one connection. */
const STREAMS_MAX = 1000;

/** What a stream may send before it is read; nothing is read of a request that is refused. */
const STREAM_WINDOW_BYTES = 64 * 1024;
/** Of all streams of a connection together: large enough that one slow stream does not hold up the others. */
const CONNECTION_WINDOW_BYTES = 1024 * 1024;

/** Node counts answers on their way to it and would refuse streams while a large one is being sent; ours are bounded as such. */
const SESSION_MEMORY_MIB_MAX = 4096;

/** The smallest header counts 32 bytes besides its text (RFC 9113, 6.5.2), so that the size is the bound, not the number. */
const HEADER_BYTES_MIN = 32;

export interface Http2Limits {
  readonly headBytesMax: number;
  readonly headersTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

export interface Http2Options {
  readonly limits: Http2Limits;
  readonly handle: (request: HttpRequest, response: HttpResponse) => void;
  /** Answers a request whose body does not come to its end. */
  readonly onTimeout: (response: HttpResponse) => void;
}

interface Incoming {
  readonly request: Http2Request;
  readonly response: Http2Response;
  readonly sinceMs: number;
}

interface Connection {
  readonly session: ServerHttp2Session;
  readonly socket: Socket;
  /** Requests whose body is on its way. */
  readonly incoming: Set<Incoming>;
  streams: number;
  /** When it began to have no streams, and for how long it may. */
  idleSinceMs: number;
  idleMsMax: number;
  isClosing: boolean;
  /** When it was accepted, or answered a ping last. */
  aliveAtMs: number;
  /** Since when the answer to a ping is due; null when none is. */
  pingedAtMs: number | null;
}

type StreamEvent = [
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  flags: number,
  rawHeaders: string[],
];

export class Http2Connections {
  readonly #options: Http2Options;
  readonly #connections = new Set<Connection>();
  #sweeper: NodeJS.Timeout | null = null;
  #draining = false;

  constructor(options: Http2Options) {
    this.#options = options;
  }

  /** Takes over a connection whose first bytes, the preface, are still to be read. */
  accept(socket: Socket): void {
    const { headBytesMax, headersTimeoutMs } = this.#options.limits;
    const session = performServerHandshake(socket, {
      maxSessionMemory: SESSION_MEMORY_MIB_MAX,
      maxHeaderListPairs: Math.ceil(headBytesMax / HEADER_BYTES_MIN),
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxConcurrentStreams: STREAMS_MAX,
        maxHeaderListSize: headBytesMax,
      },
    });
    const connection: Connection = {
      session,
      socket,
      incoming: new Set(),
      streams: 0,
      idleSinceMs: performance.now(),
      idleMsMax: headersTimeoutMs,
      isClosing: false,
      aliveAtMs: performance.now(),
      pingedAtMs: null,
    };
    // Nobody answers on half a connection: the server of HTTP/1.1, which accepted it, would.
    socket.allowHalfOpen = false;
    // What the client does against the protocol ends the session, and that is all.
    session.on("error", ignoreError);
    session.on("stream", (...stream: StreamEvent) => this.#onStream(connection, stream));
    session.once("goaway", () => this.#onGoaway(connection));
    session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
    this.#connections.add(connection);
    socket.once("close", () => this.#forget(connection));
    if (this.#draining) this.#close(connection);
    else this.#sweeper ??= this.#startSweeping();
  }

  /** Takes no more requests and ends each connection with its last answer. */
  drain(): void {
    this.#draining = true;
    for (const connection of this.#connections) this.#close(connection);
  }

  destroy(): void {
    for (const { session, socket } of this.#connections) {
      session.destroy();
      socket.destroy();
    }
  }

  #onStream(connection: Connection, [stream, headers, , raw]: StreamEvent): void {
    // Before all else: a stream may fail in the same breath in which it began.
    stream.on("error", ignoreError);
    if (stream.destroyed || stream.closed) return;
    const request = new Http2Request(stream, headers, raw);
    const response = new Http2Response(stream, request);
    connection.streams += 1;
    connection.idleMsMax = this.#options.limits.keepAliveTimeoutMs;
    stream.once("close", () => {
      connection.streams -= 1;
      if (connection.streams === 0) connection.idleSinceMs = performance.now();
    });
    if (request.hasBody) this.#watch(connection, stream, request, response);
    this.#options.handle(request, response);
  }

  /**
   * The client will go; it closes the connection after its last answer, or idles. Node would close the session now and refuse a stream
   * that follows all the same, from within nghttp2, which then reads what was freed (Node 20.20): four frames could end the process.
   */
  #onGoaway(connection: Connection): void {
    connection.isClosing = true;
    connection.session.close = () => {};
  }

  #watch(
    { incoming }: Connection,
    stream: ServerHttp2Stream,
    request: Http2Request,
    response: Http2Response,
  ): void {
    const watched = { request, response, sinceMs: performance.now() };
    incoming.add(watched);
    const settled = (): void => void incoming.delete(watched);
    stream.once("end", settled);
    stream.once("close", settled);
  }

  #startSweeping(): NodeJS.Timeout {
    const { headersTimeoutMs, requestTimeoutMs } = this.#options.limits;
    const everyMs = Math.ceil(Math.min(headersTimeoutMs, requestTimeoutMs) / 4);
    return setInterval(() => this.#sweep(performance.now()), everyMs).unref();
  }

  #sweep(nowMs: number): void {
    const { requestTimeoutMs } = this.#options.limits;
    for (const connection of this.#connections) {
      for (const { request, response, sinceMs } of connection.incoming) {
        if (nowMs - sinceMs < requestTimeoutMs) continue;
        this.#options.onTimeout(response);
        request.destroy();
      }
      if (connection.streams > 0) this.#probe(connection, nowMs);
      else if (nowMs - connection.idleSinceMs >= connection.idleMsMax) this.#retire(connection);
    }
  }

  #probe(connection: Connection, nowMs: number): void {
    const { headersTimeoutMs } = this.#options.limits;
    const { session, socket, aliveAtMs, pingedAtMs } = connection;
    if (pingedAtMs !== null) {
      if (nowMs - pingedAtMs >= headersTimeoutMs) socket.destroy();
    } else if (nowMs - aliveAtMs >= headersTimeoutMs && !session.destroyed) {
      connection.pingedAtMs = nowMs;
      session.ping((error) => {
        if (error !== null) return;
        connection.pingedAtMs = null;
        connection.aliveAtMs = performance.now();
      });
    }
  }

  #retire(connection: Connection): void {
    // Told to go in an earlier sweep, and still there.
    if (connection.isClosing) connection.socket.destroy();
    else this.#close(connection);
  }

  #close(connection: Connection): void {
    connection.isClosing = true;
    connection.session.close();
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size > 0 || this.#sweeper === null) return;
    clearInterval(this.#sweeper);
    this.#sweeper = null;
  }
}

function ignoreError(): void {}
