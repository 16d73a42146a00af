/** What `connect()` returns, and the options of its calls. */
import type { Any } from "../define/any.ts";
import type {
  Service,
  ServiceDefinitionFrom,
  VirtualObject,
  VirtualObjectDefinitionFrom,
  Workflow,
  WorkflowDefinitionFrom,
} from "../define/definition.ts";
import type {
  HandlerDescriptors,
  InferInput,
  InferOutput,
  ObjectDescriptor,
  ServiceDescriptor,
  WorkflowDescriptor,
} from "../define/descriptor.ts";
import { type Duration, durationToMs } from "../define/duration.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import type { Serde } from "../define/serde.ts";
import type { RetryOptions } from "./retry.ts";

export interface IngressCallOptions<I = unknown, O = unknown> {
  /** The request runs once for this key; repeating it gets the same answer while the server retains it. */
  idempotencyKey?: string;
  /** In addition to those of the connection, which they replace. */
  headers?: Record<string, string>;
  /** Default: the serde of the connection. */
  input?: Serde<I>;
  output?: Serde<O>;
  /**
   * Milliseconds until the client gives up; the invocation goes on. Not together with `signal`. Default: no limit.
   */
  timeout?: number;
  /** Ends the client's request; the invocation goes on. Not together with `timeout`. */
  signal?: AbortSignal;
}

export interface IngressSendOptions<I> extends IngressCallOptions<I, void> {
  /** Start no sooner than this from now. A number is milliseconds. Default: now. */
  delay?: number | Duration;
}

/** Options of a call. A class, so that a client can tell them from an argument. */
export class Opts<I, O> {
  readonly opts: IngressCallOptions<I, O>;

  static from<I = unknown, O = unknown>(opts: IngressCallOptions<I, O>): Opts<I, O> {
    return new Opts(opts);
  }

  constructor(opts: IngressCallOptions<I, O>) {
    this.opts = opts;
  }
}

/** Options of a one-way call. */
export class SendOpts<I = unknown> {
  readonly opts: IngressSendOptions<I>;

  static from<I = unknown>(opts: IngressSendOptions<I>): SendOpts<I> {
    return new SendOpts(opts);
  }

  constructor(opts: IngressSendOptions<I>) {
    this.opts = opts;
  }

  /** In milliseconds. */
  delay(): number | undefined {
    return this.opts.delay === undefined ? undefined : durationToMs(this.opts.delay);
  }
}

/** Options go last: `client.greet(name, rpc.opts({ idempotencyKey: "a" }))`. */
export const rpc: {
  opts<I, O>(opts: IngressCallOptions<I, O>): Opts<I, O>;
  sendOpts<I>(opts: IngressSendOptions<I>): SendOpts<I>;
} = {
  opts: <I, O>(opts: IngressCallOptions<I, O>): Opts<I, O> => Opts.from(opts),
  sendOpts: <I>(opts: IngressSendOptions<I>): SendOpts<I> => SendOpts.from(opts),
};

/** The type of a handler's argument, from what is left of its parameters without the context. */
export type InferArgType<P> = P extends [infer A, ...unknown[]] ? A : unknown;

/** One function a handler; each resolves to the handler's result, or rejects with `HttpCallError`. */
export type IngressClient<M> = {
  [K in keyof M as M[K] extends never ? never : K]: M[K] extends (
    ctx: Any,
    ...args: infer P
  ) => PromiseLike<infer O>
    ? (...args: [...P, ...[opts?: Opts<InferArgType<P>, O>]]) => PromiseLike<O>
    : never;
};

/** One function a handler; each resolves once the server has taken the request. */
export type IngressSendClient<M> = {
  [K in keyof M as M[K] extends never ? never : K]: M[K] extends (
    ctx: Any,
    ...args: infer P
  ) => PromiseLike<infer O>
    ? (...args: [...P, ...[opts?: SendOpts<InferArgType<P>>]]) => Promise<Send<O>>
    : never;
};

type DescribedArgs<I> = [I] extends [void] ? [] : [input: I];

/** One function for each handler of an interface; each resolves to its result. */
export type IngressClientFromDescriptors<H extends HandlerDescriptors> = {
  readonly [K in keyof H]: (
    ...args: [...DescribedArgs<InferInput<H[K]>>, opts?: Opts<InferInput<H[K]>, InferOutput<H[K]>>]
  ) => Promise<InferOutput<H[K]>>;
};

/** One function for each handler of an interface; each resolves once the server has taken the request. */
export type IngressSendClientFromDescriptors<H extends HandlerDescriptors> = {
  readonly [K in keyof H]: (
    ...args: [...DescribedArgs<InferInput<H[K]>>, opts?: SendOpts<InferInput<H[K]>>]
  ) => Promise<Send<InferOutput<H[K]>>>;
};

/** The answer of `workflowOutput`. */
export interface Output<O> {
  /** The workflow has ended. */
  ready: boolean;
  /** Throws while the workflow has not ended. */
  result: O;
}

/** The arguments and the result of a workflow's `run`. */
type Run<M> = M extends { run: (ctx: Any, ...args: infer P) => Promise<infer O> }
  ? { readonly args: P; readonly result: O }
  : never;

/** The shared handlers of a workflow, each one a function, and what can be done with its `run`. */
export type IngressWorkflowClient<M> = Omit<IngressClient<M>, "run"> & {
  /** Starts the workflow unless it was started before, which `status` tells. Does not wait for it to end. */
  workflowSubmit: (
    ...args: [...Run<M>["args"], ...[opts?: SendOpts<InferArgType<Run<M>["args"]>>]]
  ) => Promise<WorkflowSubmission<Run<M>["result"]>>;
  /** Waits for the workflow to end: its result, or `HttpCallError`; 404 when there is no such workflow. */
  workflowAttach: (opts?: Opts<void, Run<M>["result"]>) => Promise<Run<M>["result"]>;
  /** The result if the workflow has ended; rejects like `workflowAttach`. */
  workflowOutput: (opts?: Opts<void, Run<M>["result"]>) => Promise<Output<Run<M>["result"]>>;
};

declare const RESULT: unique symbol;

/** An accepted workflow. */
export type WorkflowSubmission<T> = {
  readonly invocationId: string;
  /** `PreviouslyAccepted`: the workflow had been started before. */
  readonly status: "Accepted" | "PreviouslyAccepted";
  readonly attachable: true;
  /** Never there at run time. */
  readonly [RESULT]?: T;
};

/** An accepted one-way call. */
export type Send<T = unknown> = {
  invocationId: string;
  /** `PreviouslyAccepted`: there was a request with the same idempotency key before. */
  status: "Accepted" | "PreviouslyAccepted";
  /** It was sent with an idempotency key, so that its result is retained. */
  attachable: boolean;
  /** Never there at run time. */
  readonly [RESULT]?: T;
};

/** A call by names. */
export interface IngressCall<I> {
  service: string;
  handler: string;
  parameter: I;
  /** For keyed services. */
  key?: string;
}

/** An invocation by its id, or the run of a workflow by its key. */
export type InvocationTarget = string | { readonly workflow: string; readonly key: string };

export interface MessageOptions<T> {
  /** A second message on this topic with the same key is the first one once more. */
  idempotencyKey?: string;
  /** Default: that of the connection. */
  serde?: Serde<T>;
  headers?: Record<string, string>;
  /** Milliseconds until the client gives up. Not together with `signal`. Default: no limit. */
  timeout?: number;
  signal?: AbortSignal;
}

/** An accepted message. */
export interface Delivery {
  /** `PreviouslyAccepted`: there was a message with the same idempotency key before. */
  status: "Accepted" | "PreviouslyAccepted";
}

export interface EventOptions<T> extends Omit<MessageOptions<T>, "idempotencyKey"> {
  /** How long to wait for a value, at most 10 minutes. A number is milliseconds. Default: not at all. */
  wait?: Duration | number;
  /** Only a value of a later version than this one. */
  after?: number | undefined;
}

export interface PublishedEvent<T> {
  value: T;
  /** Rises with each value. */
  version: number;
}

export interface Ingress {
  /** Calls handlers and waits for their results. */
  serviceClient<D>(opts: ServiceDefinitionFrom<D>): IngressClient<Service<D>>;
  /** Starts handlers. */
  serviceSendClient<D>(opts: ServiceDefinitionFrom<D>): IngressSendClient<Service<D>>;
  /** Calls handlers of one key of a virtual object. */
  objectClient<D>(
    opts: VirtualObjectDefinitionFrom<D>,
    key: string,
  ): IngressClient<VirtualObject<D>>;
  objectSendClient<D>(
    opts: VirtualObjectDefinitionFrom<D>,
    key: string,
  ): IngressSendClient<VirtualObject<D>>;
  /** Starts one workflow, waits for it, and calls its shared handlers. */
  workflowClient<D>(
    opts: WorkflowDefinitionFrom<D>,
    key: string,
  ): IngressWorkflowClient<Workflow<D>>;
  /**
   * Calls what an interface of `iface` describes.
   *
   * @example
   * await ingress.client(greeter).greet("Ada");
   * await ingress.client(counter, "key").add(1);
   */
  client<P extends string, H extends HandlerDescriptors>(
    serviceInterface: ServiceDescriptor<P, H>,
  ): IngressClientFromDescriptors<H>;
  client<P extends string, H extends HandlerDescriptors>(
    keyedInterface: ObjectDescriptor<P, H> | WorkflowDescriptor<P, H>,
    key: string,
  ): IngressClientFromDescriptors<H>;
  /** Starts what an interface of `iface` describes without waiting for it. */
  sendClient<P extends string, H extends HandlerDescriptors>(
    serviceInterface: ServiceDescriptor<P, H>,
  ): IngressSendClientFromDescriptors<H>;
  sendClient<P extends string, H extends HandlerDescriptors>(
    keyedInterface: ObjectDescriptor<P, H> | WorkflowDescriptor<P, H>,
    key: string,
  ): IngressSendClientFromDescriptors<H>;
  call<I = Uint8Array, O = Uint8Array>(call: IngressCall<I> & { opts?: Opts<I, O> }): Promise<O>;
  send<I = Uint8Array>(call: IngressCall<I> & { opts?: SendOpts<I> }): Promise<Send>;
  /**
   * Sends a message to a handler, which takes it with `ctx.recv(topic)`; it queues up until then. Rejects with `HttpCallError`: 404
   * when there is no such invocation, 409 when it is over. Needs Holdfast as the server.
   */
  send<T>(
    invocation: InvocationTarget,
    topic: string,
    message: T,
    opts?: MessageOptions<T>,
  ): Promise<Delivery>;
  /**
   * The latest value of an event that a handler set with `ctx.setEvent(key, value)`; undefined when there is none, or none within
   * `wait`. Rejects with `HttpCallError` for an invocation that is not known. Needs Holdfast as the server.
   *
   * @example
   * let event = await ingress.getEvent<number>(id, "progress", { wait: { seconds: 30 } });
   * event = await ingress.getEvent(id, "progress", { wait: { seconds: 30 }, after: event?.version });
   */
  getEvent<T>(
    invocation: InvocationTarget,
    key: string,
    opts?: EventOptions<T>,
  ): Promise<PublishedEvent<T> | undefined>;
  /** Completes an awakeable. Resolves also when it was completed before; the first completion counts. */
  resolveAwakeable<T>(id: string, payload?: T, payloadSerde?: Serde<T>): Promise<void>;
  /** The handler that waits for it gets a terminal error with this reason. */
  rejectAwakeable(id: string, reason: string): Promise<void>;
  /** Waits for the result of a one-way call or of a workflow. */
  result<T>(send: Send<T> | WorkflowSubmission<T>, resultSerde?: Serde<T>): Promise<T>;
}

export type ConnectionOpts = {
  /** Of the server's ingress, such as `http://localhost:8080`. */
  url: string;
  /** For every request. */
  headers?: Record<string, string>;
  /** For payloads that do not say. Default: JSON. */
  serde?: Serde<Any>;
  /** That of the services, if they have one; see `JournalValueCodec`. Default: none. */
  journalValueCodec?: JournalValueCodec;
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch;
  /**
   * How requests are made again that were not answered (the connection failed, 429, 502, 503 or 504), if a repetition does no harm:
   * those that only ask, those with an idempotency key, starting a workflow, completing an awakeable. Others are repeated only after
   * 429, with which the server did not take them. What a handler answers is never asked for again. False: never. Default: 5 attempts.
   */
  retry?: RetryOptions | false;
};
