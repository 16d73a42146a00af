/** `handlers`: handlers with options of their own, and of a kind of their own. */
import { trust } from "./any.ts";
import type { Context } from "./context.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  TypedState,
  UntypedState,
  WorkflowContext,
  WorkflowSharedContext,
} from "./keyed-context.ts";
import { type HandlerFunction, type HandlerKind, marked, type ServiceKind } from "./model.ts";
import type { ObjectHandlerOpts, ServiceHandlerOpts, WorkflowHandlerOpts } from "./options.ts";

/** A handler without argument, for the compiler, when its argument is `void`. */
export type RemoveVoidArgument<F> = F extends (ctx: infer C, arg: infer A) => infer R
  ? A extends void
    ? (ctx: C) => R
    : F
  : F;

type Handler<C, I, O> = (ctx: C, input: I) => Promise<O>;
type Made<C, I, O> = RemoveVoidArgument<Handler<C, I, O>>;

interface ExclusiveMaker {
  <O, I = void, TState extends TypedState = UntypedState>(
    opts: ObjectHandlerOpts<I, O>,
    fn: Handler<ObjectContext<TState>, I, O>,
  ): Made<ObjectContext<TState>, I, O>;
  <O, I = void, TState extends TypedState = UntypedState>(
    fn: Handler<ObjectContext<TState>, I, O>,
  ): Made<ObjectContext<TState>, I, O>;
}

interface SharedMaker {
  <O, I = void, TState extends TypedState = UntypedState>(
    opts: ObjectHandlerOpts<I, O>,
    fn: Handler<ObjectSharedContext<TState>, I, O>,
  ): Made<ObjectSharedContext<TState>, I, O>;
  <O, I = void, TState extends TypedState = UntypedState>(
    fn: Handler<ObjectSharedContext<TState>, I, O>,
  ): Made<ObjectSharedContext<TState>, I, O>;
}

interface WorkflowMaker {
  <O, I = void, TState extends TypedState = UntypedState>(
    opts: WorkflowHandlerOpts<I, O>,
    fn: Handler<WorkflowContext<TState>, I, O>,
  ): Made<WorkflowContext<TState>, I, O>;
  <O, I = void, TState extends TypedState = UntypedState>(
    fn: Handler<WorkflowContext<TState>, I, O>,
  ): Made<WorkflowContext<TState>, I, O>;
}

interface WorkflowSharedMaker {
  <O, I = void, TState extends TypedState = UntypedState>(
    opts: WorkflowHandlerOpts<I, O>,
    fn: Handler<WorkflowSharedContext<TState>, I, O>,
  ): Made<WorkflowSharedContext<TState>, I, O>;
  <O, I = void, TState extends TypedState = UntypedState>(
    fn: Handler<WorkflowSharedContext<TState>, I, O>,
  ): Made<WorkflowSharedContext<TState>, I, O>;
}

interface ServiceMaker {
  <O, I = void>(opts: ServiceHandlerOpts<I, O>, fn: Handler<Context, I, O>): Made<Context, I, O>;
}

interface Handlers {
  /**
   * @example
   * handlers: {
   *   upload: handlers.handler({ input: serde.binary }, async (ctx: Context, bytes: Uint8Array) => bytes.length),
   * }
   */
  handler: ServiceMaker;
  object: {
    /** One at a time for each key; may change the state. */
    exclusive: ExclusiveMaker;
    /** Beside all others; only reads the state. */
    shared: SharedMaker;
  };
  workflow: {
    /** For `run`. */
    workflow: WorkflowMaker;
    /** For the others. */
    shared: WorkflowSharedMaker;
  };
}

export const handlers: Handlers = {
  handler: maker("service", "plain"),
  object: { exclusive: maker("object", "exclusive"), shared: maker("object", "shared") },
  workflow: { workflow: maker("workflow", "run"), shared: maker("workflow", "shared") },
};

/** @deprecated use `handlers.handler` */
export const createServiceHandler: ServiceMaker = handlers.handler;
/** @deprecated use `handlers.object.exclusive` */
export const createObjectHandler: ExclusiveMaker = handlers.object.exclusive;
/** @deprecated use `handlers.object.shared` */
export const createObjectSharedHandler: SharedMaker = handlers.object.shared;
/** @deprecated use `handlers.workflow.workflow` */
export const createWorkflowHandler: WorkflowMaker = handlers.workflow.workflow;
/** @deprecated use `handlers.workflow.shared` */
export const createWorkflowSharedHandler: WorkflowSharedMaker = handlers.workflow.shared;

/** What is made has the type of the function it is made of. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it is how the type is said
function maker<T>(service: ServiceKind, kind: HandlerKind): T {
  const make = (optsOrFn: unknown, fn?: unknown): HandlerFunction => {
    const [options, given] = typeof optsOrFn === "function" ? [{}, optsOrFn] : [optsOrFn, fn];
    return marked(trust(given), { service, kind, options: trust(options) });
  };
  return trust(make);
}
