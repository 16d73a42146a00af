/** The trace context that an invocation carries, by what its request brought (HTTP API 6.4). */
import type { IncomingHttpHeaders } from "node:http";
import type { Random } from "../base/ids.ts";
import { parseTraceContext, type TraceContext } from "../base/trace.ts";
import type { Seen } from "./seen.ts";

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const SAMPLED = "01";

/**
 * With `seen`, spans are wanted: the request is one, under the caller's or in a trace of its own, and the invocation hangs under it.
 * Without, the caller's context is passed on as it is.
 */
export function requestTrace(
  { traceparent, tracestate }: IncomingHttpHeaders,
  random: Random,
  seen: Seen | null,
): TraceContext | null {
  const caller =
    traceparent === undefined ? null : parseTraceContext(textOf(traceparent), textOf(tracestate));
  if (seen === null) return caller;
  const trace: TraceContext = {
    traceId: caller?.traceId ?? hex(random(TRACE_ID_BYTES)),
    spanId: hex(random(SPAN_ID_BYTES)),
    flags: caller?.flags ?? SAMPLED,
    state: caller?.state ?? null,
  };
  seen.trace = trace;
  seen.parentSpanId = caller?.spanId ?? null;
  return trace;
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The chance that they are all zero, which would be no id, is that of a collision. */
function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}
