/**
 * One invocation request without a socket: bytes in, bytes out. Event-driven and free of any runtime's modules, so that an
 * HTTP server, a test and the simulation drive it alike.
 */
import { Attempt, type AttemptOptions } from "../context/attempt.ts";
import { defaultHost, type Host, type Sink } from "../context/host.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import { decodeMessage } from "../protocol/codec.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import { MESSAGE_BYTES_MAX_DEFAULT } from "../protocol/limits.ts";
import type { ProtocolVersion } from "../protocol/version.ts";

export interface InvokeOptions {
  readonly handler: ServedHandler;
  /** As announced by the content type of the request. */
  readonly version: ProtocolVersion;
  readonly sink: Sink;
  /** Default: the process this runs in. */
  readonly host?: Host;
  readonly headers?: AttemptOptions["headers"];
}

const NO_HEADERS: AttemptOptions["headers"] = new Map();

export class InvokeExchange {
  readonly #attempt: Attempt;
  readonly #decoder = new FrameDecoder(MESSAGE_BYTES_MAX_DEFAULT);

  constructor({ handler, version, sink, host = defaultHost, headers = NO_HEADERS }: InvokeOptions) {
    this.#attempt = new Attempt({ handler, version, sink, host, headers });
  }

  /** The attempt has written all it will write. */
  get isOver(): boolean {
    return this.#attempt.isOver;
  }

  /** The bytes must not change later: values are views of them. */
  onData(chunk: Uint8Array): void {
    if (this.isOver) return;
    try {
      this.#decoder.push(chunk);
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#attempt.onMessage(decodeMessage(frame.type, frame.body));
      }
    } catch (error) {
      return this.#attempt.fail(error);
    }
    return this.#attempt.onIdle();
  }

  onInputClosed(): void {
    this.#attempt.onInputClosed();
  }

  /** The sink takes more again. */
  onDrained(): void {
    this.#attempt.onDrained();
  }

  /** The connection is gone: nothing is written any more, and the handler is let go. */
  onAborted(): void {
    this.#attempt.abort();
  }
}
