/**
 * Trace contexts as they travel (W3C Trace Context, level 1). An invocation carries the context its attempts hang under; the span of
 * an attempt is derived from what names the attempt, so that a child's context needs no message from the invoker.
 */
import { hash } from "node:crypto";

export interface TraceContext {
  /** 32 hex digits, not all zero. */
  readonly traceId: string;
  /** 16 hex digits, not all zero: the parent of what is made under this context. */
  readonly spanId: string;
  /** The flags as two hex digits; bit 0 is "sampled". */
  readonly flags: string;
  /** The header `tracestate`, passed on as it came; null without one. */
  readonly state: string | null;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;

/** The longest `tracestate` that is kept; W3C asks for at least 512 characters. */
const STATE_LENGTH_MAX = 1024;

/** The context in the two headers; null when there is none that is valid. */
export function parseTraceContext(
  traceparent: string | undefined,
  tracestate: string | undefined,
): TraceContext | null {
  const match = TRACEPARENT.exec(traceparent ?? "");
  if (match === null) return null;
  const [, version = "", traceId = "", spanId = "", flags = "", more] = match;
  if (version === "ff" || (version === "00" && more !== undefined)) return null;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return null;
  const keepsState = tracestate !== undefined && tracestate.length <= STATE_LENGTH_MAX;
  return { traceId, spanId, flags, state: keepsState ? tracestate : null };
}

/** The value of the header `traceparent`. */
export function formatTraceparent({ traceId, spanId, flags }: TraceContext): string {
  return `00-${traceId}-${spanId}-${flags}`;
}

/** The span of an attempt: the same for the same invocation and epoch. */
export function attemptSpanId(invocationId: Uint8Array, epoch: number): string {
  return hash("sha256", `${Buffer.from(invocationId).toString("hex")}/${epoch}`, "hex").slice(
    0,
    16,
  );
}
