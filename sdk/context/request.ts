/** `ctx.request()`. */
import {
  type InvocationId,
  InvocationIdParser,
  type Request,
  type Target,
} from "../define/context.ts";
import type { Opening } from "../replay/replay-reader.ts";

/** Headers of the attempt's HTTP request, lower-case names. */
export type AttemptHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What the attempt brought with it, besides the invocation. */
export interface AttemptOrigin {
  readonly attemptHeaders: AttemptHeaders;
  /** Of the function that the runtime called with the request. */
  readonly extraArgs: readonly unknown[];
}

export class HandlerRequest implements Request {
  readonly target: Target;
  readonly id: InvocationId;
  readonly body: Uint8Array;
  readonly idempotencyKey?: string;
  readonly scope?: string;
  readonly limitKey?: string;
  readonly extraArgs: unknown[];
  readonly attemptCompletedSignal: AbortSignal;
  readonly #opening: Opening;
  readonly #attemptHeaders: AttemptHeaders;
  #headers: ReadonlyMap<string, string> | undefined;
  #attemptHeaderMap: ReadonlyMap<string, string | string[] | undefined> | undefined;

  constructor(
    target: Target,
    opening: Opening,
    { attemptHeaders, extraArgs }: AttemptOrigin,
    attemptCompletedSignal: AbortSignal,
  ) {
    this.target = target;
    this.id = InvocationIdParser.fromString(opening.start.debugId);
    const { idempotencyKey, scope, limitKey } = opening.start;
    if (idempotencyKey !== undefined) this.idempotencyKey = idempotencyKey;
    if (scope !== undefined) this.scope = scope;
    if (limitKey !== undefined) this.limitKey = limitKey;
    this.body = opening.input.value;
    this.attemptCompletedSignal = attemptCompletedSignal;
    this.#opening = opening;
    this.extraArgs = [...extraArgs];
    this.#attemptHeaders = attemptHeaders;
  }

  get headers(): ReadonlyMap<string, string> {
    return (this.#headers ??= new Map(
      this.#opening.input.headers.map(({ key, value }) => [key, value]),
    ));
  }

  get attemptHeaders(): ReadonlyMap<string, string | string[] | undefined> {
    return (this.#attemptHeaderMap ??= new Map(Object.entries(this.#attemptHeaders)));
  }
}

export class HandlerTarget implements Target {
  readonly service: string;
  readonly handler: string;
  readonly key?: string;

  constructor(service: string, handler: string, key: string | undefined) {
    this.service = service;
    this.handler = handler;
    if (key !== undefined) this.key = key;
  }

  toString(): string {
    const key = this.key === undefined ? "" : `/${this.key}`;
    return `${this.service}${key}/${this.handler}`;
  }
}
