/** `implement`: a service made of its interface and its handlers. */
import { type Any, trust } from "./any.ts";
import type { Context } from "./context.ts";
import type { ServiceDefinition } from "./definition.ts";
import type {
  Descriptor,
  HandlerDescriptor,
  HandlerDescriptors,
  InferInput,
  InferOutput,
} from "./descriptor.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  WorkflowContext,
  WorkflowSharedContext,
} from "./keyed-context.ts";
import {
  define,
  type HandlerFunction,
  type HandlerKind,
  marked,
  type ServiceKind,
} from "./model.ts";
import type {
  ObjectHandlerOpts,
  ObjectOptions,
  ServiceHandlerOpts,
  ServiceOptions,
  WorkflowHandlerOpts,
  WorkflowOptions,
} from "./options.ts";

/** A handler; without argument when `I` is `void`. */
export type FnOf<C, I, O> = [I] extends [void]
  ? (ctx: C) => Promise<O>
  : (ctx: C, input: I) => Promise<O>;

type HandlerOf<C, D> = FnOf<C, InferInput<D>, InferOutput<D>>;

/** The handlers a service interface asks for. */
export type ServiceImplHandlers<H extends HandlerDescriptors> = {
  [K in keyof H]: HandlerOf<Context, H[K]>;
};
/** The handlers an object interface asks for. */
export type ObjectImplHandlers<H extends HandlerDescriptors> = {
  [K in keyof H]: H[K] extends HandlerDescriptor<Any, Any, infer Shared>
    ? HandlerOf<Shared extends true ? ObjectSharedContext : ObjectContext, H[K]>
    : never;
};
/** The handlers a workflow interface asks for: `run`, and shared ones. */
export type WorkflowImplHandlers<H extends HandlerDescriptors> = {
  [K in keyof H]: HandlerOf<K extends "run" ? WorkflowContext : WorkflowSharedContext, H[K]>;
};

/** Options of a handler, without what its interface says. */
export type ServicePerHandlerOpts = Omit<ServiceHandlerOpts<unknown, unknown>, "input" | "output">;
export type ObjectPerHandlerOpts = Omit<ObjectHandlerOpts<unknown, unknown>, "input" | "output">;
export type WorkflowPerHandlerOpts = Omit<
  WorkflowHandlerOpts<unknown, unknown>,
  "input" | "output"
>;

/** What an implementation says besides its interface. */
interface Implementation<Handlers, Options, PerHandler> {
  handlers: Handlers;
  /** Default: that of the interface. */
  description?: string;
  metadata?: Record<string, string>;
  options?: Options & {
    /** Of single handlers, by name. */
    handlers?: { [K in keyof Handlers]?: PerHandler };
  };
}

interface ImplHandlers<H extends HandlerDescriptors> {
  service: ServiceImplHandlers<H>;
  object: ObjectImplHandlers<H>;
  workflow: WorkflowImplHandlers<H>;
}

/** Not overloads, so that the compiler shows a mistake where it is made. */
interface Implementations<H extends HandlerDescriptors> {
  service: Implementation<ServiceImplHandlers<H>, ServiceOptions, ServicePerHandlerOpts>;
  object: Implementation<ObjectImplHandlers<H>, ObjectOptions, ObjectPerHandlerOpts>;
  workflow: Implementation<WorkflowImplHandlers<H>, WorkflowOptions, WorkflowPerHandlerOpts>;
}

type WithDefined = Implementation<
  Readonly<Record<string, HandlerFunction>>,
  WorkflowOptions,
  WorkflowPerHandlerOpts
>;

/**
 * Makes a definition that can be served of an interface and the handlers it asks for. It is the interface as well: clients
 * take it.
 *
 * Throws `TypeError` as `service`, `object` and `workflow` do, and when a handler is missing.
 */
export function implement<P extends string, H extends HandlerDescriptors, Kind extends ServiceKind>(
  descriptor: Descriptor<P, H, Kind>,
  config: Implementations<H>[Kind],
): ServiceDefinition<P, ImplHandlers<H>[Kind]> & Descriptor<P, H, Kind> {
  const given: WithDefined = trust(config);
  const { name, _kind: kind, _handlers: described } = descriptor;
  const { handlers: perHandler = {}, ...options } = given.options ?? {};
  const handlers: Record<string, HandlerFunction> = {};
  for (const [handlerName, handler] of Object.entries(described)) {
    const implementation = given.handlers[handlerName];
    if (typeof implementation !== "function") {
      throw new TypeError(`the handler ${name}/${handlerName} is not implemented`);
    }
    // What it calls on `this` are the handlers as they were given.
    handlers[handlerName] = marked(implementation.bind(given.handlers), {
      service: kind,
      kind: kindOf(kind, handlerName, handler),
      options: { ...describedOptions(handler), ...perHandler[handlerName] },
    });
  }
  const { _description, _metadata } = descriptor;
  const { description = _description, metadata = _metadata } = given;
  const definition = define<P, ImplHandlers<H>[Kind]>(kind, {
    name,
    handlers,
    options,
    ...(description !== undefined && { description }),
    ...(metadata !== undefined && { metadata }),
  });
  // The definition keeps its own part, which is not to be copied.
  return Object.assign(definition, descriptor);
}

function kindOf(kind: ServiceKind, name: string, { _shared }: HandlerDescriptor): HandlerKind {
  if (kind === "service") return "plain";
  if (kind === "workflow") return name === "run" ? "run" : "shared";
  return _shared === true ? "shared" : "exclusive";
}

function describedOptions(handler: HandlerDescriptor): ServiceHandlerOpts<Any, Any> {
  const { _inputSerde, _outputSerde, _description, _metadata } = handler;
  return {
    ...(_inputSerde !== undefined && { input: _inputSerde }),
    ...(_outputSerde !== undefined && { output: _outputSerde }),
    ...(_description !== undefined && { description: _description }),
    ...(_metadata !== undefined && { metadata: _metadata }),
  };
}
