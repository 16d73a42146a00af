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

export class HandlerRequest implements Request {
  readonly target: Target;
  readonly id: InvocationId;
  readonly body: Uint8Array;
  readonly idempotencyKey?: string;
  readonly extraArgs: unknown[] = [];
  readonly attemptCompletedSignal: AbortSignal;
  readonly #opening: Opening;
  readonly #attemptHeaders: AttemptHeaders;
  #headers: ReadonlyMap<string, string> | undefined;
  #attemptHeaderMap: ReadonlyMap<string, string | string[] | undefined> | undefined;

  constructor(
    target: Target,
    opening: Opening,
    attemptHeaders: AttemptHeaders,
    attemptCompletedSignal: AbortSignal,
  ) {
    this.target = target;
    this.id = InvocationIdParser.fromString(opening.start.debugId);
    const { idempotencyKey } = opening.start;
    if (idempotencyKey !== undefined) this.idempotencyKey = idempotencyKey;
    this.body = opening.input.value;
    this.attemptCompletedSignal = attemptCompletedSignal;
    this.#opening = opening;
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
