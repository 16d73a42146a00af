/**
 * What a handler is given: `Context`, and what its operations return.
 *
 * Everything here is either written to the journal or read from it. On a later attempt the handler runs again from the
 * top, and each operation answers from the journal until the journal ends: so a handler must make the same operations in
 * the same order every time. Work that may come out differently belongs into `ctx.run`.
 */
import { trust } from "./any.ts";
import type {
  Service,
  ServiceDefinitionFrom,
  VirtualObject,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinitionFrom,
} from "./definition.ts";
import type {
  HandlerDescriptors,
  ObjectDescriptor,
  ServiceDescriptor,
  WorkflowDescriptor,
} from "./descriptor.ts";
import type { Duration } from "./duration.ts";
import type { TerminalError } from "./errors.ts";
import type { FetchOptions } from "./fetch.ts";
import type {
  Client,
  ClientFromDescriptors,
  SendClient,
  SendClientFromDescriptors,
} from "./rpc.ts";
import type { Saga } from "./saga.ts";
import type { Serde } from "./serde.ts";

/** The id of an invocation, `inv_1…`. */
export type InvocationId = string & { readonly __brand: "InvocationId" };

export const InvocationIdParser: { fromString(id: string): InvocationId } = {
  /** Takes the text as an invocation id; the server checks it when it is used. */
  fromString: (id) => trust(id),
};

/**
 * A promise whose result comes from the journal. Combine several with `RestatePromise.all`, `race`, `any` and
 * `allSettled` rather than with those of `Promise`, so that the same one wins in every replay.
 */
export type RestatePromise<T> = Promise<T> & {
  /**
   * This promise, or a `TimeoutError` when it takes longer. A number is milliseconds. The timer starts now and is durable:
   * it goes on while the handler is suspended.
   */
  orTimeout(duration: Duration | number): RestatePromise<T>;
  /**
   * A promise for what `mapper` makes of the result. Exactly one of `value` and `failure` is given. It runs when the
   * returned promise is awaited, not before; a `TerminalError` it throws is the failure of the returned promise.
   */
  map<U>(mapper: (value?: T, failure?: TerminalError) => U): RestatePromise<U>;
};

export type InvocationHandle = {
  /** The id of the invocation that was started; known as soon as the server has recorded it. */
  readonly invocationId: Promise<InvocationId>;
};

/** The result of a call, and the id of the invocation that will produce it. */
export type InvocationPromise<T> = RestatePromise<T> & InvocationHandle;

export interface Target {
  service: string;
  handler: string;
  /** Of an object or a workflow. */
  key?: string;
  /** `service/handler`, or `service/key/handler` */
  toString(): string;
}

/** The request as it arrived. */
export interface Request {
  readonly target: Target;
  /** The same for all attempts of this invocation. */
  readonly id: InvocationId;
  /** Headers of the invocation, as the caller gave them; names in the case they came in. */
  readonly headers: ReadonlyMap<string, string>;
  /** Headers of this attempt's own HTTP request, lower-case names. They differ from attempt to attempt. */
  readonly attemptHeaders: ReadonlyMap<string, string | string[] | undefined>;
  /** The body before the input serde. */
  readonly body: Uint8Array;
  /** The key the caller made the request idempotent with; only from servers that tell it (protocol V7). */
  readonly idempotencyKey?: string;
  /** The scope the caller put the invocation in, if any (protocol V7). */
  readonly scope?: string;
  /** The limit key of the caller, if any (protocol V7). */
  readonly limitKey?: string;
  /**
   * What the runtime passed with the request of this attempt: the environment and the execution context in Cloudflare Workers,
   * the context of the function in AWS Lambda, nothing on Node. Of this attempt alone: what depends on it belongs in a step.
   */
  readonly extraArgs: unknown[];
  /**
   * Aborted when this attempt is over, in whatever way: result, failure, suspension, lost connection. For releasing what
   * must not outlive the attempt; what it triggers must not use the context.
   */
  readonly attemptCompletedSignal: AbortSignal;
}

/** What a step is told about itself. */
export interface RunStep {
  /**
   * The same whenever this step is executed, in whichever attempt, and of no other step: for APIs that accept an idempotency key.
   * Letters, digits, `_` and `-`, below 64 characters.
   */
  readonly idempotencyKey: string;
  /** Aborted when the time of the step is out, or its attempt is over before it. */
  readonly signal: AbortSignal;
}

/** A step: what `ctx.run` records the result of. */
export type RunAction<T> = ((step: RunStep) => Promise<T>) | ((step: RunStep) => T);

/**
 * How to retry a step that fails with anything but a `TerminalError`. With none of the retry options the retry policy of
 * the service or the server applies. With any of them, the others take their defaults.
 */
export type RunOptions<T> = {
  /** For the result. Default: the serde of the service, JSON unless it says otherwise. */
  serde?: Serde<T>;
  /**
   * For one execution. A number is milliseconds. When it is over, the execution counts as failed with code 408, its `signal` is aborted,
   * and what it gives later is dropped; the retry options decide what follows. Default: no limit.
   */
  timeout?: Duration | number;
  /** In total, the first one included. After the last one the step fails for good. Default: no limit. */
  maxRetryAttempts?: number;
  /** Since the first attempt. A number is milliseconds. When it is over, the step fails for good. Default: no limit. */
  maxRetryDuration?: Duration | number;
  /** Delay after the first failed attempt. A number is milliseconds. Default: 50 ms. */
  initialRetryInterval?: Duration | number;
  /** The longest delay. A number is milliseconds. Default: 10 s. */
  maxRetryInterval?: Duration | number;
  /** What each delay is multiplied by for the next one. Default: 2. */
  retryIntervalFactor?: number;
};

/** How to receive a message. */
export type ReceiveOptions<T> = {
  /** How long to wait; then `TimeoutError`. A number is milliseconds. Default: for ever. */
  timeout?: Duration | number;
  /** Default: the serde of the service, JSON unless it says otherwise. */
  serde?: Serde<T>;
};

/** A call by names. */
export type GenericCall<REQ, RES> = {
  service: string;
  /** The name of the handler. */
  method: string;
  parameter: REQ;
  /** For keyed services. */
  key?: string;
  headers?: Record<string, string>;
  /** Default: bytes as they are. */
  inputSerde?: Serde<REQ>;
  /** Default: bytes as they are. */
  outputSerde?: Serde<RES>;
  idempotencyKey?: string;
  /** See `ctx.scope`. */
  scope?: string;
  /** See `rpc.opts`. Needs a scope. */
  limitKey?: string;
  /** A label in the journal, for people. */
  name?: string;
};

/** A one-way call by names. */
export type GenericSend<REQ> = Omit<GenericCall<REQ, void>, "outputSerde"> & {
  /** A number is milliseconds. Default: now. */
  delay?: Duration | number;
};

/**
 * Random values that are the same in every attempt. They follow from the invocation id, which is no secret: not for
 * cryptography.
 */
export interface Rand {
  /** At least 0, below 1. */
  random(): number;
  /** A UUID version 4. */
  uuidv4(): string;
}

/** The time, recorded: the same in every attempt. */
export interface ContextDate {
  /** Milliseconds since the epoch. */
  now(): Promise<number>;
  /** Such as `2026-01-31T12:00:00.000Z`. */
  toJSON(): Promise<string>;
}

/** One named signal of another invocation. */
export interface SignalReference<T> {
  resolve(payload?: T): void;
  /** Whoever waits for the signal gets a terminal error. */
  reject(reason: string | TerminalError): void;
}

/** Another invocation. */
export interface InvocationReference {
  /** A signal that the other invocation awaits with `ctx.signal(name)`. */
  signal<T>(name: string, serde?: Serde<T>): SignalReference<T>;
  /** Asks it to stop: its current await throws a `CancelledError`. */
  cancel(): void;
  /** Its result, once it has finished; failure 404 if the server does not know it. */
  attach<T>(serde?: Serde<T>): RestatePromise<T>;
}

/** The operations of a handler. */
export interface Context {
  /** Random values that are the same in every attempt. */
  readonly rand: Rand;
  /** The console, silent while the handler is replayed. Each line names the invocation. */
  readonly console: Console;
  /** The time, recorded. */
  readonly date: ContextDate;

  /**
   * Executes `action` when the result is awaited, and records what it returns; a recorded step is not executed again.
   * An action that throws `TerminalError` is recorded as failed; on any other error it is tried again. It may be executed
   * more than once if the process dies before the result is recorded, so what it does should be idempotent. The context
   * must not be used inside it.
   */
  run<T>(action: RunAction<T>): RestatePromise<T>;
  /** The name is a label in the journal. It must not change between attempts. */
  run<T>(name: string, action: RunAction<T>): RestatePromise<T>;
  run<T>(name: string, action: RunAction<T>, options: RunOptions<T>): RestatePromise<T>;

  /**
   * A request as a step: executed until it is answered, its answer recorded. Tells the other side the step's idempotency key, in the header
   * `idempotency-key`, so that it can tell a repetition. Answers such as 404 are answers; 429 and 5xx are tried again, after `retry-after`
   * where there is one. The answer stands in the journal, headers and body.
   *
   * @example
   * const response = await ctx.fetch(url, { method: "POST", body: JSON.stringify(order) });
   * if (!response.ok) throw new TerminalError(`refused: ${await response.text()}`);
   */
  fetch(
    input: string | URL | globalThis.Request,
    init?: RequestInit,
    options?: FetchOptions,
  ): RestatePromise<Response>;

  /**
   * Runs `body`; when it fails for good or the invocation is cancelled, what it did with `saga.run` is undone, the last step first, and
   * the failure is thrown on. Undoing is journaled like everything else and goes on after a crash. A further cancellation does not end
   * it. What could not be undone is named in the message of the failure.
   *
   * @example
   * await ctx.saga(async (saga) => {
   *   const room = await saga.run("reserve", () => hotel.reserve(), { undo: (room) => room && hotel.release(room) });
   *   await saga.run("charge", (step) => card.charge(room.price, step.idempotencyKey), { undo: () => card.refund() });
   * });
   */
  saga<T>(body: (saga: Saga) => PromiseLike<T>): Promise<T>;

  /** A durable timer. A number is milliseconds. A lower bound. */
  sleep(duration: Duration | number, name?: string): RestatePromise<void>;

  /**
   * A promise that someone outside resolves or rejects by its id: another handler (`resolveAwakeable`) or an HTTP request.
   * The first completion counts.
   */
  awakeable<T>(serde?: Serde<T>): { id: string; promise: RestatePromise<T> };
  resolveAwakeable<T>(id: string, payload?: T, serde?: Serde<T>): void;
  /** Whoever waits for it gets a terminal error. */
  rejectAwakeable(id: string, reason: string | TerminalError): void;

  /**
   * Calls handlers of a service: exactly once, however often this handler is tried.
   *
   * @example
   * await ctx.serviceClient(greeter).greet("Ada");
   * await ctx.serviceClient<typeof greeter>({ name: "Greeter" }).greet("Ada", rpc.opts({ idempotencyKey: "k" }));
   */
  serviceClient<D>(opts: ServiceDefinitionFrom<D>): Client<Service<D>>;
  /** Starts handlers of a service without waiting for them; with `rpc.sendOpts({ delay })` later. */
  serviceSendClient<D>(service: ServiceDefinitionFrom<D>): SendClient<Service<D>>;
  /** Calls handlers of one key of a virtual object. */
  objectClient<D>(opts: VirtualObjectDefinitionFrom<D>, key: string): Client<VirtualObject<D>>;
  objectSendClient<D>(
    opts: VirtualObjectDefinitionFrom<D>,
    key: string,
  ): SendClient<VirtualObject<D>>;
  /** Calls handlers of one workflow. A second call of its `run` fails with code 409. */
  workflowClient<D>(opts: WorkflowDefinitionFrom<D>, key: string): Client<Workflow<D>>;
  workflowSendClient<D>(opts: WorkflowDefinitionFrom<D>, key: string): SendClient<Workflow<D>>;
  /**
   * Calls what an interface of `iface` describes.
   *
   * @example
   * await ctx.client(greeter).greet("Ada");
   * await ctx.client(counter, "key").add(1);
   */
  client<P extends string, H extends HandlerDescriptors>(
    serviceInterface: ServiceDescriptor<P, H>,
  ): ClientFromDescriptors<H>;
  client<P extends string, H extends HandlerDescriptors>(
    keyedInterface: ObjectDescriptor<P, H> | WorkflowDescriptor<P, H>,
    key: string,
  ): ClientFromDescriptors<H>;
  /** Starts what an interface of `iface` describes without waiting for it. */
  sendClient<P extends string, H extends HandlerDescriptors>(
    serviceInterface: ServiceDescriptor<P, H>,
  ): SendClientFromDescriptors<H>;
  sendClient<P extends string, H extends HandlerDescriptors>(
    keyedInterface: ObjectDescriptor<P, H> | WorkflowDescriptor<P, H>,
    key: string,
  ): SendClientFromDescriptors<H>;

  /**
   * Clients for one scope: services, keys and idempotency keys of different scopes have nothing to do with each other. For
   * servers that have scopes (protocol V7); Holdfast itself has none and fails the attempt.
   *
   * Throws `TypeError` for a key that is not 1 to 36 letters, digits, `_`, `.` or `-`.
   *
   * @example
   * await ctx.scope("tenant-1").serviceClient(greeter).greet("Ada");
   */
  scope(scopeKey: string): ScopedContext;
  /** A call by names, without types. */
  genericCall<REQ = Uint8Array, RES = Uint8Array>(
    call: GenericCall<REQ, RES>,
  ): InvocationPromise<RES>;
  genericSend<REQ = Uint8Array>(call: GenericSend<REQ>): InvocationHandle;

  /** The request that started this invocation. */
  request(): Request;

  /** Another invocation by its id: send it signals, cancel it, wait for its result. */
  invocation(invocationId: InvocationId): InvocationReference;
  /** @deprecated use `ctx.invocation(id).cancel()` */
  cancel(invocationId: InvocationId): void;
  /** @deprecated use `ctx.invocation(id).attach()` */
  attach<T>(invocationId: InvocationId, serde?: Serde<T>): RestatePromise<T>;
  /** The next signal of that name that someone sends to this invocation. */
  signal<T>(name: string, serde?: Serde<T>): RestatePromise<T>;

  /**
   * The next message on a topic that someone sent to this invocation: with `ctx.send`, the ingress client, or an HTTP request.
   * Messages queue up in the order they arrive, also before anybody receives; each is received once. A `recv` that timed
   * out or lost a race takes none away. Needs Holdfast as the server.
   *
   * @example
   * const approval = await ctx.recv<Approval>("approvals", { timeout: { hours: 24 } });
   */
  recv<T>(topic: string, options?: ReceiveOptions<T>): RestatePromise<T>;
  /**
   * Sends a message to an invocation, exactly once, however often this handler is tried. One to an invocation that is over is
   * dropped. Needs Holdfast as the server.
   */
  send<T>(invocationId: InvocationId, topic: string, message: T, serde?: Serde<T>): void;
  /**
   * Publishes a value that clients can read or wait for (`getEvent` of the ingress client, or
   * `GET /restate/invocation/{id}/events/{key}`) while this invocation runs, and as long as its journal is retained. A later
   * value replaces the one before. Needs Holdfast as the server.
   */
  setEvent<T>(key: string, value: T, serde?: Serde<T>): void;
}

/** The clients of one scope. */
export type ScopedContext = Pick<
  Context,
  | "serviceClient"
  | "serviceSendClient"
  | "objectClient"
  | "objectSendClient"
  | "workflowClient"
  | "workflowSendClient"
  | "client"
  | "sendClient"
>;
