/**
 * Which HTTP a connection speaks, by its first bytes: no request of HTTP/1.1 begins like the preface of HTTP/2 (RFC 9113, 3.4).
 * One look at each connection, none at its requests.
 */
import type { Socket } from "node:net";

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export interface PrefaceOptions {
  /** How long the first bytes may take. */
  readonly timeoutMs: number;
  /** The bytes are still to be read; the socket is paused. */
  readonly onKnown: (socket: Socket, isHttp2: boolean) => void;
  readonly onTimeout: (socket: Socket) => void;
}

export function readPreface(socket: Socket, options: PrefaceOptions): void {
  const preface = new Preface(socket, options);
  socket.on("data", preface.onData);
  socket.on("end", preface.onGone);
  socket.on("error", preface.onGone);
  socket.on("timeout", preface.onTimeout);
  socket.setTimeout(options.timeoutMs);
}

class Preface {
  readonly #socket: Socket;
  readonly #options: PrefaceOptions;
  /** Nearly always null: the first packet says it. */
  #held: Buffer | null = null;

  constructor(socket: Socket, options: PrefaceOptions) {
    this.#socket = socket;
    this.#options = options;
  }

  readonly onData = (chunk: Buffer): void => {
    const bytes = this.#held === null ? chunk : Buffer.concat([this.#held, chunk]);
    const isHttp2 = startsWithPreface(bytes);
    if (isHttp2 === undefined) {
      this.#held = bytes;
      return;
    }
    this.#leave();
    // Flowing without a listener would lose them.
    this.#socket.pause();
    this.#socket.unshift(bytes);
    this.#options.onKnown(this.#socket, isHttp2);
  };

  /** Nothing that could be answered. */
  readonly onGone = (): void => {
    this.#leave();
    this.#socket.on("error", ignoreError);
    this.#socket.destroy();
  };

  readonly onTimeout = (): void => {
    this.#leave();
    this.#socket.on("error", ignoreError);
    this.#options.onTimeout(this.#socket);
  };

  #leave(): void {
    const socket = this.#socket;
    socket.setTimeout(0);
    socket.removeListener("data", this.onData);
    socket.removeListener("end", this.onGone);
    socket.removeListener("error", this.onGone);
    socket.removeListener("timeout", this.onTimeout);
  }
}

/** Undefined while there are too few bytes to tell. */
function startsWithPreface(bytes: Buffer): boolean | undefined {
  const known = Math.min(bytes.length, PREFACE.length);
  for (let at = 0; at < known; at += 1) {
    if (bytes[at] !== PREFACE.charCodeAt(at)) return false;
  }
  return known === PREFACE.length ? true : undefined;
}

function ignoreError(): void {}
