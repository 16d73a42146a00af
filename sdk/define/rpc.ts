/** Typed clients for handlers, and the options of a call. */
import type { Any } from "./any.ts";
import type { InvocationHandle, InvocationPromise } from "./context.ts";
import type { Duration } from "./duration.ts";
import type { HandlerDescriptors, InferInput, InferOutput } from "./descriptor.ts";
import type { Serde } from "./serde.ts";

export type ClientCallOptions<I, O> = {
  /** Default: the serde of the calling service, JSON unless it says otherwise. */
  input?: Serde<I>;
  output?: Serde<O>;
  /** The callee runs once for this key; further calls with it get the same result. */
  idempotencyKey?: string;
  /**
   * How many of the scope run at once is limited by this key: one or two parts of letters, digits, `_`, `.` and `-`, with `/`
   * between them. Only for clients of `ctx.scope`.
   */
  limitKey?: string;
  /** What the callee finds in `ctx.request().headers`. */
  headers?: Record<string, string>;
  /** A label in the journal, for people. */
  name?: string;
};

export type ClientSendOptions<I> = Omit<ClientCallOptions<I, void>, "output"> & {
  /** Start the callee no sooner than this from now. A number is milliseconds. Default: now. */
  delay?: Duration | number;
};

/** Options of a call. A class, so that a client can tell them from an argument. Made by `rpc.opts`. */
export class Opts<I, O> {
  readonly #opts: ClientCallOptions<I, O>;

  static from<I, O>(opts: ClientCallOptions<I, O>): Opts<I, O> {
    return new Opts(opts);
  }

  private constructor(opts: ClientCallOptions<I, O>) {
    this.#opts = opts;
  }

  getOpts(): ClientCallOptions<I, O> {
    return this.#opts;
  }
}

/** Options of a one-way call. Made by `rpc.sendOpts`. */
export class SendOpts<I> {
  readonly #opts: ClientSendOptions<I>;

  static from<I>(opts: ClientSendOptions<I>): SendOpts<I> {
    return new SendOpts(opts);
  }

  private constructor(opts: ClientSendOptions<I>) {
    this.#opts = opts;
  }

  getOpts(): ClientSendOptions<I> {
    return this.#opts;
  }
}

/** Options go last: `client.greet(name, rpc.opts({ idempotencyKey: "a" }))`. */
export const rpc: {
  opts<I, O>(opts: ClientCallOptions<I, O>): Opts<I, O>;
  sendOpts<I>(opts: ClientSendOptions<I>): SendOpts<I>;
} = {
  opts: <I, O>(opts: ClientCallOptions<I, O>): Opts<I, O> => Opts.from(opts),
  sendOpts: <I>(opts: ClientSendOptions<I>): SendOpts<I> => SendOpts.from(opts),
};

/** The type of a handler's argument, from what is left of its parameters without the context. */
export type InferArg<P> = P extends [infer A, ...unknown[]] ? A : unknown;

/** One function a handler; each returns what the handler resolves to. */
export type Client<M> = {
  [K in keyof M as M[K] extends never ? never : K]: M[K] extends (
    ctx: Any,
    ...args: infer P
  ) => PromiseLike<infer O>
    ? (...args: [...P, ...[opts?: Opts<InferArg<P>, O>]]) => InvocationPromise<O>
    : never;
};

/** One function a handler; each returns at once. */
export type SendClient<M> = {
  [K in keyof M as M[K] extends never ? never : K]: M[K] extends (
    ctx: Any,
    ...args: infer P
  ) => void
    ? (...args: [...P, ...[opts?: SendOpts<InferArg<P>>]]) => InvocationHandle
    : never;
};

/** One function for each handler of an interface; each returns what the handler resolves to. */
export type ClientFromDescriptors<H extends HandlerDescriptors> = {
  readonly [K in keyof H]: (
    ...args: [...DescribedArgs<InferInput<H[K]>>, opts?: Opts<InferInput<H[K]>, InferOutput<H[K]>>]
  ) => InvocationPromise<InferOutput<H[K]>>;
};

/** One function for each handler of an interface; each returns at once. */
export type SendClientFromDescriptors<H extends HandlerDescriptors> = {
  readonly [K in keyof H]: (
    ...args: [...DescribedArgs<InferInput<H[K]>>, opts?: SendOpts<InferInput<H[K]>>]
  ) => InvocationHandle;
};

type DescribedArgs<I> = [I] extends [void] ? [] : [input: I];
