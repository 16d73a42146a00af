/**
 * One invocation request without a socket: bytes in, bytes out. Event-driven and free of any runtime's modules, so that an
 * HTTP server, a test and a simulation drive it alike:
 *
 *   const invocation = new Invocation({ handler, version: 6, sink });
 *   invocation.onData(chunk);        // as the request comes in
 *   invocation.onInputClosed();      // the request has ended
 *   invocation.onDrained();          // after sink.write() returned false
 *   invocation.onAborted();          // the connection is gone
 *
 * `handler` comes from `ServedServices.find(service, handler)`. `sink.end` is called exactly once, right after the terminal
 * message, unless the request was aborted before; whether the request has ended by then does not matter.
 */
import { Attempt } from "../context/attempt.ts";
import { defaultHost, type Host, type Sink } from "../context/host.ts";
import type { AttemptHeaders } from "../context/request.ts";
import type { ServedHandler } from "../context/served-handler.ts";
import { toError } from "../define/errors.ts";
import { decodeMessage } from "../protocol/codec.ts";
import type { Message } from "../protocol/messages.ts";
import { FrameDecoder } from "../protocol/frame.ts";
import { ProtocolError } from "../protocol/protocol-error.ts";
import type { ProtocolVersion } from "../protocol/version.ts";

export interface InvocationOptions {
  readonly handler: ServedHandler;
  /** As announced by the content type of the request. */
  readonly version: ProtocolVersion;
  readonly sink: Sink;
  /** Clock and turns. Default: the process this runs in. */
  readonly host?: Host;
  /** What the handler finds in `ctx.request().attemptHeaders`. */
  readonly attemptHeaders?: AttemptHeaders;
  /** What the handler finds in `ctx.request().extraArgs`. */
  readonly extraArgs?: readonly unknown[];
}

/** Against bytes that are no frames. What a message may really hold is for the server to limit, which can be set there. */
const MESSAGE_BYTES_MAX = 512 * 1024 * 1024;

const INTERNAL_ERROR = 500;
const PROTOCOL_VIOLATION = 571;

export class Invocation {
  readonly #attempt: Attempt;
  readonly #decoder = new FrameDecoder(MESSAGE_BYTES_MAX);
  readonly #codec: ServedHandler["codec"];
  /** With a codec: what came in, in order, until its values are decoded. */
  #decoded: Promise<void> = Promise.resolve();
  #decoding = 0;

  constructor(options: InvocationOptions) {
    const { handler, version, sink, host = defaultHost } = options;
    const { attemptHeaders = {}, extraArgs = [] } = options;
    this.#attempt = new Attempt(handler, version, sink, host, { attemptHeaders, extraArgs });
    this.#codec = handler.codec;
  }

  /** True once nothing more will be written. */
  get isOver(): boolean {
    return this.#attempt.isOver;
  }

  /** Nothing happens here before the server says something: the handler waits for it, and no step is executed. */
  get isAtRest(): boolean {
    return this.#decoding === 0 && this.#attempt.isAtRest;
  }

  /** Any cut of the request's bytes. The bytes must not change later: values are views of them. */
  onData(chunk: Uint8Array): void {
    if (this.isOver) return;
    try {
      // Handlers get views of it; they expect plain bytes, not a Buffer with methods of its own.
      this.#decoder.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#onMessage(decodeMessage(frame.type, frame.body));
      }
    } catch (thrown) {
      const code = thrown instanceof ProtocolError ? thrown.code : INTERNAL_ERROR;
      return this.#attempt.fail({ code, message: toError(thrown).message });
    }
    this.#inOrder(() => this.#attempt.startWhenReady());
  }

  /** The server will send nothing more; what can be done without it is done, then the handler is suspended. */
  onInputClosed(): void {
    if (this.isOver) return;
    if (this.#decoder.pendingBytes > 0) {
      const message = "protocol violation: the request ended within a message";
      return this.#attempt.fail({ code: PROTOCOL_VIOLATION, message });
    }
    this.#inOrder(() => this.#attempt.onInputClosed());
  }

  /** The sink takes more again. */
  onDrained(): void {
    this.#attempt.onDrained();
  }

  /** Nothing is written any more, and the handler is let go. */
  onAborted(): void {
    this.#attempt.abort();
  }

  #onMessage(message: Message): void {
    const codec = this.#codec;
    if (codec === undefined) return this.#attempt.onMessage(message);
    this.#inOrder(async () => this.#attempt.onMessage(await codec.decode(message)));
  }

  /** At once, or, with a codec, after everything that came before. */
  #inOrder(act: () => void | Promise<void>): void {
    if (this.#codec === undefined) return void act();
    this.#decoding += 1;
    this.#decoded = this.#after(this.#decoded, act).finally(() => (this.#decoding -= 1));
  }

  async #after(before: Promise<void>, act: () => void | Promise<void>): Promise<void> {
    await before;
    if (this.isOver) return;
    try {
      await act();
    } catch (thrown) {
      const message = `a value of the journal could not be decoded: ${toError(thrown).message}`;
      this.#attempt.fail({ code: INTERNAL_ERROR, message });
    }
  }
}
