/** What a test shows an observer: whole records, of which it names what matters to it. */
import type { TraceContext } from "../base/trace.ts";
import type { AttemptSeen, RequestSeen, StepSeen } from "../processor/observer.ts";

export const INVOCATION_ID = "inv_12pHYyvggbrL5yRehbreFxnHSviBL5Z4Ek";

export const TRACE: TraceContext = {
  traceId: "0af7651916cd43dd8448eb211c80319c",
  spanId: "b7ad6b7169203331",
  flags: "01",
  state: null,
};

/** 2026-11-25T12:00:00Z */
export const NOON_MS = 1_795_608_000_000;

export function requestSeen(some: Partial<RequestSeen> = {}): RequestSeen {
  return {
    service: "Greeter",
    handler: "greet",
    kind: "call",
    status: "completed",
    httpStatus: 200,
    startedAtMs: NOON_MS,
    endedAtMs: NOON_MS + 20,
    invocationId: INVOCATION_ID,
    trace: TRACE,
    parentSpanId: null,
    ...some,
  };
}

const TARGET = { service: "Greeter", handler: "greet", key: null };

export function attemptSeen(some: Partial<AttemptSeen> = {}): AttemptSeen {
  return {
    invocationId: INVOCATION_ID,
    target: TARGET,
    epoch: 0,
    deploymentId: "dp_124pWqE8CpJPkZIuJ2kg6BP",
    uri: "http://127.0.0.1:9080/",
    protocolVersion: 6,
    startedAtMs: NOON_MS + 2,
    endedAtMs: NOON_MS + 18,
    status: "completed",
    failure: null,
    sentBytes: 100,
    receivedBytes: 40,
    trace: TRACE,
    ...some,
  };
}

export function stepSeen(some: Partial<StepSeen> = {}): StepSeen {
  return {
    invocationId: INVOCATION_ID,
    target: TARGET,
    epoch: 0,
    name: "charge",
    completionId: 1,
    startedAtMs: NOON_MS + 4,
    endedAtMs: NOON_MS + 9,
    failed: false,
    trace: TRACE,
    ...some,
  };
}
