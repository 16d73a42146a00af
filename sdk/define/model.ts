/** A definition as the endpoint sees it: what `service()`, `object()` and `workflow()` make of what they are given. */
import type { Any } from "./any.ts";
import type { ServiceDefinition } from "./definition.ts";
import type { ServiceHandlerOpts, WorkflowOptions } from "./options.ts";

export type ServiceKind = "service" | "object" | "workflow";
/** `plain` is the only one of a service; `run` is that of a workflow's `run`. */
export type HandlerKind = "plain" | "exclusive" | "shared" | "run";

/** What a handler really is. */
export type HandlerFunction = (ctx: Any, input: Any) => Promise<unknown>;

/** Every option that any kind of service has. */
export type ModelOptions = WorkflowOptions;
type HandlerModelOptions = ServiceHandlerOpts<Any, Any> & WorkflowOptions;

export interface ServiceModel {
  readonly kind: ServiceKind;
  readonly name: string;
  readonly description: string | undefined;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly options: ModelOptions;
  readonly handlers: ReadonlyMap<string, HandlerModel>;
}

export interface HandlerModel {
  readonly kind: HandlerKind;
  readonly name: string;
  readonly options: HandlerModelOptions;
  /** Bound to the service's object of handlers, so that `this` is that object. */
  readonly call: HandlerFunction;
}

/** What `handlers.…` says of a function. */
interface Marks {
  readonly service: ServiceKind;
  readonly kind: HandlerKind;
  readonly options: HandlerModelOptions;
}

const MARKS = Symbol("handler marks");
const SERVICE_MODEL = Symbol("service model");

const SERVICE_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9._-]*$/;
const HANDLER_NAME = /^(?:[a-zA-Z]|_[a-zA-Z0-9])[a-zA-Z0-9_]*$/;

/** The function under another identity, marked. */
export function marked(fn: HandlerFunction, marks: Marks): HandlerFunction {
  const handler = function handle(this: unknown, ctx: Any, input: Any): Promise<unknown> {
    return fn.call(this, ctx, input);
  };
  return Object.assign(handler, { [MARKS]: marks });
}

export interface Described {
  readonly name: string;
  readonly handlers: object;
  readonly description?: string;
  readonly metadata?: Record<string, string>;
  readonly options?: ModelOptions;
}

/** Throws `TypeError` for a name the server would refuse and for a handler that cannot be one of this kind of service. */
export function define<P extends string, M>(
  kind: ServiceKind,
  { name, handlers, description, metadata, options = {} }: Described & { readonly name: P },
): ServiceDefinition<P, M> {
  if (!SERVICE_NAME.test(name)) throw new TypeError(`"${name}" cannot be the name of a service`);
  const models = new Map<string, HandlerModel>();
  for (const [handlerName, handler] of Object.entries<unknown>({ ...handlers })) {
    const model = handlerModel({ kind, name, handlers }, handlerName, handler);
    models.set(handlerName, model);
  }
  if (kind === "workflow" && !models.has("run")) {
    throw new TypeError(`the workflow ${name} has no handler named run`);
  }
  const model: ServiceModel = { kind, name, description, metadata, options, handlers: models };
  const made: ServiceDefinition<P, M> = { name };
  Object.defineProperty(made, SERVICE_MODEL, { value: model });
  return made;
}

function handlerModel(
  service: { readonly kind: ServiceKind; readonly name: string; readonly handlers: object },
  name: string,
  handler: unknown,
): HandlerModel {
  if (!HANDLER_NAME.test(name)) throw new TypeError(`"${name}" cannot be the name of a handler`);
  const path = `${service.name}/${name}`;
  if (!isHandlerFunction(handler)) throw new TypeError(`the handler ${path} is not a function`);
  const marks = handler[MARKS];
  const kind = kindOf(service.kind, name, marks);
  if (kind === undefined) {
    throw new TypeError(`the handler ${path} is of a kind that it cannot be in a ${service.kind}`);
  }
  return { kind, name, options: marks?.options ?? {}, call: handler.bind(service.handlers) };
}

/** Undefined when it cannot be a handler of that service. */
function kindOf(
  service: ServiceKind,
  name: string,
  marks: Marks | undefined,
): HandlerKind | undefined {
  if (marks !== undefined && marks.service !== service) return undefined;
  if (service === "service") return "plain";
  const kind = marks?.kind;
  if (service === "object") return kind ?? "exclusive";
  const own = name === "run" ? "run" : "shared";
  return kind === undefined || kind === own ? own : undefined;
}

function isHandlerFunction(
  value: unknown,
): value is HandlerFunction & { readonly [MARKS]?: Marks } {
  return typeof value === "function";
}

/** What was made of a definition; undefined for a definition that only names a service. */
export function serviceModel(definition: object): ServiceModel | undefined {
  const { [SERVICE_MODEL]: model }: { readonly [SERVICE_MODEL]?: ServiceModel } = definition;
  return model;
}
