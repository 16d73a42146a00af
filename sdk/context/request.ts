/** `ctx.request()`. */
import {
  type InvocationId,
  InvocationIdParser,
  type Request,
  type Target,
} from "../define/context.ts";
import type { Opening } from "../replay/machine.ts";

/** Headers of the attempt's HTTP request, lower-case names. */
export type AttemptHeaders = Readonly<Record<string, string | string[] | undefined>>;

export class HandlerRequest implements Request {
  readonly target: Target;
  readonly id: InvocationId;
  readonly body: Uint8Array;
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

  constructor(service: string, handler: string) {
    this.service = service;
    this.handler = handler;
  }

  toString(): string {
    return `${this.service}/${this.handler}`;
  }
}
