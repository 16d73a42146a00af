/** How results of invocations are told to callers (HTTP API 1.3 to 1.6), and to the observer. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { ManifestOutput } from "../../sdk/protocol/manifest.ts";
import type { Failure, Outcome } from "../../sdk/protocol/messages.ts";
import { type AnswerHeaders, sendBytes, sendJson } from "../http/answer.ts";
import { rfc3339, rfc3339Nanos } from "../base/rfc3339.ts";
import type { EventState } from "../machine/effect.ts";
import type { HttpRequest, HttpResponse } from "../http/exchange.ts";
import { type Problem, type ProblemHeaders, sendProblem } from "../http/problem.ts";
import type { RequestStatus } from "../processor/observer.ts";
import { outputContentType } from "./content.ts";
import { refusalStatus, type Seen } from "./seen.ts";

/** A request on its way to its one answer. */
export interface Exchange {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  /** As it came. */
  readonly url: string;
  readonly query: string;
  /** Null when nobody observes. */
  readonly seen: Seen | null;
}

/** What is known of the invocation whose result is told. */
export interface ResultContext {
  readonly id: Uint8Array;
  /** The handler's output rules; undefined when it declares none, or is gone. */
  readonly output: ManifestOutput | undefined;
  /** When the stored result is forgotten; null for the first answer. */
  readonly expiresAtMs: number | null;
}

export function refuse(
  { response, seen }: Exchange,
  problem: Problem,
  headers?: ProblemHeaders,
): void {
  const isSent = sendProblem(response, problem, "ingress", headers);
  tell(seen, isSent, refusalStatus(problem.status), problem.status);
}

/** Refuses as the invocation's own answer: asking once more is no remedy. */
export function refuseForInvocation(
  { response, seen }: Exchange,
  problem: Problem,
  id: Uint8Array,
): void {
  const invocationId = invocationIdToString(id);
  if (seen !== null) seen.invocationId = invocationId;
  const isSent = sendProblem(response, problem, "invocation", { "x-restate-id": invocationId });
  tell(seen, isSent, refusalStatus(problem.status), problem.status);
}

export function sendOutcome(exchange: Exchange, outcome: Outcome, context: ResultContext): void {
  const { response, seen } = exchange;
  const invocationId = invocationIdToString(context.id);
  if (seen !== null) seen.invocationId = invocationId;
  const headers: AnswerHeaders = { "x-restate-id": invocationId };
  if (context.expiresAtMs !== null) {
    headers["idempotency-expires"] = rfc3339WithOffset(context.expiresAtMs);
  }
  if (outcome.kind === "failure") return sendFailure(exchange, outcome.failure, headers);
  const type = outputContentType(context.output, outcome.value.length);
  if (type !== undefined) headers["content-type"] = type;
  return tell(seen, sendBytes(response, 200, outcome.value, headers), "completed", 200);
}

function sendFailure({ response, seen }: Exchange, failure: Failure, headers: AnswerHeaders): void {
  const { code, message, metadata } = failure;
  const document = {
    code,
    message,
    source: "invocation",
    reason: "terminal-error",
    ...(metadata === undefined || metadata.length === 0
      ? {}
      : { metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])) }),
  };
  headers["x-restate-error-source"] = "invocation";
  const status = failureStatus(code);
  const isSent = sendJson(response, status, JSON.stringify(document), headers);
  tell(seen, isSent, "invocation-error", status);
}

/** A failure is answered with a failure: codes that mean anything else as a status stand in the body only. */
function failureStatus(code: number): number {
  return code >= 400 && code <= 599 ? code : 500;
}

export function sendAccepted(
  { response, seen }: Exchange,
  id: Uint8Array,
  isNew: boolean,
  startAtMs: number | null,
): void {
  const invocationId = invocationIdToString(id);
  if (seen !== null) seen.invocationId = invocationId;
  const document = {
    invocationId,
    ...(startAtMs === null ? {} : { executionTime: rfc3339Nanos(startAtMs) }),
    status: isNew ? "Accepted" : "PreviouslyAccepted",
  };
  const headers = { "x-restate-id": invocationId };
  const isSent = sendJson(response, 202, JSON.stringify(document), headers);
  tell(seen, isSent, "accepted", 202);
}

/** Taken, with nothing to say about it. */
export function sendTaken({ response, seen }: Exchange): void {
  tell(seen, sendBytes(response, 202, "", {}), "accepted", 202);
}

/** A message or an event was stored, now or with the same idempotency key before. */
export function sendDelivered({ response, seen }: Exchange, isNew: boolean): void {
  const document = { status: isNew ? "Accepted" : "PreviouslyAccepted" };
  tell(seen, sendJson(response, 202, JSON.stringify(document)), "accepted", 202);
}

/** The value of a published event. That it is JSON is a convention: a signal carries no content type. */
export function sendEvent(exchange: Exchange, id: Uint8Array, state: EventState): void {
  const { index, atMs, outcome } = state;
  const headers: AnswerHeaders = {
    "x-restate-id": invocationIdToString(id),
    etag: `"${index}"`,
    "last-modified": new Date(atMs).toUTCString(),
    "cache-control": "no-store",
  };
  if (outcome.kind === "failure") return sendFailure(exchange, outcome.failure, headers);
  const { response, seen } = exchange;
  headers["content-type"] = "application/json";
  headers["x-content-type-options"] = "nosniff";
  return tell(seen, sendBytes(response, 200, outcome.value, headers), "completed", 200);
}

/** Nothing newer than this version of an event. */
export function sendNotModified({ response, seen }: Exchange, version: number): void {
  const headers = { etag: `"${version}"`, "cache-control": "no-store" };
  tell(seen, sendBytes(response, 304, "", headers), "completed", 304);
}

export function sendDocument({ response, seen }: Exchange, document: unknown): void {
  tell(seen, sendJson(response, 200, JSON.stringify(document)), "completed", 200);
}

function tell(seen: Seen | null, isSent: boolean, status: RequestStatus, httpStatus: number): void {
  if (seen === null) return;
  if (isSent) seen.end(status, httpStatus);
  else seen.disconnected();
}

/** `2026-11-24T08:04:56.140+00:00` */
function rfc3339WithOffset(ms: number): string {
  return rfc3339(ms).replace("Z", "+00:00");
}

export const INTERNAL: Problem = {
  status: 500,
  reason: "internal",
  message: "the server failed to handle this request; its log says why",
};
