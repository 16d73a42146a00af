/** Types that name a service and carry the types of its handlers. */
import type { Any } from "./any.ts";
import type { Context } from "./context.ts";

declare const HANDLERS: unique symbol;

/**
 * A service: its name, and for the compiler its handlers. `service()` makes one that can be served; `{ name: "X" }` is
 * enough to call one.
 */
export type ServiceDefinition<P extends string, M> = {
  name: P;
  /** Never there at run time. */
  readonly [HANDLERS]?: M;
};
/** What `object()` makes. */
export type VirtualObjectDefinition<P extends string, M> = ServiceDefinition<P, M>;
/** What `workflow()` makes. */
export type WorkflowDefinition<P extends string, M> = ServiceDefinition<P, M>;

/** The handlers of a definition; handlers themselves stay what they are. */
export type Service<M> = M extends ServiceDefinition<string, infer S> ? S : M;
export type VirtualObject<M> = Service<M>;
export type Workflow<M> = Service<M>;

/** Lets clients be typed by a definition (`typeof greeter`) or by its handlers alone. */
export type ServiceDefinitionFrom<M> =
  M extends ServiceDefinition<string, unknown> ? M : ServiceDefinition<string, M>;
export type VirtualObjectDefinitionFrom<M> = ServiceDefinitionFrom<M>;
export type WorkflowDefinitionFrom<M> = ServiceDefinitionFrom<M>;

/** The function itself if it is a handler for the context `C`, else the shape such a handler must have. */
export type ServiceHandler<F, C = Context> = F extends (ctx: C) => Promise<unknown>
  ? F
  : F extends (ctx: C, input: Any) => Promise<unknown>
    ? F
    : (ctx: C, input?: Any) => Promise<Any>;

/** The handlers `service()` accepts. */
export type ServiceOpts<U> = {
  [K in keyof U]: U[K] extends ServiceHandler<U[K]> ? U[K] : ServiceHandler<U[K]>;
};
