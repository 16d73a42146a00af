/**
 * The errors that mean something to Holdfast. Any other error a handler or a step throws is a failed attempt: it is
 * logged, and the invocation is tried again from its journal.
 */
import { failureCode } from "../protocol/failure.ts";
import type { Failure } from "../protocol/messages.ts";
import { type Duration, durationToMs } from "./duration.ts";

const INTERNAL_ERROR = 500;
const REQUEST_TIMEOUT = 408;
const CONFLICT = 409;

/** What all errors of the SDK have in common: a code in the manner of HTTP statuses. */
export class RestateError extends Error {
  override name = "RestateError";
  /** Default 500. */
  readonly code: number;

  constructor(message: string, options?: { errorCode?: number; cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.code = options?.errorCode ?? INTERNAL_ERROR;
  }
}

/**
 * A final failure. Thrown from a handler it becomes the invocation's result and is never tried again; thrown from
 * `ctx.run` it becomes the recorded result of the step. Awaiting something that failed for good throws one.
 */
export class TerminalError extends RestateError {
  override name = "TerminalError";
  /** Key-value pairs that travel with the error. Lost on service protocol V5. */
  readonly metadata?: Record<string, string>;

  /**
   * @param options.errorCode an HTTP status: what a caller over HTTP is answered with. Default 500.
   */
  constructor(
    message: string,
    options?: { errorCode?: number; metadata?: Record<string, string>; cause?: unknown },
  ) {
    super(message, options);
    if (options?.metadata !== undefined) this.metadata = options.metadata;
  }
}

/** Thrown by `orTimeout` when the time is over: code 408. */
export class TimeoutError extends TerminalError {
  override name = "TimeoutError";

  constructor() {
    super("Timeout occurred", { errorCode: REQUEST_TIMEOUT });
  }
}

/** Thrown by the await during which the invocation was cancelled: code 409. */
export class CancelledError extends TerminalError {
  override name = "CancelledError";

  constructor() {
    super("Cancelled", { errorCode: CONFLICT });
  }
}

export interface RetryableErrorOptions {
  /** How long to wait before the next attempt. A number is milliseconds. Default: what the retry policy says. */
  retryAfter?: Duration | number;
}

/** A failure that is tried again, with a say in when. */
export class RetryableError extends RestateError {
  override name = "RetryableError";
  readonly retryAfter?: Duration | number;

  constructor(
    message: string,
    options?: RetryableErrorOptions & { errorCode?: number; cause?: unknown },
  ) {
    super(message, options);
    if (options?.retryAfter !== undefined) this.retryAfter = options.retryAfter;
  }

  /** Wraps `cause`: its message, and its code if it has one. */
  static from(cause: unknown, options?: RetryableErrorOptions): RetryableError {
    const error = toError(cause);
    return new RetryableError(error.message, { ...options, errorCode: errorCode(error), cause });
  }
}

/**
 * A failure of a step that is not tried again before an operator resumes the invocation. For `ctx.run`; elsewhere, and below
 * protocol V7, it is tried again as any other error.
 */
export class PauseError extends RestateError {
  override name = "PauseError";

  /** Wraps `cause`: its message, and its code if it has one. */
  static from(cause: unknown): PauseError {
    const error = toError(cause);
    return new PauseError(error.message, { errorCode: errorCode(error), cause });
  }
}

/** What hooks see when the attempt is over before the handler is, and nothing has failed. Nobody else gets it. */
export class SuspendedError extends RestateError {
  override name = "SuspendedError";

  constructor() {
    super("the attempt is over before the handler is; the invocation goes on in another one");
  }
}

/** Whatever was thrown, as an Error. */
export function toError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown;
  let text: string | undefined;
  try {
    text = typeof thrown === "string" ? thrown : JSON.stringify(thrown);
  } catch {
    // Circular, or a bigint inside.
  }
  return new Error(`thrown, but not an Error: ${text ?? typeof thrown}`, { cause: thrown });
}

/** The code of one of our errors, if it is one that travels; 500 for any other. */
export function errorCode(error: Error): number {
  return error instanceof RestateError ? failureCode(error.code) : INTERNAL_ERROR;
}

/** When the error wants to be tried again, in milliseconds; undefined when it does not say, or nothing of use. */
export function retryAfterMs(error: Error): number | undefined {
  if (!(error instanceof RetryableError) || error.retryAfter === undefined) return undefined;
  try {
    return durationToMs(error.retryAfter);
  } catch {
    return undefined;
  }
}

/** A failure off the wire as what the handler sees. */
export function failureToError({ code, message, metadata }: Failure): TerminalError {
  if (metadata === undefined) return new TerminalError(message, { errorCode: code });
  const pairs = metadata.map(({ key, value }) => [key, value] as const);
  return new TerminalError(message, { errorCode: code, metadata: Object.fromEntries(pairs) });
}

/** What the handler threw as it travels. */
export function errorToFailure(error: TerminalError): Failure {
  const { message, metadata } = error;
  const code = errorCode(error);
  if (metadata === undefined) return { code, message };
  // Not everyone compiles: other values than strings would not travel.
  const entries = Object.entries<unknown>(metadata);
  return {
    code,
    message,
    metadata: entries.map(([key, value]) => ({ key, value: String(value) })),
  };
}
