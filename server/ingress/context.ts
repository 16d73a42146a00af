/** What every part of the ingress works with. */
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/ids.ts";
import { type BodyLimits, readBody } from "../http/body.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import type { Registry } from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { Observer } from "../processor/observer.ts";
import type { Door } from "../processor/ports.ts";
import { type Exchange, INTERNAL, refuse } from "./respond.ts";
import type { ResultWaiters } from "./waiters.ts";

export interface IngressContext {
  readonly door: Door;
  readonly waiters: ResultWaiters;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: Observer;
  readonly body: BodyLimits;
  readonly asked: AskedCount;
  readonly requestsMax: number;
  /** Calls once after a delay; returns how to call it off. */
  readonly after: (delayMs: number, fn: () => void) => () => void;
  readonly onError: (error: unknown) => void;
}

/** Questions to the door that are not answered yet. */
export interface AskedCount {
  count: number;
}

const readRegistry = (reader: Reader): Registry => reader.registry();

export function registryOf(context: IngressContext): Registry {
  return context.door.read(readRegistry);
}

/** False, and the request is refused, when more of them are open than may be. */
export function admit(context: IngressContext, exchange: Exchange): boolean {
  if (context.asked.count + context.waiters.size < context.requestsMax) return true;
  refuse(exchange, TOO_MANY, { "retry-after": "1" });
  return false;
}

/**
 * Asks the door. What the door cannot apply is answered here; every other reply is the asker's. `heldBytes` of the body are
 * given back once the door has answered.
 */
export function ask(
  context: IngressContext,
  exchange: Exchange,
  heldBytes: number,
  input: (replyTo: number) => Input,
  answer: (reply: Exclude<Reply, { kind: "failed" }>) => void,
): void {
  context.asked.count += 1;
  context.door.ask(input, (reply) => {
    context.asked.count -= 1;
    context.body.budget.give(heldBytes);
    guarded(context, exchange, () => {
      if (reply.kind === "failed") refuse(exchange, INTERNAL);
      else answer(reply);
    });
  });
}

/**
 * What fails is cut off and reported: it must not take along the process, or the answers to others, which leave with it. No
 * answer of our own: whether the invocation ran is unknown here.
 */
export function guarded(
  context: IngressContext,
  { response, seen }: Exchange,
  go: () => void,
): void {
  try {
    go();
  } catch (error) {
    response.destroy();
    seen?.end("ingress-error", INTERNAL.status);
    context.onError(error);
  }
}

/** Reads the body; refusals are sent. The receiver gives its bytes back, most often through `ask`. */
export function withBody(
  context: IngressContext,
  exchange: Exchange,
  onBody: (body: Uint8Array) => void,
  limits = context.body,
): void {
  const { request, response, seen } = exchange;
  const onProblem = (problem: Problem): void => refuse(exchange, problem);
  const onGone = seen === null ? undefined : () => seen.disconnected();
  const onRead = (body: Uint8Array): void => guarded(context, exchange, () => onBody(body));
  readBody(request, response, limits, onRead, onProblem, onGone);
}

/** False, and the request is refused, when the route does not know its method. */
export function allowMethod(exchange: Exchange, ...methods: readonly string[]): boolean {
  if (methods.includes(exchange.request.method ?? "")) return true;
  const allow = methods.join(", ");
  const message = `use ${methods.join(" or ")} here`;
  refuse(exchange, { status: 405, reason: "method-not-allowed", message }, { allow });
  return false;
}

const TOO_MANY: Problem = {
  status: 429,
  reason: "too-many-requests",
  message: "as many requests are open as this server allows; repeat the request in a moment",
};
