/**
 * Asking for a published event: its latest value, or, with `wait`, the first one that the asker does not know yet. What it knows
 * stands in `if-none-match`, as the `etag` of the value it saw last (RFC 9110, 13.1.2).
 */
import { parseDurationMs } from "../base/duration.ts";
import type { Problem } from "../http/problem.ts";
import type { EventState, Reply } from "../machine/effect.ts";
import { ask, guarded, type IngressContext } from "./context.ts";
import type { EventWaiter } from "./event-waiters.ts";
import { parameter } from "./query.ts";
import { type Exchange, INTERNAL, refuse, sendEvent, sendNotModified } from "./respond.ts";
import { UNKNOWN_INVOCATION } from "./target.ts";

/** Longer waits are asked for again. */
const WAIT_MS_MAX = 10 * 60_000;

interface Asked {
  readonly id: Uint8Array;
  readonly key: string;
  readonly waitMs: number;
  /** The version the asker knows; -1 for none. */
  readonly knownVersion: number;
}

export function getEvent(
  context: IngressContext,
  exchange: Exchange,
  id: Uint8Array,
  key: string,
): void {
  const waitMs = waitOf(exchange.query);
  if (typeof waitMs !== "number") return refuse(exchange, waitMs);
  const asked = { id, key, waitMs, knownVersion: versionOf(exchange) };
  const input = (replyTo: number) => ({ type: "get-event", id, key, replyTo }) as const;
  return ask(context, exchange, 0, input, (reply) => onReply(context, exchange, asked, reply));
}

function onReply(context: IngressContext, exchange: Exchange, asked: Asked, reply: Reply): void {
  if (reply.kind === "not-found") return refuse(exchange, UNKNOWN_INVOCATION);
  if (reply.kind !== "event") return refuse(exchange, INTERNAL);
  const { seq, state, isOver } = reply;
  if (isNews(asked, state) || isOver || asked.waitMs === 0) return answer(exchange, asked, state);
  return awaitEvent(context, exchange, asked, seq);
}

function awaitEvent(context: IngressContext, exchange: Exchange, asked: Asked, seq: number): void {
  const { response, seen } = exchange;
  if (response.destroyed) return seen?.disconnected();
  const { events } = context.waiters;
  const end = (state: EventState | null): void => {
    leave();
    guarded(context, exchange, () => answer(exchange, asked, state));
  };
  const waiter: EventWaiter = { key: asked.key, onEvent: end };
  const cancel = context.after(asked.waitMs, () => end(null));
  const leave = (): void => {
    cancel();
    events.remove(seq, waiter);
  };
  events.add(seq, waiter);
  response.once("close", () => {
    leave();
    seen?.disconnected();
  });
  return undefined;
}

function isNews(asked: Asked, state: EventState | null): state is EventState {
  return state !== null && state.index > asked.knownVersion;
}

/** With nothing new to tell: not modified for those who know a value, otherwise there is no event yet. */
function answer(exchange: Exchange, asked: Asked, state: EventState | null): void {
  if (isNews(asked, state)) return sendEvent(exchange, asked.id, state);
  if (asked.knownVersion < 0) return refuse(exchange, NO_EVENT);
  return sendNotModified(exchange, asked.knownVersion);
}

function waitOf(query: string): number | Problem {
  const found = parameter(query, "wait");
  if (found === null) return 0;
  const waitMs = found === "repeated" ? undefined : parseDurationMs(found.value);
  return waitMs === undefined || waitMs > WAIT_MS_MAX ? INVALID_WAIT : waitMs;
}

function versionOf({ request }: Exchange): number {
  const etag = /^(?:W\/)?"(\d{1,15})"$/.exec(request.headers["if-none-match"] ?? "");
  return etag === null ? -1 : Number(etag[1]);
}

const NO_EVENT: Problem = {
  status: 404,
  reason: "no-event",
  message: "the invocation has set no event with this key; wait=30s waits for it",
};

const INVALID_WAIT: Problem = {
  status: 400,
  reason: "invalid-wait",
  message: "wait must be one duration with units of at most 10m, such as 30s",
};
