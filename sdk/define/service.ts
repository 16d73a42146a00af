/** Defining services, virtual objects and workflows. */
import type { Any } from "./any.ts";
import type { ObjectContext, ObjectSharedContext } from "./keyed-context.ts";
import type { WorkflowContext, WorkflowSharedContext } from "./keyed-context.ts";
import type {
  ServiceDefinition,
  ServiceHandler,
  ServiceOpts,
  VirtualObjectDefinition,
  WorkflowDefinition,
} from "./definition.ts";
import { define } from "./model.ts";
import type { ObjectOptions, ServiceOptions, WorkflowOptions } from "./options.ts";

/** What a definition says of itself besides its handlers. */
interface About<P extends string, O> {
  name: P;
  /** For people, shown by the server. */
  description?: string;
  metadata?: Record<string, string>;
  options?: O;
}

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
export const service = <P extends string, M>(
  definition: About<P, ServiceOptions> & { handlers: ServiceOpts<M> & ThisType<M> },
): ServiceDefinition<P, M> => define("service", definition);

/** The handlers `object()` accepts. */
export type ObjectOpts<U> = {
  [K in keyof U]: U[K] extends ServiceHandler<U[K], ObjectContext<Any>>
    ? U[K]
    : U[K] extends ServiceHandler<U[K], ObjectSharedContext<Any>>
      ? U[K]
      : ServiceHandler<U[K], ObjectContext<Any>> | ServiceHandler<U[K], ObjectSharedContext<Any>>;
};

/**
 * Defines a virtual object: handlers that share state by key. Those that are plain functions are exclusive: for one key
 * one runs at a time, in the order they were called.
 *
 * @example
 * const counter = object({
 *   name: "Counter",
 *   handlers: {
 *     add: async (ctx: ObjectContext, amount: number) => {
 *       const sum = ((await ctx.get<number>("sum")) ?? 0) + amount;
 *       ctx.set("sum", sum);
 *       return sum;
 *     },
 *     read: handlers.object.shared(async (ctx: ObjectSharedContext) => ctx.get<number>("sum")),
 *   },
 * });
 *
 * Throws `TypeError` as `service` does.
 */
export const object = <P extends string, M>(
  definition: About<P, ObjectOptions> & { handlers: ObjectOpts<M> & ThisType<M> },
): VirtualObjectDefinition<P, M> => define("object", definition);

type ClientMethod = "workflowSubmit" | "workflowAttach" | "workflowOutput";

/** The handlers `workflow()` accepts; what it does not accept is shown the reason as its type. */
export type WorkflowOpts<U> = {
  run: (ctx: WorkflowContext<Any>, argument: Any) => Promise<Any>;
} & {
  [K in keyof U]: K extends ClientMethod
    ? `${K} is a method of workflow clients and cannot be a handler`
    : K extends "run"
      ? U[K] extends ServiceHandler<U[K], WorkflowContext<Any>>
        ? U[K]
        : "run takes a WorkflowContext and returns a promise"
      : U[K] extends ServiceHandler<U[K], WorkflowSharedContext<Any>>
        ? U[K]
        : "a handler beside run takes a WorkflowSharedContext and returns a promise";
};

/**
 * Defines a workflow: `run`, which runs once for each key, and shared handlers that talk to it through promises.
 *
 * @example
 * const signup = workflow({
 *   name: "Signup",
 *   handlers: {
 *     run: async (ctx: WorkflowContext, email: string) => {
 *       await ctx.run("send mail", () => mail.askToConfirm(email, ctx.key));
 *       return await ctx.promise<string>("confirmed");
 *     },
 *     confirm: async (ctx: WorkflowSharedContext, code: string) => {
 *       await ctx.promise<string>("confirmed").resolve(code);
 *     },
 *   },
 * });
 *
 * Throws `TypeError` as `service` does, and when there is no `run`.
 */
export const workflow = <P extends string, M>(
  definition: About<P, WorkflowOptions> & { handlers: WorkflowOpts<M> & ThisType<M> },
): WorkflowDefinition<P, M> => define("workflow", definition);
