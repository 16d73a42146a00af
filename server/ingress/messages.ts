/** Messages for handlers and the events they publish: what `ctx.recv` and `ctx.setEvent` are over HTTP. */
import { parseInvocationId } from "../../sdk/protocol/ids.ts";
import { workflowInvocationId } from "../base/ids.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply } from "../machine/effect.ts";
import type { PublishEvent, SendMessage } from "../machine/input.ts";
import { allowMethod, ask, type IngressContext, registryOf, withBody } from "./context.ts";
import { getEvent } from "./event-wait.ts";
import { eventDocument } from "./event-document.ts";
import { idempotencyKeyOf } from "./headers.ts";
import type { MessagePath, Route } from "./path.ts";
import { type Exchange, INTERNAL, refuse, sendDelivered, sendDocument } from "./respond.ts";
import { INVALID_INVOCATION, UNKNOWN_INVOCATION, workflowTargetProblem } from "./target.ts";

type MessageRoute = Extract<Route, { kind: "message" | "event" | "events" }>;

export function messageOrEvent(
  context: IngressContext,
  exchange: Exchange,
  route: MessageRoute,
): void {
  const id = idOf(context, route.of);
  if ("reason" in id) return refuse(exchange, id);
  switch (route.kind) {
    case "message":
      if (!allowMethod(exchange, "POST")) return undefined;
      return sendMessage(context, exchange, id, route.topic);
    case "events":
      if (!allowMethod(exchange, "GET")) return undefined;
      return listEvents(context, exchange, id);
    default:
      if (!allowMethod(exchange, "GET", "PUT")) return undefined;
      return exchange.request.method === "PUT"
        ? publishEvent(context, exchange, id, route.key)
        : getEvent(context, exchange, id, route.key);
  }
}

function idOf(context: IngressContext, of: MessagePath): Uint8Array | Problem {
  if (of.kind === "invocation") return parseInvocationId(of.id) ?? INVALID_INVOCATION;
  const problem = workflowTargetProblem(registryOf(context), of.service);
  return problem ?? workflowInvocationId(of.service, of.key);
}

function sendMessage(
  context: IngressContext,
  exchange: Exchange,
  id: Uint8Array,
  topic: string,
): void {
  const idempotencyKey = idempotencyKeyOf(exchange.request.headers);
  return withBytes(context, exchange, (message, replyTo) => {
    return { type: "send-message", id, topic, message, idempotencyKey, replyTo };
  });
}

function publishEvent(
  context: IngressContext,
  exchange: Exchange,
  id: Uint8Array,
  key: string,
): void {
  return withBytes(context, exchange, (value, replyTo) => {
    return { type: "publish-event", id, key, value, replyTo };
  });
}

function withBytes(
  context: IngressContext,
  exchange: Exchange,
  input: (body: Uint8Array, replyTo: number) => SendMessage | PublishEvent,
): void {
  withBody(context, exchange, (body) => {
    const ofBody = (replyTo: number) => input(body, replyTo);
    ask(context, exchange, body.length, ofBody, (reply) => answerDelivery(exchange, reply));
  });
}

function answerDelivery(exchange: Exchange, reply: Reply): void {
  switch (reply.kind) {
    case "delivered":
      return sendDelivered(exchange, reply.isNew);
    case "not-found":
      return refuse(exchange, UNKNOWN_INVOCATION);
    case "conflict":
      return refuse(exchange, OVER);
    default:
      return refuse(exchange, INTERNAL);
  }
}

function listEvents(context: IngressContext, exchange: Exchange, id: Uint8Array): void {
  const input = (replyTo: number) => ({ type: "list-events", id, replyTo }) as const;
  ask(context, exchange, 0, input, (reply) => {
    if (reply.kind === "not-found") return refuse(exchange, UNKNOWN_INVOCATION);
    if (reply.kind !== "events") return refuse(exchange, INTERNAL);
    return sendDocument(exchange, { events: reply.events.map(eventDocument) });
  });
}

const OVER: Problem = {
  status: 409,
  reason: "invocation-over",
  message: "the invocation is over: nobody will take the message, and its events stay as they are",
};
