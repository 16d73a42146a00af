/** The contexts of handlers that belong to a key: those of virtual objects and of workflows. */
import type { Any } from "./any.ts";
import type { Context, RestatePromise } from "./context.ts";
import type { ServiceHandler } from "./definition.ts";
import type { Serde } from "./serde.ts";

/** The state of an object, by key. */
export type TypedState = Record<string, Any>;
/** State whose keys and values are not declared; each operation says what it expects. */
export type UntypedState = { _: never };

type StateName<TState, TKey> = TState extends UntypedState ? string : TKey;
type StateValue<TState, TKey extends keyof TState, TValue> = TState extends UntypedState
  ? TValue
  : TState[TKey];

/** What a handler may read: the state of its key. */
interface StateReader<TState extends TypedState> {
  /**
   * The value of a key of the state; null when it has none.
   *
   * @param serde default: that of the service, JSON unless it says otherwise
   */
  get<TValue, TKey extends keyof TState = string>(
    name: StateName<TState, TKey>,
    serde?: Serde<StateValue<TState, TKey, TValue>>,
  ): Promise<StateValue<TState, TKey, TValue> | null>;
  /** The keys that have a value. */
  stateKeys(): Promise<string[]>;
}

/** What a handler may do with the state of its key. It takes effect at once, and stays when the handler fails later. */
export interface KeyValueStore<TState extends TypedState> extends StateReader<TState> {
  set<TValue, TKey extends keyof TState = string>(
    name: StateName<TState, TKey>,
    value: StateValue<TState, TKey, TValue>,
    serde?: Serde<StateValue<TState, TKey, TValue>>,
  ): void;
  clear<TKey extends keyof TState>(name: StateName<TState, TKey>): void;
  clearAll(): void;
}

/** Of an exclusive handler of an object: no other one of that key runs at the same time. */
export interface ObjectContext<TState extends TypedState = UntypedState>
  extends Context, KeyValueStore<TState> {
  readonly key: string;
}

/** Of a shared handler of an object: runs beside all others, and only reads the state. */
export interface ObjectSharedContext<TState extends TypedState = UntypedState>
  extends Context, StateReader<TState> {
  readonly key: string;
}

/**
 * A promise of a workflow, by name. All handlers of one workflow key see the same one; it outlives attempts, and is
 * completed once. Awaiting it is awaiting `get()`.
 */
export type DurablePromise<T> = Promise<T> & {
  /** Its value if it has one by now; throws when it was rejected. */
  peek(): Promise<T | undefined>;
  /** Fails with a `TerminalError`, code 409, when it is completed already. */
  resolve(value?: T): Promise<void>;
  /** Whoever awaits the promise gets a terminal error. Fails as `resolve` does. */
  reject(errorMsg: string): Promise<void>;
  /** For combining it with others. */
  get(): RestatePromise<T>;
};

/** Of a shared handler of a workflow: runs beside `run`, also after it has ended, while the workflow is retained. */
export interface WorkflowSharedContext<
  TState extends TypedState = UntypedState,
> extends ObjectSharedContext<TState> {
  /** @param serde default: that of the service, JSON unless it says otherwise */
  promise<T>(name: string, serde?: Serde<T>): DurablePromise<T>;
}

/** Of the `run` handler of a workflow: runs once for each key. */
export interface WorkflowContext<TState extends TypedState = UntypedState>
  extends WorkflowSharedContext<TState>, ObjectContext<TState> {}

/** Names of the contexts in interfaces that are shared with callers. */
export type RestateContext = Context;
export type RestateObjectContext = ObjectContext;
export type RestateObjectSharedContext = ObjectSharedContext;
export type RestateWorkflowContext = WorkflowContext;
export type RestateWorkflowSharedContext = WorkflowSharedContext;

/** As `ServiceHandler`, for an exclusive handler of an object. */
export type ObjectHandler<F, C = ObjectContext> = ServiceHandler<F, C>;
/** As `ServiceHandler`, for the `run` of a workflow. */
export type WorkflowHandler<F, C = WorkflowContext> = ServiceHandler<F, C>;
/** As `ServiceHandler`, for the other handlers of a workflow. */
export type WorkflowSharedHandler<F, SC = WorkflowSharedContext> = ServiceHandler<F, SC>;
