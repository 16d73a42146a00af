/**
 * One attempt of an invocation: messages in, bytes out. It starts the handler when the replay is here, and turns what the
 * handler returns or throws into the end of the attempt.
 */
import {
  errorCode,
  RestateError,
  retryAfterMs,
  SuspendedError,
  TerminalError,
} from "../define/errors.ts";
import type { Interceptor } from "../define/hooks.ts";
import { LoggerContext, LogSource } from "../define/logger.ts";
import type { Request } from "../define/context.ts";
import { inputError } from "../define/payload.ts";
import type { Message } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import type { Opening } from "../replay/replay-reader.ts";
import type { AttemptFailure } from "../replay/terminal-messages.ts";
import { AttemptErrors } from "./attempt-errors.ts";
import { ContextCore } from "./context-core.ts";
import { unwatched } from "./determinism-guard.ts";
import { Driver } from "./driver.ts";
import { HandlerContext } from "./handler-context.ts";
import type { Host, Sink } from "./host.ts";
import { intercepted } from "./interceptors.ts";
import { KeyedHandlerContext } from "./keyed-handler-context.ts";
import { type AttemptOrigin, HandlerRequest, HandlerTarget } from "./request.ts";
import type { ServedHandler } from "./served-handler.ts";

export class Attempt {
  readonly #served: ServedHandler;
  readonly #origin: AttemptOrigin;
  readonly #errors: AttemptErrors;
  readonly #driver: Driver;
  #started = false;
  #request: Request | undefined;
  #completed: AbortController | undefined;
  /** What failed the attempt, as it was thrown. */
  #reported: Error | undefined;
  /** Ends the wait of hooks for the handler. */
  #onOver: ((reason: Error) => void) | undefined;

  constructor(
    served: ServedHandler,
    version: ProtocolVersion,
    sink: Sink,
    host: Host,
    origin: AttemptOrigin,
  ) {
    this.#served = served;
    this.#origin = origin;
    this.#errors = new AttemptErrors(version, served.asTerminalError, (error) =>
      this.#report(error),
    );
    const driverHost = served.guard === undefined ? host : unwatched(host);
    this.#driver = new Driver(driverHost, sink, this.#errors, served, () => {
      this.#completed?.abort();
      this.#onOver?.(this.#reason());
    });
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

  /** Nothing happens here before the server says something. */
  get isAtRest(): boolean {
    return this.#driver.isAtRest;
  }

  #start(opening: Opening): void {
    if (this.#served.hooks.length > 0) return this.#startHooked(opening);
    let result: Promise<unknown>;
    try {
      result = this.#call(opening);
    } catch (thrown) {
      return this.#onThrown(thrown);
    }
    // A handler that is no async function may return anything.
    Promise.resolve(result).then(
      (value) => this.#onReturned(value),
      (thrown: unknown) => this.#onThrown(thrown),
    );
  }

  #startHooked(opening: Opening): void {
    const request = this.#requestOf(opening);
    const interceptors: Interceptor[] = [];
    try {
      for (const provider of this.#served.hooks) {
        const { interceptor } = provider({ request });
        if (interceptor !== undefined) interceptors.push(interceptor);
      }
    } catch (thrown) {
      return this.#onThrown(thrown);
    }
    // Called on the interceptor: it may be an object with a state of its own.
    this.#driver.interceptSteps(
      interceptors
        .filter(({ run }) => run !== undefined)
        .map((each) => (name, next) => each.run?.(name, next) ?? next()),
    );
    const arounds = interceptors
      .filter(({ handler }) => handler !== undefined)
      .map((each) => (next: () => Promise<void>) => each.handler?.(next) ?? next());
    intercepted(arounds, () => this.#outcome(opening))
      .then((bytes) => this.#finish(bytes ?? this.#served.outputSerde.serialize(undefined)))
      .catch((thrown: unknown) => this.#onThrown(thrown));
  }

  /** The result of the handler, in bytes, so that hooks see also those errors that come of it. */
  #outcome(opening: Opening): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#driver.isOver) return reject(this.#reason());
      this.#onOver = reject;
      const run = async () => this.#served.outputSerde.serialize(await this.#call(opening));
      run().then(resolve, reject);
    });
  }

  /** Why the attempt is over. */
  #reason(): Error {
    if (this.#reported !== undefined) return this.#reported;
    const { failure } = this.#driver;
    if (failure === undefined) return new SuspendedError();
    return new RestateError(failure.message, { errorCode: failure.code });
  }

  #call(opening: Opening): Promise<unknown> {
    const { call, inputSerde, guard } = this.#served;
    const context = this.#contextOf(opening);
    let input: unknown;
    try {
      input = inputSerde.deserialize(opening.input.value);
    } catch (thrown) {
      throw inputError(thrown);
    }
    if (guard === undefined) return call(context, input);
    const warn = (message: string): void => this.#warn(message);
    const failAttempt = (error: Error): void => {
      if (!this.#driver.isOver) this.#failWith(error);
    };
    return guard.watch(() => call(context, input), { warn, failAttempt });
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
      this.#finish(this.#served.outputSerde.serialize(value));
    } catch (thrown) {
      this.#onThrown(thrown);
    }
  }

  #finish(value: Uint8Array): void {
    this.#driver.finish({ kind: "value", value });
  }

  #onThrown(thrown: unknown): void {
    if (this.#driver.isOver) return;
    const error = this.#errors.classify(thrown);
    if (error instanceof TerminalError) {
      this.#driver.finish({ kind: "failure", failure: this.#errors.failure(error) });
      return;
    }
    this.#failWith(error);
  }

  #failWith(error: Error): void {
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
    this.#request = new HandlerRequest(target, opening, this.#origin, completed.signal);
    return this.#request;
  }

  #report(error: Error): void {
    this.#reported = error;
    this.#warn("the attempt failed and will be tried again:", error);
  }

  #warn(...message: unknown[]): void {
    const { service, serviceKind, handler, logger } = this.#served;
    const { debugId = "", key } = this.#driver.opening?.start ?? {};
    const ownKey = serviceKind === "service" ? undefined : key;
    const context = new LoggerContext(debugId, service, handler, ownKey);
    const about = { source: LogSource.SYSTEM, level: "warn", replaying: false, context } as const;
    try {
      logger(about, ...message);
    } catch {
      // A logger that fails must not keep the attempt from failing.
    }
  }
}
