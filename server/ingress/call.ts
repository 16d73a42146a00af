/** Calls and sends: the checks of HTTP API 1.2 in their order, then the door, then the answer. */
import type { Header } from "../../sdk/protocol/messages.ts";
import { idempotentInvocationId, mintInvocationId } from "../base/ids.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply } from "../machine/effect.ts";
import {
  allowMethod,
  ask,
  type Exchange,
  type IngressContext,
  registryOf,
  withBody,
} from "./context.ts";
import { contentProblem } from "./content.ts";
import { type Delay, parseDelay } from "./delay.ts";
import { handlerHeaders } from "./headers.ts";
import type { Route } from "./path.ts";
import { INTERNAL, refuse, sendAccepted, sendOutcome } from "./respond.ts";
import { invokeTarget, type InvokeTarget } from "./target.ts";
import { awaitResult } from "./wait.ts";

/** A request that passed all checks. */
interface Invocation {
  readonly id: Uint8Array;
  readonly target: InvokeTarget;
  readonly headers: readonly Header[];
  readonly idempotencyKey: string | null;
  readonly delay: Exclude<Delay, { kind: "problem" }>;
  readonly body: Uint8Array;
}

export function invoke(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "classic" | "explicit" }>,
): void {
  const { request, response } = exchange;
  const target = invokeTarget(registryOf(context), route);
  if (target.kind === "problem") return refuse(response, target.problem);
  if (request.headers["x-restate-limit-key"] !== undefined) return refuse(response, LIMIT_KEY);
  if (!allowMethod(exchange, "GET", "POST")) return undefined;
  return withBody(context, exchange, (body) => invokeWithBody(context, exchange, target, body));
}

function invokeWithBody(
  context: IngressContext,
  exchange: Exchange,
  target: InvokeTarget,
  body: Uint8Array,
): void {
  const checked = check(context, exchange, target, body);
  if ("reason" in checked) {
    context.body.budget.give(body.length);
    return refuse(exchange.response, checked);
  }
  return hand(context, exchange, checked);
}

function check(
  context: IngressContext,
  exchange: Exchange,
  target: InvokeTarget,
  body: Uint8Array,
): Invocation | Problem {
  const { request, url, query } = exchange;
  const { headers: fields, rawHeaders } = request;
  const { service, handler } = target.resolved;
  const content = contentProblem(handler.input, fields["content-type"], body.length);
  if (content !== null) return content;
  const nowMs = context.clock.nowMs();
  const delay = parseDelay(query, nowMs);
  if (delay.kind === "problem") return delay.problem;
  if (delay.kind === "until" && !target.send) return DELAYED_CALL;
  const headers = handlerHeaders(rawHeaders, fields.connection, url);
  if ("reason" in headers) return headers;
  const idempotencyKey = headerOf(fields["idempotency-key"]);
  const names = { service: service.name, key: null, handler: handler.name };
  const id =
    idempotencyKey === null
      ? mintInvocationId(nowMs, context.random)
      : idempotentInvocationId({ ...names, idempotencyKey });
  return { id, target, headers, idempotencyKey, delay, body };
}

/** The empty key is a key. */
function headerOf(value: string | readonly string[] | undefined): string | null {
  return typeof value === "string" ? value : null;
}

function hand(context: IngressContext, exchange: Exchange, invocation: Invocation): void {
  const { response } = exchange;
  const { id, target, headers, idempotencyKey, delay, body: parameter } = invocation;
  const { service, handler } = target.resolved;
  const startAtMs = delay.kind === "until" ? delay.startAtMs : 0;
  ask(
    context,
    response,
    parameter.length,
    (replyTo) => ({
      type: "invoke",
      id,
      target: { service: service.name, handler: handler.name, key: null },
      headers,
      parameter,
      idempotencyKey,
      startAtMs,
      caller: null,
      replyTo,
    }),
    (reply) => {
      if (target.send) answerSend(exchange, invocation, reply);
      else answerCall(context, exchange, invocation, reply);
    },
  );
}

function answerSend({ response }: Exchange, { delay }: Invocation, reply: Reply): void {
  if (reply.kind === "accepted") {
    const ownStartAtMs = reply.isNew && delay.kind === "until" ? delay.startAtMs : null;
    return sendAccepted(response, reply.id, reply.isNew, reply.startAtMs ?? ownStartAtMs);
  }
  if (reply.kind === "completed") return sendAccepted(response, reply.id, false, null);
  return refuse(response, INTERNAL);
}

function answerCall(
  context: IngressContext,
  { response }: Exchange,
  { target }: Invocation,
  reply: Reply,
): void {
  const { output } = target.resolved.handler;
  if (reply.kind === "accepted") return awaitResult(context, response, reply, output);
  if (reply.kind === "completed") {
    const { id, expiresAtMs, outcome } = reply;
    return sendOutcome(response, outcome, { id, output, expiresAtMs });
  }
  return refuse(response, INTERNAL);
}

const DELAYED_CALL: Problem = {
  status: 400,
  reason: "delayed-call",
  message: "a call waits for its result and cannot be delayed: use /send, or leave the delay out",
};

const LIMIT_KEY: Problem = {
  status: 400,
  reason: "limit-key-without-scope",
  message: "a limit key needs a scope, and this server has no scopes: leave the header out",
};
