/** How results of invocations are told to callers (HTTP API 1.3 to 1.6). */
import type { ServerResponse } from "node:http";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { ManifestOutput } from "../../sdk/protocol/manifest.ts";
import type { Failure, Outcome } from "../../sdk/protocol/messages.ts";
import { type AnswerHeaders, sendBytes, sendJson } from "../http/answer.ts";
import { type Problem, type ProblemHeaders, sendProblem } from "../http/problem.ts";
import { outputContentType } from "./content.ts";

/** What is known of the invocation whose result is told. */
export interface ResultContext {
  readonly id: Uint8Array;
  /** The handler's output rules; undefined when it declares none, or is gone. */
  readonly output: ManifestOutput | undefined;
  /** When the stored result is forgotten; null for the first answer. */
  readonly expiresAtMs: number | null;
}

export function refuse(response: ServerResponse, problem: Problem, headers?: ProblemHeaders): void {
  sendProblem(response, problem, "ingress", headers);
}

export function sendOutcome(
  response: ServerResponse,
  outcome: Outcome,
  context: ResultContext,
): void {
  const headers: AnswerHeaders = { "x-restate-id": invocationIdToString(context.id) };
  if (context.expiresAtMs !== null) {
    headers["idempotency-expires"] = rfc3339WithOffset(context.expiresAtMs);
  }
  if (outcome.kind === "failure") return sendFailure(response, outcome.failure, headers);
  const type = outputContentType(context.output, outcome.value.length);
  if (type !== undefined) headers["content-type"] = type;
  return sendBytes(response, 200, outcome.value, headers);
}

function sendFailure(response: ServerResponse, failure: Failure, headers: AnswerHeaders): void {
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
  sendJson(response, failureStatus(code), JSON.stringify(document), headers);
}

/** A failure is answered with a failure: codes that mean anything else as a status stand in the body only. */
export function failureStatus(code: number): number {
  return code >= 400 && code <= 599 ? code : 500;
}

export function sendAccepted(
  response: ServerResponse,
  id: Uint8Array,
  isNew: boolean,
  startAtMs: number | null,
): void {
  const invocationId = invocationIdToString(id);
  const document = {
    invocationId,
    ...(startAtMs === null ? {} : { executionTime: rfc3339Nanos(startAtMs) }),
    status: isNew ? "Accepted" : "PreviouslyAccepted",
  };
  sendJson(response, 202, JSON.stringify(document), { "x-restate-id": invocationId });
}

/** `2026-11-24T08:04:56.140+00:00` */
function rfc3339WithOffset(ms: number): string {
  return rfc3339(ms).replace("Z", "+00:00");
}

/** `2026-11-23T09:04:56.167000000Z` */
function rfc3339Nanos(ms: number): string {
  return rfc3339(ms).replace("Z", "000000Z");
}

/** The end of the year 9999 stands for every later time, which the format cannot name. */
function rfc3339(ms: number): string {
  return new Date(Math.min(ms, 253_402_300_799_999)).toISOString();
}

export const INTERNAL: Problem = {
  status: 500,
  reason: "internal",
  message: "the server failed to handle this request; its log says why",
};
