/** Calls and sends: the checks of HTTP API 1.2 in their order, then the door, then the answer. */
import type { Header } from "../../sdk/protocol/messages.ts";
import { mintInvocationId } from "../base/ids.ts";
import type { TraceContext } from "../base/trace.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply } from "../machine/effect.ts";
import { namedInvocationId } from "../machine/identity.ts";
import { allowMethod, ask, type IngressContext, registryOf, withBody } from "./context.ts";
import { contentProblem } from "./content.ts";
import { type Delay, parseDelay } from "./delay.ts";
import { handlerHeaders, idempotencyKeyOf } from "./headers.ts";
import type { Route } from "./path.ts";
import {
  type Exchange,
  INTERNAL,
  refuse,
  refuseForInvocation,
  sendAccepted,
  sendOutcome,
} from "./respond.ts";
import { invokeTarget, type InvokeTarget, runTakesNoKey, unknownHandler } from "./target.ts";
import { requestTrace } from "./trace.ts";
import { awaitResult } from "./wait.ts";

/** A request that passed all checks. */
interface Invocation {
  readonly id: Uint8Array;
  readonly target: InvokeTarget;
  readonly headers: readonly Header[];
  readonly idempotencyKey: string | null;
  readonly delay: Exclude<Delay, { kind: "problem" }>;
  readonly body: Uint8Array;
  readonly trace: TraceContext | null;
}

export function invoke(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "classic" | "explicit" }>,
): void {
  const { headers } = exchange.request;
  const target = invokeTarget(registryOf(context), route);
  if (target.kind === "problem") return refuse(exchange, target.problem);
  const { resolved, send } = target;
  const { service, handler } = resolved;
  const { seen } = exchange;
  if (seen !== null) {
    seen.service = service.name;
    seen.handler = handler.name;
    seen.kind = send ? "send" : "call";
  }
  if (target.handlerKind === "run" && headers["idempotency-key"] !== undefined) {
    return refuse(exchange, runTakesNoKey(service.name, handler.name));
  }
  if (headers["x-restate-limit-key"] !== undefined) return refuse(exchange, LIMIT_KEY);
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
    return refuse(exchange, checked);
  }
  return hand(context, exchange, checked);
}

function check(
  context: IngressContext,
  exchange: Exchange,
  target: InvokeTarget,
  body: Uint8Array,
): Invocation | Problem {
  const { request, url, query, seen } = exchange;
  const { headers: fields, rawHeaders } = request;
  const content = contentProblem(
    target.resolved.handler.input,
    fields["content-type"],
    body.length,
  );
  if (content !== null) return content;
  const nowMs = context.clock.nowMs();
  const delay = parseDelay(query, nowMs);
  if (delay.kind === "problem") return delay.problem;
  if (delay.kind === "until" && !target.send) return DELAYED_CALL;
  const headers = handlerHeaders(rawHeaders, fields.connection, url);
  if ("reason" in headers) return headers;
  const idempotencyKey = idempotencyKeyOf(fields);
  const id = idOf(context, target, idempotencyKey, nowMs);
  const trace = requestTrace(fields, context.random, context.observer.isTracing ? seen : null);
  return { id, target, headers, idempotencyKey, delay, body, trace };
}

function idOf(
  context: IngressContext,
  { resolved, handlerKind, key }: InvokeTarget,
  idempotencyKey: string | null,
  nowMs: number,
): Uint8Array {
  const { service, handler } = resolved;
  const target = { service: service.name, key, handler: handler.name };
  const named = namedInvocationId(handlerKind, target, idempotencyKey);
  return named ?? mintInvocationId(nowMs, context.random, key);
}

function hand(context: IngressContext, exchange: Exchange, invocation: Invocation): void {
  const { id, target, headers, idempotencyKey, delay, body: parameter, trace } = invocation;
  const { resolved, key } = target;
  const startAtMs = delay.kind === "until" ? delay.startAtMs : 0;
  ask(
    context,
    exchange,
    parameter.length,
    (replyTo) => ({
      type: "invoke",
      id,
      target: { service: resolved.service.name, handler: resolved.handler.name, key },
      headers,
      parameter,
      idempotencyKey,
      startAtMs,
      caller: null,
      trace,
      replyTo,
    }),
    (reply) => {
      if (target.send) answerSend(exchange, invocation, reply);
      else answerCall(context, exchange, invocation, reply);
    },
  );
}

function answerSend(exchange: Exchange, { target, delay }: Invocation, reply: Reply): void {
  switch (reply.kind) {
    case "accepted": {
      // What is to start at once, by a delay of zero, has no start time of its own.
      const ownStartAtMs = reply.isNew && delay.kind === "until" ? delay.startAtMs : null;
      return sendAccepted(exchange, reply.id, reply.isNew, reply.startAtMs ?? ownStartAtMs);
    }
    case "completed":
      return sendAccepted(exchange, reply.id, false, reply.startAtMs);
    default:
      return refuse(exchange, refusal(target, reply));
  }
}

function answerCall(
  context: IngressContext,
  exchange: Exchange,
  { target }: Invocation,
  reply: Reply,
): void {
  const { output } = target.resolved.handler;
  const isRun = target.handlerKind === "run";
  switch (reply.kind) {
    case "accepted":
      if (isRun && !reply.isNew) return refuseForInvocation(exchange, ALREADY_INVOKED, reply.id);
      return awaitResult(context, exchange, reply, output);
    case "completed": {
      if (isRun) return refuseForInvocation(exchange, ALREADY_INVOKED, reply.id);
      const { id, expiresAtMs, outcome } = reply;
      return sendOutcome(exchange, outcome, { id, output, expiresAtMs });
    }
    default:
      return refuse(exchange, refusal(target, reply));
  }
}

/** The deployment may go between the checks and the machine. */
function refusal({ resolved: { service, handler } }: InvokeTarget, reply: Reply): Problem {
  return reply.kind === "refused" && reply.reason === "unknown-target"
    ? unknownHandler(service.name, handler.name)
    : INTERNAL;
}

const ALREADY_INVOKED: Problem = {
  status: 409,
  reason: "already-invoked",
  message:
    "the workflow was already invoked with this key, and runs once: attach to it for its result, or use another key",
};

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
