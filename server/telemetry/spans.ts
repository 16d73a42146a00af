/**
 * What was seen, as finished spans. Their ids are given, not made: a request's span is the one its invocation hangs under, an
 * attempt's is derived from invocation and epoch, a step's from its attempt. So a span is built at its end, as a value; there is
 * no tracer and nothing is kept while something runs.
 */
import { createHash } from "node:crypto";
import {
  type Attributes,
  createTraceState,
  type HrTime,
  type SpanContext,
  SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TraceState,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base";
import { parseInvocationId } from "../../sdk/protocol/ids.ts";
import { attemptSpanId, type TraceContext } from "../base/trace.ts";
import type { Target } from "../machine/invocation.ts";
import type { AttemptSeen, RequestSeen, StepSeen } from "../processor/observer.ts";

/** Who reports the spans: the same for all of them. */
export interface SpanGround {
  readonly resource: Resource;
  readonly version: string;
}

/** Names, keys and messages come from users; backends cut longer ones anyway. Characters. */
const TEXT_LENGTH_MAX = 1024;
const NAME_LENGTH_MAX = 256;

const SAMPLED = 1;

export function isSampled(trace: TraceContext | null): trace is TraceContext {
  return trace !== null && (Number.parseInt(trace.flags, 16) & SAMPLED) === SAMPLED;
}

/** The request of a caller: parent of what it started. */
export function requestSpan(
  seen: RequestSeen,
  trace: TraceContext,
  ground: SpanGround,
): ReadableSpan {
  const { service, handler, invocationId, status, httpStatus } = seen;
  const isServerError = httpStatus >= 500;
  return finishedSpan(ground, trace, {
    name: `ingress ${service ?? "?"}/${handler ?? "?"}`,
    kind: SpanKind.SERVER,
    spanId: trace.spanId,
    parentSpanId: seen.parentSpanId,
    startedAtMs: seen.startedAtMs,
    endedAtMs: seen.endedAtMs,
    attributes: {
      "rpc.system": "restate",
      ...(service === null ? {} : { "rpc.service": service }),
      ...(handler === null ? {} : { "rpc.method": handler }),
      ...(invocationId === null ? {} : { "restate.invocation.id": invocationId }),
      ...resultAttributes(status),
      "holdfast.request.status": status,
      "http.response.status_code": httpStatus,
    },
    error: isServerError ? `${status}, HTTP status ${httpStatus}` : null,
    events: [],
  });
}

function resultAttributes(status: RequestSeen["status"]): Attributes {
  if (status === "completed") return { "restate.invocation.result": "success" };
  return status === "invocation-error" ? { "restate.invocation.result": "failure" } : {};
}

/** One attempt: a child of the request that made the invocation, or of the attempt that called it. */
export function attemptSpan(
  seen: AttemptSeen,
  trace: TraceContext,
  ground: SpanGround,
): ReadableSpan | null {
  const spanId = spanIdOf(seen);
  if (spanId === null) return null;
  const { target, failure, status } = seen;
  return finishedSpan(ground, trace, {
    name: `invocation-attempt ${target.service}/${target.handler}`,
    kind: SpanKind.CLIENT,
    spanId,
    parentSpanId: trace.spanId,
    startedAtMs: seen.startedAtMs,
    endedAtMs: seen.endedAtMs,
    attributes: {
      ...invocationAttributes(seen.invocationId, target),
      "restate.deployment.id": seen.deploymentId,
      "restate.deployment.address": clip(seen.uri, TEXT_LENGTH_MAX),
      "restate.deployment.service_protocol_version": seen.protocolVersion,
      "holdfast.attempt.epoch": seen.epoch,
      "holdfast.attempt.status": status,
      ...failureAttributes(failure),
    },
    error: failure === null ? null : `${failure.errorCode}: ${failure.message}`,
    events: status === "suspended" ? ["restate.invocation.lifecycle.suspended"] : [],
  });
}

function failureAttributes(failure: AttemptSeen["failure"]): Attributes {
  if (failure === null) return {};
  const { relatedCommandName, relatedCommandIndex } = failure;
  return {
    "error.type": failure.errorCode,
    "error.message": clip(failure.message, TEXT_LENGTH_MAX),
    "restate.invocation.error.code": String(failure.code),
    ...(relatedCommandName === undefined
      ? {}
      : { "restate.journal.command.name": clip(relatedCommandName, NAME_LENGTH_MAX) }),
    ...(relatedCommandIndex === undefined
      ? {}
      : { "restate.journal.command.index": relatedCommandIndex }),
  };
}

/** A step that was executed: a child of its attempt. */
export function stepSpan(
  seen: StepSeen,
  trace: TraceContext,
  ground: SpanGround,
): ReadableSpan | null {
  const parentSpanId = spanIdOf(seen);
  if (parentSpanId === null) return null;
  return finishedSpan(ground, trace, {
    name: `run ${seen.name}`,
    kind: SpanKind.INTERNAL,
    spanId: stepSpanId(parentSpanId, seen.completionId),
    parentSpanId,
    startedAtMs: seen.startedAtMs,
    endedAtMs: seen.endedAtMs,
    attributes: {
      ...invocationAttributes(seen.invocationId, seen.target),
      "restate.journal.command.type": "Command/Run",
      "restate.journal.command.name": clip(seen.name, NAME_LENGTH_MAX),
      "restate.journal.notification.id": seen.completionId,
    },
    error: seen.failed ? "the step failed" : null,
    events: [],
  });
}

function spanIdOf(seen: AttemptSeen | StepSeen): string | null {
  const id = parseInvocationId(seen.invocationId);
  return id === undefined ? null : attemptSpanId(id, seen.epoch);
}

function stepSpanId(attempt: string, completionId: number): string {
  return createHash("sha256").update(`${attempt}/run/${completionId}`).digest("hex").slice(0, 16);
}

function invocationAttributes(invocationId: string, target: Target): Attributes {
  const { service, handler, key } = target;
  const path = key === null ? [service, handler] : [service, key, handler];
  return {
    "rpc.system": "restate",
    "rpc.service": service,
    "rpc.method": handler,
    "restate.invocation.id": invocationId,
    "restate.invocation.target": clip(path.join("/"), TEXT_LENGTH_MAX),
  };
}

interface SpanFacts {
  readonly name: string;
  readonly kind: SpanKind;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly attributes: Attributes;
  /** What went wrong; null when nothing did. */
  readonly error: string | null;
  /** Names of what happened at the end. */
  readonly events: readonly string[];
}

function finishedSpan(ground: SpanGround, trace: TraceContext, facts: SpanFacts): ReadableSpan {
  const endedAtMs = Math.max(facts.endedAtMs, facts.startedAtMs);
  const endTime = hrTime(endedAtMs);
  const context = spanContext(trace, facts.spanId);
  const status: SpanStatus =
    facts.error === null
      ? { code: SpanStatusCode.UNSET }
      : { code: SpanStatusCode.ERROR, message: clip(facts.error, TEXT_LENGTH_MAX) };
  const parent =
    facts.parentSpanId === null
      ? {}
      : { parentSpanContext: { ...context, spanId: facts.parentSpanId } };
  return {
    name: clip(facts.name, NAME_LENGTH_MAX),
    kind: facts.kind,
    spanContext: () => context,
    ...parent,
    startTime: hrTime(facts.startedAtMs),
    endTime,
    duration: hrTime(endedAtMs - facts.startedAtMs),
    ended: true,
    status,
    attributes: facts.attributes,
    links: [],
    events: facts.events.map((name): TimedEvent => ({ name, time: endTime })),
    resource: ground.resource,
    instrumentationScope: { name: "holdfast", version: ground.version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

function spanContext(trace: TraceContext, spanId: string): SpanContext {
  const state = trace.state === null ? null : createTraceState(trace.state);
  return {
    traceId: trace.traceId,
    spanId,
    traceFlags: Number.parseInt(trace.flags, 16),
    ...withState(state),
  };
}

function withState(traceState: TraceState | null): Pick<SpanContext, "traceState"> {
  return traceState === null ? {} : { traceState };
}

/** Seconds and nanoseconds. Milliseconds may have a fraction. */
function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}

function clip(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax - 1)}…`;
}
