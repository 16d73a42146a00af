/**
 * Interfaces of services, apart from what implements them: names, types and serdes, as values that services and their callers
 * share. `iface` makes them, `implement` makes a service of one, and clients take them.
 */
import { type Any, trust } from "./any.ts";
import type {
  ServiceDefinition,
  VirtualObjectDefinition,
  WorkflowDefinition,
} from "./definition.ts";
import type { ServiceKind } from "./model.ts";
import { type Serde, serde } from "./serde.ts";
import type { AnySchema, SchemaOutput, StandardSchema } from "./standard-schema.ts";

/** For people, shown by the server. */
export type DescriptorOpts = {
  description?: string;
  metadata?: Record<string, string>;
};

/** One handler of an interface. */
export type HandlerDescriptor<I = Any, O = Any, Shared extends boolean = boolean> = {
  /** Absent: JSON. */
  readonly _inputSerde?: Serde<I>;
  readonly _outputSerde?: Serde<O>;
  /** A handler of an object that runs beside all others. */
  readonly _shared?: Shared;
  readonly _description?: string;
  readonly _metadata?: Record<string, string>;
};

/** What a described handler takes. */
export type InferInput<D> = D extends HandlerDescriptor<infer I, Any, Any> ? I : Any;
/** What a described handler resolves to. */
export type InferOutput<D> = D extends HandlerDescriptor<Any, infer O, Any> ? O : Any;

/** The handlers of an interface, by name. */
export type HandlerDescriptors = Record<string, HandlerDescriptor>;

/** The interface of a service, an object or a workflow. */
export type Descriptor<
  P extends string = string,
  H extends HandlerDescriptors = HandlerDescriptors,
  Kind extends ServiceKind = ServiceKind,
> = {
  readonly name: P;
  readonly _kind: Kind;
  readonly _handlers: H;
  readonly _description?: string;
  readonly _metadata?: Record<string, string>;
};

export type ServiceDescriptor<
  P extends string = string,
  H extends HandlerDescriptors = HandlerDescriptors,
> = Descriptor<P, H, "service">;
export type ObjectDescriptor<
  P extends string = string,
  H extends HandlerDescriptors = HandlerDescriptors,
> = Descriptor<P, H, "object">;
export type WorkflowDescriptor<
  P extends string = string,
  H extends HandlerDescriptors = HandlerDescriptors,
> = Descriptor<P, H, "workflow">;

/** A definition that can be served and is its own interface. */
export type ImplementedServiceDefinition<
  P extends string,
  H extends HandlerDescriptors,
> = ServiceDefinition<P, Any> & ServiceDescriptor<P, H>;
export type ImplementedObjectDefinition<
  P extends string,
  H extends HandlerDescriptors,
> = VirtualObjectDefinition<P, Any> & ObjectDescriptor<P, H>;
export type ImplementedWorkflowDefinition<
  P extends string,
  H extends HandlerDescriptors,
> = WorkflowDefinition<P, Any> & WorkflowDescriptor<P, H>;
export type ImplementedDefinition<
  P extends string,
  H extends HandlerDescriptors,
  Kind extends ServiceKind,
> = ServiceDefinition<P, Any> & Descriptor<P, H, Kind>;

type SerdeType<S> = S extends Serde<infer T> ? T : never;

/** Ways to declare a handler. */
interface HandlerDeclarations<Shared extends boolean> {
  /** JSON of these types, which nothing checks. */
  json<I = void, O = void>(opts?: DescriptorOpts): HandlerDescriptor<I, O, Shared>;
  /** Serdes of your own; what is left out is nothing. */
  serdes<SI extends Serde<Any> = Serde<void>, SO extends Serde<Any> = Serde<void>>(
    opts: { input?: SI; output?: SO } & DescriptorOpts,
  ): HandlerDescriptor<SerdeType<SI>, SerdeType<SO>, Shared>;
  /** JSON that a Standard Schema checks when it is read; the types are those that it makes. What is left out is nothing. */
  schemas<SI extends AnySchema = StandardSchema<void>, SO extends AnySchema = StandardSchema<void>>(
    opts: { input?: SI; output?: SO } & DescriptorOpts,
  ): HandlerDescriptor<SchemaOutput<SI>, SchemaOutput<SO>, Shared>;
}

/** What `iface` is. */
export interface ServiceInterface extends HandlerDeclarations<false> {
  service<P extends string, H extends HandlerDescriptors>(
    name: P,
    handlers: H,
    opts?: DescriptorOpts,
  ): ServiceDescriptor<P, H>;
  object<P extends string, H extends HandlerDescriptors>(
    name: P,
    handlers: H,
    opts?: DescriptorOpts,
  ): ObjectDescriptor<P, H>;
  workflow<P extends string, H extends HandlerDescriptors>(
    name: P,
    handlers: H,
    opts?: DescriptorOpts,
  ): WorkflowDescriptor<P, H>;
  /** Handlers of an object that run beside all others. */
  shared: HandlerDeclarations<true>;
}

/**
 * Declares the interface of a service.
 *
 * @example
 * export const greeter = iface.service("Greeter", {
 *   greet: iface.schemas({ input: z.object({ name: z.string() }), output: z.string() }),
 *   ping: iface.json<void, number>(),
 * });
 * const served = implement(greeter, { handlers: { greet: async (ctx, { name }) => `Hello ${name}`, ping: async () => 1 } });
 * await ctx.client(greeter).greet({ name: "Ada" });
 */
export const iface: ServiceInterface = {
  service: (name, handlers, opts) => describe("service", name, handlers, opts),
  object: (name, handlers, opts) => describe("object", name, handlers, opts),
  workflow: (name, handlers, opts) => describe("workflow", name, handlers, opts),
  ...declarations<false>(undefined),
  shared: declarations<true>(true),
};

function describe<P extends string, H extends HandlerDescriptors, Kind extends ServiceKind>(
  kind: Kind,
  name: P,
  handlers: H,
  opts: DescriptorOpts = {},
): Descriptor<P, H, Kind> {
  return { name, _kind: kind, _handlers: handlers, ...aboutFields(opts) };
}

function declarations<Shared extends boolean>(
  shared: Shared | undefined,
): HandlerDeclarations<Shared> {
  const declare = <I, O>(
    input: Serde<I> | undefined,
    output: Serde<O> | undefined,
    opts: DescriptorOpts = {},
  ): HandlerDescriptor<I, O, Shared> => ({
    ...(input !== undefined && { _inputSerde: input }),
    ...(output !== undefined && { _outputSerde: output }),
    ...(shared !== undefined && { _shared: shared }),
    ...aboutFields(opts),
  });
  return {
    json: (opts) => declare<Any, Any>(undefined, undefined, opts),
    serdes: ({ input, output, ...opts }) => declare(trust(input), trust(output), opts),
    schemas: ({ input, output, ...opts }) =>
      declare(input && serde.schema(input), output && serde.schema(output), opts),
  };
}

function aboutFields({ description, metadata }: DescriptorOpts) {
  return {
    ...(description !== undefined && { _description: description }),
    ...(metadata !== undefined && { _metadata: metadata }),
  };
}
