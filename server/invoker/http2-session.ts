/**
 * One HTTP/2 connection to an endpoint. It is ready once the peer's settings have come, so that the number of streams the
 * peer allows is known before the first one is opened, and it is retired for good by GOAWAY, an error or a missed ping.
 */
import { type ClientHttp2Session, connect } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { CONNECT_TIMEOUT_MS, type ConnectOptions, describeError, dial } from "./connect.ts";
import type { HttpEndpoint } from "./endpoint.ts";

export interface Http2Options extends ConnectOptions {
  /** Per connection, if the peer allows as many. Default 128. */
  readonly streamsMax?: number;
  /** Default 40 s. */
  readonly pingIntervalMs?: number;
  /** Default 20 s. */
  readonly pingTimeoutMs?: number;
  /** Connections without streams are closed after this. Default 5 min. */
  readonly idleTimeoutMs?: number;
}

export interface Http2SessionOwner {
  /** It may be asked for streams: for the first time, or again. */
  onRoom(session: Http2Session): void;
  /** It is gone; `failure` says why. */
  onGone(session: Http2Session): void;
}

/** Receive windows: a stream may have as much on the way as a large message, a connection as a few of them. */
const STREAM_WINDOW_BYTES = 2 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 5 * 1024 * 1024;
export const STREAMS_MAX = 128;
const PING_INTERVAL_MS = 40_000;
const PING_TIMEOUT_MS = 20_000;
const IDLE_TIMEOUT_MS = 300_000;
/** Node's own bound would refuse streams while a long journal is being sent; ours are the attempts in flight. */
const SESSION_MEMORY_MIB_MAX = 4096;

export class Http2Session {
  readonly #owner: Http2SessionOwner;
  readonly #options: Http2Options;
  readonly #session: ClientHttp2Session;
  readonly #connectTimer: NodeJS.Timeout;
  #pingTimer: NodeJS.Timeout | null = null;
  #pongTimer: NodeJS.Timeout | null = null;
  #state: "connecting" | "ready" | "retired" = "connecting";
  #streams = 0;
  #streamsMax = 0;
  #idleSinceMs = performance.now();
  #failure: string | null = null;

  constructor(endpoint: HttpEndpoint, options: Http2Options, owner: Http2SessionOwner) {
    this.#owner = owner;
    this.#options = options;
    const socket = dial(endpoint, ["h2"], options);
    const session = connect(endpoint.origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
      maxSessionMemory: SESSION_MEMORY_MIB_MAX,
    });
    this.#session = session;
    const timeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#connectTimer = setTimeout(() => {
      this.#retire(`no HTTP/2 connection within ${timeoutMs} ms`);
      session.destroy();
    }, timeoutMs);
    session.on("connect", () => this.#onConnect(socket));
    session.on("remoteSettings", ({ maxConcurrentStreams }) =>
      this.#onSettings(maxConcurrentStreams),
    );
    session.on("goaway", (code) => {
      this.#retire(`the endpoint closes the connection (GOAWAY, ${http2CodeName(code)})`);
    });
    session.on("error", (error) => this.#retire(describeError(error)));
    session.on("close", () => this.#onClose());
  }

  get isConnecting(): boolean {
    return this.#state === "connecting";
  }

  /** Streams it may still open. */
  get room(): number {
    if (this.#state !== "ready" || this.#session.closed || this.#session.destroyed) return 0;
    return this.#streamsMax - this.#streams;
  }

  /** What it can carry at most; 0 while that is unknown. */
  get streamsMax(): number {
    return this.#streamsMax;
  }

  /** Why it is of no use any more; null while it is. */
  get failure(): string | null {
    return this.#failure;
  }

  /** Counts a stream that is about to be requested; `released` must follow. */
  acquire(): ClientHttp2Session {
    this.#streams += 1;
    return this.#session;
  }

  released(): void {
    this.#streams -= 1;
    if (this.#streams === 0) this.#idleSinceMs = performance.now();
    if (this.room > 0) this.#owner.onRoom(this);
  }

  destroy(): void {
    this.#retire("the connection was closed by this server");
    this.#session.destroy();
  }

  #onConnect(socket: Socket): void {
    if (socket instanceof TLSSocket && socket.alpnProtocol !== "h2") {
      this.#retire("the endpoint does not agree to HTTP/2 over TLS; register it again");
      this.#session.destroy();
      return;
    }
    this.#session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
  }

  #onSettings(allowed: number | undefined): void {
    const ours = this.#options.streamsMax ?? STREAMS_MAX;
    this.#streamsMax = Math.min(allowed ?? ours, ours);
    if (this.#state === "retired") return;
    if (this.#state === "connecting") {
      if (this.#streamsMax === 0) {
        this.#retire("the endpoint allows no streams");
        this.#session.destroy();
        return;
      }
      this.#state = "ready";
      clearTimeout(this.#connectTimer);
      this.#pingTimer = setInterval(this.#tick, this.#options.pingIntervalMs ?? PING_INTERVAL_MS);
      this.#pingTimer.unref();
    }
    if (this.room > 0) this.#owner.onRoom(this);
  }

  readonly #tick = (): void => {
    const idleMs = performance.now() - this.#idleSinceMs;
    if (this.#streams === 0 && idleMs >= (this.#options.idleTimeoutMs ?? IDLE_TIMEOUT_MS)) {
      this.#retire("the connection was idle");
      this.#session.close();
      return;
    }
    if (this.#pongTimer !== null || this.#session.destroyed) return;
    const timeoutMs = this.#options.pingTimeoutMs ?? PING_TIMEOUT_MS;
    this.#pongTimer = setTimeout(() => {
      this.#retire(`the endpoint did not answer a ping within ${timeoutMs} ms`);
      this.#session.destroy();
    }, timeoutMs);
    this.#pongTimer.unref();
    this.#session.ping(this.#onPong);
  };

  readonly #onPong = (error: Error | null): void => {
    if (error === null) this.#clearPong();
  };

  #clearPong(): void {
    if (this.#pongTimer !== null) clearTimeout(this.#pongTimer);
    this.#pongTimer = null;
  }

  /** The first reason is the true one; what follows are its consequences. */
  #retire(failure: string): void {
    this.#failure ??= failure;
    this.#state = "retired";
    clearTimeout(this.#connectTimer);
  }

  #onClose(): void {
    this.#retire("the connection was closed");
    if (this.#pingTimer !== null) clearInterval(this.#pingTimer);
    this.#clearPong();
    this.#owner.onGone(this);
  }
}

/** By number (RFC 9113, section 7). */
const CODE_NAMES: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

export function http2CodeName(code: number): string {
  return CODE_NAMES[code] ?? `code ${code}`;
}
