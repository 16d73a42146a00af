/**
 * What the shells tell about what they do; telemetry makes metrics and spans of it. Every method returns at once and never throws, and
 * what it is given may be kept. Without telemetry it is `SILENT`.
 */
import type { TraceContext } from "../base/trace.ts";
import type { AttemptFailure, Target } from "../machine/invocation.ts";

/**
 * How a request on the ingress ended.
 * - completed: the invocation's value; accepted: a send; invocation-error: its failure
 * - request-error: refused as wrong (4xx); rate-limited: 429; ingress-error: the server could not (5xx)
 * - disconnected: the caller left before the answer
 */
export type RequestStatus =
  | "completed"
  | "accepted"
  | "invocation-error"
  | "request-error"
  | "rate-limited"
  | "ingress-error"
  | "disconnected";

export interface RequestSeen {
  /** Null when the request named no service that is registered. */
  readonly service: string | null;
  readonly handler: string | null;
  readonly kind: "call" | "send" | "other";
  readonly status: RequestStatus;
  readonly httpStatus: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  /** `inv_1…`; null where there is none. */
  readonly invocationId: string | null;
  /** The context that the invocation carries, whose span this request is; null when nobody traces. */
  readonly trace: TraceContext | null;
  /** The span of the caller that the request hangs under; null without one. */
  readonly parentSpanId: string | null;
}

export interface AttemptSeen {
  readonly invocationId: string;
  readonly target: Target;
  readonly epoch: number;
  readonly deploymentId: string;
  /** `http://…/` */
  readonly uri: string;
  readonly protocolVersion: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly status: "completed" | "suspended" | "failed" | "cut";
  /** With status failed. */
  readonly failure: AttemptFailure | null;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The context the invocation carries; the span of the attempt is `attemptSpanId`. */
  readonly trace: TraceContext | null;
}

/** A step that was executed in an attempt. */
export interface StepSeen {
  readonly invocationId: string;
  readonly target: Target;
  readonly epoch: number;
  readonly name: string;
  readonly completionId: number;
  /** When its command arrived or, with a step of an earlier attempt, when this attempt began. */
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly failed: boolean;
  readonly trace: TraceContext | null;
}

/** A batch that was committed. */
export interface BatchSeen {
  readonly inputs: number;
  readonly effects: number;
  readonly commitMs: number;
}

export interface Observer {
  /** Somebody wants spans: trace contexts are made where callers bring none. */
  readonly isTracing: boolean;
  request(seen: RequestSeen): void;
  attempt(seen: AttemptSeen): void;
  step(seen: StepSeen): void;
  batch(seen: BatchSeen): void;
  /** The time from a commit until its barrier passed. */
  barrier(waitedMs: number): void;
}

export const SILENT: Observer = {
  isTracing: false,
  request: () => {},
  attempt: () => {},
  step: () => {},
  batch: () => {},
  barrier: () => {},
};
