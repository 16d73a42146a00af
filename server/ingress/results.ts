/** Results of invocations by id, by idempotency key, or by a target in the body (HTTP API 1.9). */
import { invocationIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import type { ManifestOutput } from "../../sdk/protocol/manifest.ts";
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import type { Problem } from "../http/problem.ts";
import type { Reply } from "../machine/effect.ts";
import { resolveHandler } from "../machine/registry.ts";
import { allowMethod, ask, type IngressContext, registryOf, withBody } from "./context.ts";
import type { IdempotentPath, ResultMode, Route, WorkflowPath } from "./path.ts";
import {
  type Exchange,
  INTERNAL,
  refuse,
  refuseForInvocation,
  sendDocument,
  sendOutcome,
} from "./respond.ts";
import {
  idempotentTargetProblem,
  INVALID_INVOCATION,
  UNKNOWN_INVOCATION,
  workflowTargetProblem,
} from "./target.ts";
import { parseTarget, type ResultTarget } from "./result-target.ts";
import { awaitResult } from "./wait.ts";

type Mode = ResultMode | "lookup";

/** A target holds a few names; more than fits into a head is no target. */
const TARGET_BYTES_MAX = 64 * 1024;

export function resultByRoute(
  context: IngressContext,
  exchange: Exchange,
  route: Extract<Route, { kind: "result" | "idempotent-result" | "workflow-result" }>,
): void {
  if (!allowMethod(exchange, "GET")) return;
  answerTarget(context, exchange, route.mode, targetOf(route));
}

function targetOf(
  route: Extract<Route, { kind: "result" | "idempotent-result" | "workflow-result" }>,
): ResultTarget {
  switch (route.kind) {
    case "result":
      return { kind: "invocation", invocationId: route.id };
    case "idempotent-result":
      return { ...route, kind: "idempotent" };
    default:
      return { ...route, kind: "workflow" };
  }
}

export function resultByBody(context: IngressContext, exchange: Exchange, mode: Mode): void {
  if (!allowMethod(exchange, "POST")) return;
  const { budget } = context.body;
  const onBody = (body: Uint8Array): void => {
    const target = parseTarget(body);
    budget.give(body.length);
    if (target.kind === "problem") refuse(exchange, target.problem);
    else answerTarget(context, exchange, mode, target);
  };
  withBody(context, exchange, onBody, { bytesMax: TARGET_BYTES_MAX, budget });
}

function answerTarget(
  context: IngressContext,
  exchange: Exchange,
  mode: Mode,
  target: ResultTarget,
): void {
  const id = idOf(context, target);
  if ("reason" in id) return refuse(exchange, id);
  if (mode !== "lookup") return askResult(context, exchange, mode, id);
  return sendDocument(exchange, { invocationId: invocationIdToString(id) });
}

function idOf(context: IngressContext, target: ResultTarget): Uint8Array | Problem {
  switch (target.kind) {
    case "invocation":
      return parseInvocationId(target.invocationId) ?? INVALID_INVOCATION;
    case "workflow":
      return workflowId(context, target);
    default:
      return idempotentId(context, target);
  }
}

function workflowId(context: IngressContext, { service, key }: WorkflowPath): Uint8Array | Problem {
  const problem = workflowTargetProblem(registryOf(context), service);
  return problem ?? workflowInvocationId(service, key);
}

function idempotentId(context: IngressContext, target: IdempotentPath): Uint8Array | Problem {
  const problem = idempotentTargetProblem(registryOf(context), target);
  return problem ?? idempotentInvocationId(target);
}

function askResult(
  context: IngressContext,
  exchange: Exchange,
  mode: ResultMode,
  id: Uint8Array,
): void {
  ask(
    context,
    exchange,
    0,
    (replyTo) => ({ type: "attach", id, wait: mode === "attach", replyTo }),
    (reply) => answerResult(context, exchange, mode, id, reply),
  );
}

function answerResult(
  context: IngressContext,
  exchange: Exchange,
  mode: ResultMode,
  id: Uint8Array,
  reply: Reply,
): void {
  switch (reply.kind) {
    case "accepted":
      return awaitResult(context, exchange, reply, outputOfRunning(context, reply.seq));
    case "completed": {
      const output = outputOf(context, reply.target);
      return sendOutcome(exchange, reply.outcome, { id, output, expiresAtMs: reply.expiresAtMs });
    }
    case "not-found":
      if (mode === "output") return refuse(exchange, UNKNOWN_INVOCATION);
      return refuseForInvocation(exchange, UNKNOWN_INVOCATION, id);
    case "conflict":
      return refuse(exchange, unfinished(reply.status), idHeader(id));
    default:
      return refuse(exchange, INTERNAL);
  }
}

function idHeader(id: Uint8Array): Record<string, string> {
  return { "x-restate-id": invocationIdToString(id) };
}

/** The target of an invocation never changes, so it may be read before it is known to be durable. */
function outputOfRunning(context: IngressContext, seq: number): ManifestOutput | undefined {
  const target = context.door.read((reader) => reader.invocation(seq)?.target);
  return target === undefined ? undefined : outputOf(context, target);
}

function outputOf(
  context: IngressContext,
  target: { readonly service: string; readonly handler: string },
): ManifestOutput | undefined {
  return resolveHandler(registryOf(context), target.service, target.handler)?.handler.output;
}

function unfinished(status: string): Problem {
  const message = `the invocation is ${status} and has no result yet; attach to wait for it`;
  return { status: 470, reason: "not-finished", message };
}
