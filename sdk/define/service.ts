/** Defining services: `service()`, `handlers.handler()` and their options. */
import { type Any, trust } from "./any.ts";
import type { Context } from "./context.ts";
import type { ServiceDefinition, ServiceOpts } from "./definition.ts";
import type { Duration } from "./duration.ts";
import type { TerminalError } from "./errors.ts";
import type { Serde } from "./serde.ts";

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
  /** For inputs, outputs, steps, awakeables and calls that do not say. Default: JSON. */
  serde?: Serde<Any>;
};

/** Options of one handler; they go before those of its service. */
export type ServiceHandlerOpts<I, O> = ServiceOptions & {
  /** The media types accepted from HTTP callers, such as `application/*`. Default: that of `input`. */
  accept?: string;
  input?: Serde<I>;
  output?: Serde<O>;
  /** Announce the media type of `output` even when the output has no bytes. Default false. */
  setOutputContentTypeIfEmpty?: boolean;
  /** For people, shown by the server. */
  description?: string;
  metadata?: Record<string, string>;
};

/** What a handler really is. */
export type HandlerFunction = (ctx: Context, input: Any) => Promise<unknown>;

/** A service as the endpoint sees it. */
export interface ServiceModel {
  readonly name: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly options: ServiceOptions;
  readonly handlers: ReadonlyMap<string, HandlerModel>;
}

export interface HandlerModel {
  readonly name: string;
  readonly options: ServiceHandlerOpts<Any, Any>;
  /** Bound to the service's object of handlers, so that `this` is that object. */
  readonly call: HandlerFunction;
}

const HANDLER_OPTIONS = Symbol("handler options");
const SERVICE_MODEL = Symbol("service model");

const SERVICE_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9._-]*$/;
const HANDLER_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$/;

/**
 * Defines a service.
 *
 * @example
 * const greeter = service({
 *   name: "Greeter",
 *   handlers: { greet: async (ctx: Context, name: string) => `Hello ${name}` },
 * });
 *
 * Throws `TypeError` for a name the server would refuse and for a handler that is no function.
 */
export const service = <P extends string, M>(definition: {
  name: P;
  handlers: ServiceOpts<M> & ThisType<M>;
  /** For people, shown by the server. */
  description?: string;
  metadata?: Record<string, string>;
  options?: ServiceOptions;
}): ServiceDefinition<P, M> => {
  const { name, handlers: functions, description, metadata, options = {} } = definition;
  if (!SERVICE_NAME.test(name)) throw new TypeError(`"${name}" cannot be the name of a service`);
  const models = new Map<string, HandlerModel>();
  for (const [handlerName, handler] of Object.entries<unknown>(functions)) {
    models.set(handlerName, handlerModel(name, handlerName, handler, functions));
  }
  const model: ServiceModel = { name, description, metadata, options, handlers: models };
  const made: ServiceDefinition<P, M> = { name };
  Object.defineProperty(made, SERVICE_MODEL, { value: model });
  return made;
};

function handlerModel(
  serviceName: string,
  name: string,
  handler: unknown,
  self: unknown,
): HandlerModel {
  if (!HANDLER_NAME.test(name)) throw new TypeError(`"${name}" cannot be the name of a handler`);
  if (!isHandlerFunction(handler)) {
    throw new TypeError(`the handler ${serviceName}/${name} is not a function`);
  }
  return { name, options: handler[HANDLER_OPTIONS] ?? {}, call: handler.bind(self) };
}

function isHandlerFunction(
  value: unknown,
): value is HandlerFunction & { readonly [HANDLER_OPTIONS]?: ServiceHandlerOpts<Any, Any> } {
  return typeof value === "function";
}

/** A handler without argument, for the compiler, when its argument is `void`. */
export type RemoveVoidArgument<F> = F extends (ctx: infer C, arg: infer A) => infer R
  ? A extends void
    ? (ctx: C) => R
    : F
  : F;

/** Handlers with options of their own. */
export const handlers = {
  /**
   * @example
   * handlers: {
   *   upload: handlers.handler({ input: serde.binary }, async (ctx: Context, bytes: Uint8Array) => bytes.length),
   * }
   */
  handler: <O, I = void>(
    opts: ServiceHandlerOpts<I, O>,
    fn: (ctx: Context, input: I) => Promise<O>,
  ): RemoveVoidArgument<(ctx: Context, input: I) => Promise<O>> => {
    const handler = function withOptions(this: unknown, ctx: Context, input: I): Promise<O> {
      return fn.call(this, ctx, input);
    };
    return trust(Object.assign(handler, { [HANDLER_OPTIONS]: opts }));
  },
};

/** @deprecated use `handlers.handler` */
export const createServiceHandler = handlers.handler;

/** What `service()` made of a definition; undefined for a definition that only names a service. */
export function serviceModel(definition: object): ServiceModel | undefined {
  const { [SERVICE_MODEL]: model }: { readonly [SERVICE_MODEL]?: ServiceModel } = definition;
  return model;
}
