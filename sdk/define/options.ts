/** Options of services, of their handlers, and of an endpoint for all its services. */
import type { Any } from "./any.ts";
import type { Duration } from "./duration.ts";
import type { TerminalError } from "./errors.ts";
import type { HooksProvider } from "./hooks.ts";
import type { Serde } from "./serde.ts";
import type { StandardSchema } from "./standard-schema.ts";

/** How the server retries failed attempts. What is not given is taken from the service, then from the server. */
export type RetryPolicy = {
  /** In total, the first one included. */
  maxAttempts?: number;
  /** After the last attempt: `pause` waits for an operator, `kill` fails the invocation with the last error. */
  onMaxAttempts?: "pause" | "kill";
  /** A number is milliseconds. */
  initialInterval?: Duration | number;
  /** A number is milliseconds. */
  maxInterval?: Duration | number;
  /** What each delay is multiplied by for the next one. */
  exponentiationFactor?: number;
};

/**
 * What is done about a handler that outside of a step reads the clock, takes a chance, sets a timer or fetches with the
 * functions of the runtime, which give something else in every attempt: nothing (`off`), a line in the log, once for each
 * handler and function (`warn`), or the attempt fails (`error`).
 */
export type DeterminismGuard = "off" | "warn" | "error";

/** Options of a service, and of an endpoint for all its services. Durations as numbers are milliseconds. */
export type ServiceOptions = {
  /** How long the result of a request with an idempotency key is kept. */
  idempotencyRetention?: Duration | number;
  /** How long the journal of a finished invocation is kept. */
  journalRetention?: Duration | number;
  /** After this long without a message either way the server asks the handler to suspend. 0: at once, always. */
  inactivityTimeout?: Duration | number;
  /** A handler that was asked to suspend and still has not after this long is cut off and tried again. */
  abortTimeout?: Duration | number;
  /** Only other services may call it, not HTTP. Default false. */
  ingressPrivate?: boolean;
  retryPolicy?: RetryPolicy;
  /** Makes errors of your own final: return a `TerminalError` for them, and nothing for those to be retried. */
  asTerminalError?: (error: Any) => TerminalError | undefined;
  /** For inputs, outputs, steps, state, awakeables and calls that do not say. Default: JSON. */
  serde?: Serde<Any>;
  /**
   * What goes around handlers and their steps. Those of the service are outermost, then those of the handler; within each, the
   * first one is. Those of the endpoint are for services that have none.
   */
  hooks?: HooksProvider[];
  /**
   * A cancellation does not end the await of the handler and is not passed on to its calls: the handler asks for it, with
   * `cancellation()` of `internal.ContextInternal`. Default false.
   */
  explicitCancellation?: boolean;
  /**
   * What becomes of an invocation whose handler does something else than its journal says: tried again by its retry policy
   * (the default), paused at once for an operator, or failed for good. Needs protocol V7; below it is tried again.
   */
  onJournalMismatchErrors?: "retry" | "pause" | "fail";
  /**
   * Default: `warn`, and `off` where the environment variable NODE_ENV is "production". Off wherever there is no
   * `AsyncLocalStorage`, and then, as with `off`, it costs nothing.
   */
  determinismGuard?: DeterminismGuard;
};

interface KeyedOptions {
  /** Read state when it is asked for instead of having it sent along with each attempt. Default false. */
  enableLazyState?: boolean;
}

export type ObjectOptions = ServiceOptions & KeyedOptions;

export type WorkflowOptions = ServiceOptions &
  KeyedOptions & {
    /** How long a workflow that has ended, with its promises and its state, is kept. */
    workflowRetention?: Duration | number;
  };

/** Options of an endpoint for all its services; what a service or a handler says goes before it. */
export type DefaultServiceOptions = ServiceOptions & ObjectOptions & WorkflowOptions;

/** Options of one handler; they go before those of its service. */
export type ServiceHandlerOpts<I, O> = ServiceOptions & {
  /** The media types accepted from HTTP callers, such as `application/*`. Default: that of `input`. */
  accept?: string;
  /**
   * A serde, or a Standard Schema (zod, valibot, arktype, …) that checks the JSON of the caller: what it does not accept fails
   * with code 400 and is not tried again. Default: the serde of the service.
   */
  input?: Serde<I> | StandardSchema<Any, I>;
  /**
   * A serde, or a Standard Schema that takes what the handler returns; the caller gets what it makes of it. What it does not
   * accept fails the invocation with code 500. Default: the serde of the service.
   */
  output?: Serde<O> | StandardSchema<O, Any>;
  /** Announce the media type of `output` even when the output has no bytes. Default false. */
  setOutputContentTypeIfEmpty?: boolean;
  /** For people, shown by the server. */
  description?: string;
  metadata?: Record<string, string>;
};

export type ObjectHandlerOpts<I, O> = ServiceHandlerOpts<I, O> & KeyedOptions;
export type WorkflowHandlerOpts<I, O> = ServiceHandlerOpts<I, O> & KeyedOptions;
