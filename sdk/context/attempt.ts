/**
 * One attempt of an invocation: messages in, bytes out. It starts the handler when the replay is here, and turns what the
 * handler returns or throws into the end of the attempt.
 */
import { errorCode, retryAfterMs, TerminalError, toError } from "../define/errors.ts";
import { LoggerContext, LogSource } from "../define/logger.ts";
import type { Request } from "../define/context.ts";
import type { Message } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import type { Opening } from "../replay/replay-reader.ts";
import type { AttemptFailure } from "../replay/terminal-messages.ts";
import { AttemptErrors } from "./attempt-errors.ts";
import { ContextCore } from "./context-core.ts";
import { Driver } from "./driver.ts";
import { HandlerContext } from "./handler-context.ts";
import type { Host, Sink } from "./host.ts";
import { KeyedHandlerContext } from "./keyed-handler-context.ts";
import { type AttemptHeaders, HandlerRequest, HandlerTarget } from "./request.ts";
import type { ServedHandler } from "./served-handler.ts";

const BAD_REQUEST = 400;

export class Attempt {
  readonly #served: ServedHandler;
  readonly #attemptHeaders: AttemptHeaders;
  readonly #errors: AttemptErrors;
  readonly #driver: Driver;
  #started = false;
  #request: Request | undefined;
  #completed: AbortController | undefined;

  constructor(
    served: ServedHandler,
    version: ProtocolVersion,
    sink: Sink,
    host: Host,
    attemptHeaders: AttemptHeaders,
  ) {
    this.#served = served;
    this.#attemptHeaders = attemptHeaders;
    this.#errors = new AttemptErrors(version, served.asTerminalError, (error) =>
      this.#report(error),
    );
    this.#driver = new Driver(host, sink, this.#errors, served.onMismatch, () =>
      this.#completed?.abort(),
    );
  }

  onMessage(message: Message): void {
    this.#driver.onMessage(message);
  }

  /** Call it after each batch of messages: starts the handler once everything it needs is here. */
  startWhenReady(): void {
    const { opening } = this.#driver;
    if (this.#started || opening === undefined) return;
    this.#started = true;
    this.#start(opening);
  }

  onInputClosed(): void {
    this.#driver.onInputClosed();
  }

  onDrained(): void {
    this.#driver.onDrained();
  }

  /** The server does not speak the protocol. */
  fail(failure: AttemptFailure): void {
    this.#driver.fail(failure);
  }

  /** The connection is gone. */
  abort(): void {
    this.#driver.abort();
  }

  get isOver(): boolean {
    return this.#driver.isOver;
  }

  #start(opening: Opening): void {
    const { call, inputSerde } = this.#served;
    const context = this.#contextOf(opening);
    let input: unknown;
    try {
      input = inputSerde.deserialize(opening.input.value);
    } catch (thrown) {
      const message = `the input could not be read: ${toError(thrown).message}`;
      return this.#onThrown(new TerminalError(message, { errorCode: BAD_REQUEST }));
    }
    let result: Promise<unknown>;
    try {
      result = call(context, input);
    } catch (thrown) {
      return this.#onThrown(thrown);
    }
    // A handler that is no async function may return anything.
    Promise.resolve(result).then(
      (value) => this.#onReturned(value),
      (thrown: unknown) => this.#onThrown(thrown),
    );
  }

  #contextOf(opening: Opening): HandlerContext {
    const core = new ContextCore(this.#driver, opening, this.#served, this.#errors, () =>
      this.#requestOf(opening),
    );
    const isKeyed = this.#served.serviceKind !== "service";
    return isKeyed ? new KeyedHandlerContext(core) : new HandlerContext(core);
  }

  #onReturned(value: unknown): void {
    try {
      const bytes = this.#served.outputSerde.serialize(value);
      this.#driver.finish({ kind: "value", value: bytes });
    } catch (thrown) {
      this.#onThrown(thrown);
    }
  }

  #onThrown(thrown: unknown): void {
    if (this.#driver.isOver) return;
    const error = this.#errors.classify(thrown);
    if (error instanceof TerminalError) {
      this.#driver.finish({ kind: "failure", failure: this.#errors.failure(error) });
      return;
    }
    this.#errors.report(error);
    const delayMs = retryAfterMs(error);
    this.#driver.fail({
      code: errorCode(error),
      message: error.message === "" ? error.name : error.message,
      stacktrace: error.stack ?? "",
      ...(delayMs !== undefined && { nextRetryDelayMs: delayMs }),
    });
  }

  #requestOf(opening: Opening): Request {
    if (this.#request !== undefined) return this.#request;
    const completed = new AbortController();
    if (this.#driver.isOver) completed.abort();
    this.#completed = completed;
    const { service, serviceKind, handler } = this.#served;
    const key = serviceKind === "service" ? undefined : opening.start.key;
    const target = new HandlerTarget(service, handler, key);
    this.#request = new HandlerRequest(target, opening, this.#attemptHeaders, completed.signal);
    return this.#request;
  }

  #report(error: Error): void {
    const { service, handler, logger } = this.#served;
    const id = this.#driver.opening?.start.debugId ?? "";
    const context = new LoggerContext(id, service, handler);
    const meta = { source: LogSource.SYSTEM, level: "warn", replaying: false, context } as const;
    try {
      logger(meta, "the attempt failed and will be tried again:", error);
    } catch {
      // A logger that fails must not keep the attempt from failing.
    }
  }
}
