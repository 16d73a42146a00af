/** Completing awakeables (HTTP API 1.10) and sending named signals from outside. */
import { parseAwakeableId, parseInvocationId } from "../../sdk/protocol/ids.ts";
import { FIRST_USER_SIGNAL, type Outcome } from "../../sdk/protocol/messages.ts";
import type { Problem } from "../http/problem.ts";
import type { SignalInvocation } from "../machine/input.ts";
import { allowMethod, ask, type IngressContext, withBody } from "./context.ts";
import type { Route } from "./path.ts";
import { type Exchange, refuse, sendTaken } from "./respond.ts";
import { INVALID_INVOCATION } from "./target.ts";

/** What a rejection without its own code counts as. */
const REJECTED_CODE = 500;

/** Awakeables of journals that nobody keeps any more: an entry index in place of the signal index. */
const OLD_PREFIX = "prom_1";
const PREFIX = "sign_1";

export function completeAwakeable(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "awakeable" }>,
): void {
  if (!allowMethod(exchange, "POST")) return undefined;
  if (isOldId(route.id)) return completeNothing(context, exchange);
  const awakeable = parseAwakeableId(route.id);
  // Signals below are the protocol's own, such as cancellation: no id hands them out.
  if (awakeable === undefined || awakeable.signalIndex < FIRST_USER_SIGNAL) {
    return refuse(exchange, INVALID_AWAKEABLE);
  }
  const signal = { kind: "signal-index", index: awakeable.signalIndex } as const;
  return send(context, exchange, awakeable.invocationId, signal, route.resolve);
}

export function sendSignal(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "signal" }>,
): void {
  if (!allowMethod(exchange, "POST")) return undefined;
  const id = parseInvocationId(route.id);
  if (id === undefined) return refuse(exchange, INVALID_INVOCATION);
  const signal = { kind: "signal-name", name: route.name } as const;
  return send(context, exchange, id, signal, route.resolve);
}

function send(
  context: IngressContext,
  exchange: Exchange,
  id: Uint8Array,
  signal: SignalInvocation["signal"],
  resolve: boolean,
): void {
  withBody(context, exchange, (body) => {
    const result = resolve ? ({ kind: "value", value: body } as const) : rejection(body);
    ask(
      context,
      exchange,
      body.length,
      (replyTo) => ({ type: "signal", id, signal, result, replyTo }),
      // The first completion wins and an unknown id does no harm, so the answer is always the same.
      () => sendTaken(exchange),
    );
  });
}

function isOldId(id: string): boolean {
  return (
    id.startsWith(OLD_PREFIX) &&
    parseAwakeableId(PREFIX + id.slice(OLD_PREFIX.length)) !== undefined
  );
}

/** As with any other id that nobody waits for. */
function completeNothing(context: IngressContext, exchange: Exchange): void {
  withBody(context, exchange, (body) => {
    context.body.budget.give(body.length);
    sendTaken(exchange);
  });
}

function rejection(reason: Uint8Array): Outcome {
  const message = new TextDecoder().decode(reason);
  return { kind: "failure", failure: { code: REJECTED_CODE, message } };
}

const INVALID_AWAKEABLE: Problem = {
  status: 400,
  reason: "invalid-awakeable-id",
  message: "this is no awakeable id: they look like sign_1 and 38 letters, digits, '-' and '_'",
};
