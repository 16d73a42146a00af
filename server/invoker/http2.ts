/** HTTP/2 on `node:http2`: a pool of connections for each origin, one stream an exchange (service protocol 3.6). */
import {
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { describeError } from "./connect.ts";
import type { HttpEndpoint } from "./endpoint.ts";
import {
  http2CodeName,
  type Http2Options,
  Http2Session,
  type Http2SessionOwner,
  STREAMS_MAX,
} from "./http2-session.ts";
import type { Exchange, ExchangeHandler, ExchangeRequest, Transport } from "./transport.ts";

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = constants;

export class Http2Transport implements Transport<HttpEndpoint> {
  readonly #options: Http2Options;
  readonly #pools = new Map<string, Http2Pool>();

  constructor(options: Http2Options = {}) {
    this.#options = options;
  }

  open(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler): Exchange {
    const exchange = new Http2Exchange(request, handler);
    const { origin } = request.endpoint;
    let pool = this.#pools.get(origin);
    if (pool === undefined) {
      pool = new Http2Pool(request.endpoint, this.#options, () => this.#pools.delete(origin));
      this.#pools.set(origin, pool);
    }
    pool.open(exchange);
    return exchange;
  }

  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  /** Open connections, by which tests see that they are shared and given back. */
  get connections(): number {
    let count = 0;
    for (const pool of this.#pools.values()) count += pool.connections;
    return count;
  }
}

const CLOSED = "this server is closing its connections";

class Http2Pool implements Http2SessionOwner {
  readonly #endpoint: HttpEndpoint;
  readonly #options: Http2Options;
  readonly #onEmpty: () => void;
  readonly #sessions = new Set<Http2Session>();
  /** Exchanges for which no connection has room yet, oldest first. */
  #waiting: Http2Exchange[] = [];
  /** What the last connection turned out to carry: tells how many to open for those who wait. */
  #streamsPerSession: number;
  #isClosed = false;

  constructor(endpoint: HttpEndpoint, options: Http2Options, onEmpty: () => void) {
    this.#endpoint = endpoint;
    this.#options = options;
    this.#onEmpty = onEmpty;
    this.#streamsPerSession = options.streamsMax ?? STREAMS_MAX;
  }

  get connections(): number {
    return this.#sessions.size;
  }

  open(exchange: Http2Exchange): void {
    if (this.#isClosed) return exchange.fail(CLOSED);
    for (const session of this.#sessions) {
      if (session.room > 0) return exchange.begin(session);
    }
    this.#waiting.push(exchange);
    return this.#dialForWaiting();
  }

  close(): void {
    this.#isClosed = true;
    for (const exchange of this.#waiting.splice(0)) exchange.fail(CLOSED);
    for (const session of this.#sessions) session.destroy();
  }

  onRoom(session: Http2Session): void {
    this.#streamsPerSession = Math.max(1, session.streamsMax);
    if (this.#waiting.length === 0) return;
    let served = 0;
    while (served < this.#waiting.length && session.room > 0) {
      this.#waiting[served]?.begin(session);
      served += 1;
    }
    this.#waiting.splice(0, served);
    this.#dialForWaiting();
  }

  onGone(session: Http2Session): void {
    this.#sessions.delete(session);
    if (session.streamsMax === 0) {
      // It never became ready: those it was opened for cannot be served.
      const failed = this.#waiting.splice(0, this.#streamsPerSession);
      for (const exchange of failed) exchange.fail(session.failure ?? "no connection");
    }
    this.#dialForWaiting();
    if (this.#sessions.size === 0) this.#onEmpty();
  }

  /** Opens as many connections as those who wait will need. */
  #dialForWaiting(): void {
    let room = 0;
    for (const session of this.#sessions) {
      if (session.isConnecting) room += this.#streamsPerSession;
    }
    while (room < this.#waiting.length) {
      this.#sessions.add(new Http2Session(this.#endpoint, this.#options, this));
      room += this.#streamsPerSession;
    }
  }
}

class Http2Exchange implements Exchange {
  readonly #handler: ExchangeHandler;
  readonly #headers: Record<string, string>;
  /** Written before there was a connection; a journal is not kept for longer than it takes to send it. */
  #early: Uint8Array[];
  #isRequestComplete: boolean;
  #isResponseComplete = false;
  /** Nobody listens any more, except for `onClose`. */
  #isSilent = false;
  #isClosed = false;
  #session: Http2Session | null = null;
  #stream: ClientHttp2Stream | null = null;

  constructor(request: ExchangeRequest<HttpEndpoint>, handler: ExchangeHandler) {
    const { endpoint, path, headers } = request;
    this.#handler = handler;
    this.#headers = {
      ":method": "POST",
      ":path": path,
      ":scheme": endpoint.secure ? "https" : "http",
      ":authority": endpoint.authority,
      ...headers,
    };
    this.#early = [request.body];
    this.#isRequestComplete = request.bodyComplete;
  }

  /** Opens the stream. */
  begin(session: Http2Session): void {
    if (this.#isClosed) return;
    const client = session.acquire();
    try {
      this.#listen(client.request(this.#headers), session);
    } catch (error) {
      process.nextTick(() => session.released());
      this.fail(describeError(error));
    }
  }

  /** There will be no stream. */
  fail(message: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    process.nextTick(() => {
      this.#handler.onError(message);
      this.#handler.onClose();
    });
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isSilent || this.#isRequestComplete) return false;
    if (this.#stream !== null) return this.#send(this.#stream, bytes);
    this.#early.push(bytes);
    return false;
  }

  end(): void {
    if (this.#isRequestComplete) return;
    this.#isRequestComplete = true;
    this.#stream?.end();
  }

  pause(): void {
    this.#stream?.pause();
  }

  resume(): void {
    this.#stream?.resume();
  }

  reset(): void {
    if (this.#isSilent || this.#isClosed) return;
    this.#isSilent = true;
    if (this.#stream !== null) {
      this.#stream.close(NGHTTP2_CANCEL);
      return;
    }
    this.#isClosed = true;
    process.nextTick(() => this.#handler.onClose());
  }

  #listen(stream: ClientHttp2Stream, session: Http2Session): void {
    this.#stream = stream;
    this.#session = session;
    stream.on("response", (headers) => this.#onResponse(headers));
    stream.on("data", (chunk: Buffer) => {
      if (!this.#isSilent) this.#handler.onData(chunk);
    });
    stream.on("end", () => this.#onEnd());
    // The reason is told when the stream closes, which always follows.
    stream.on("error", () => {});
    stream.on("close", () => this.#onClose());
    const early = this.#early;
    this.#early = [];
    const bytes = early.length === 1 ? early[0] : Buffer.concat(early);
    if (this.#isRequestComplete) stream.end(bytes);
    else if (this.#send(stream, bytes) && early.length > 1) process.nextTick(this.#onWritable);
  }

  #send(stream: ClientHttp2Stream, bytes: Uint8Array | undefined): boolean {
    const isWritable = stream.write(bytes);
    if (!isWritable) stream.once("drain", this.#onWritable);
    return isWritable;
  }

  readonly #onWritable = (): void => {
    if (!this.#isSilent && !this.#isClosed) this.#handler.onWritable();
  };

  #onResponse(headers: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    if (this.#isSilent) return;
    const { "content-type": contentType, "retry-after": retryAfter } = headers;
    const status = headers[":status"] ?? 0;
    const server = headers["x-restate-server"];
    const sdk = Array.isArray(server) ? server[0] : server;
    this.#handler.onHead({ status, contentType, retryAfter, server: sdk });
  }

  #onEnd(): void {
    // A stream that broke ends, too; its reason is told when it closes.
    if (this.#isSilent || this.#isBroken()) return;
    this.#isResponseComplete = true;
    this.#handler.onEnd();
  }

  #isBroken(): boolean {
    const stream = this.#stream;
    return stream === null || stream.destroyed || stream.rstCode !== NGHTTP2_NO_ERROR;
  }

  #onClose(): void {
    this.#isClosed = true;
    this.#session?.released();
    if (!this.#isSilent && !this.#isResponseComplete) this.#handler.onError(this.#closeReason());
    this.#isSilent = true;
    this.#handler.onClose();
  }

  #closeReason(): string {
    const failure = this.#session?.failure ?? null;
    if (failure !== null) return failure;
    const code = http2CodeName(this.#stream?.rstCode ?? NGHTTP2_NO_ERROR);
    return `the endpoint reset the stream (${code})`;
  }
}
