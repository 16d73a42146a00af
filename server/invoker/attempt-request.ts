/** The request that carries an attempt: its path, its headers and its first bytes (service protocol 3.1). */
import { invocationContentType } from "../../sdk/protocol/version.ts";
import { assert } from "../base/assert.ts";
import { attemptSpanId, formatTraceparent, type TraceContext } from "../base/trace.ts";
import type { Entry } from "../journal/summary.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { ReadyPlan } from "./attempt-plan.ts";
import { endpointOf, pathOf } from "./endpoint.ts";
import { type EagerStateLimits, eagerState, openingBytes } from "./opening.ts";
import type { RequestIdentity } from "./request-identity.ts";
import type { ExchangeRequest } from "./transport.ts";

/** Endpoints refuse long headers (Node: all together above 16 KiB), and the key stands in `Start` anyway. */
const KEY_HEADER_LENGTH_MAX = 4096;

/** Printable ASCII, as W3C Trace Context defines the value. */
const TRACESTATE = /^[\x20-\x7e]*$/;

export interface RequestFacts {
  /** The id of the invocation as text. */
  readonly debugId: string;
  readonly nowMs: number;
  readonly eager: EagerStateLimits;
  /** Null: requests are not signed. */
  readonly identity: RequestIdentity | null;
}

/** What the attempt replays: the journal up to `knownEntries`, which are all durable. */
export function replayOf(reader: Reader, seq: number, knownEntries: number): Entry[] {
  const entries = reader.entries(seq, 0, knownEntries);
  assert(
    entries.length === knownEntries,
    `invocation ${seq} has ${entries.length} entries, not ${knownEntries}`,
  );
  return entries;
}

export function attemptRequest(
  reader: Reader,
  invocation: Invocation,
  plan: ReadyPlan,
  replay: readonly Entry[],
  { debugId, nowMs, eager, identity }: RequestFacts,
): ExchangeRequest {
  const { resolved, version, isBidirectional } = plan;
  const { deployment, service, handler } = resolved;
  const { id, epoch, target, trace } = invocation;
  const endpoint = endpointOf(deployment);
  const contentType = invocationContentType(version);
  const path = `/invoke/${service.name}/${handler.name}`;
  const state = eagerState(reader, invocation, resolved, eager);
  const key = target.key === null ? null : wellFormed(target.key);
  const keyHeader = key === null ? "" : encodeURIComponent(key);
  const isKeyTold = key !== null && keyHeader.length <= KEY_HEADER_LENGTH_MAX;
  return {
    endpoint,
    path: pathOf(endpoint, path),
    headers: {
      ...endpoint.headers,
      "content-type": contentType,
      accept: contentType,
      "x-restate-invocation-id": debugId,
      ...(isKeyTold ? { "x-restate-service-key": keyHeader } : {}),
      ...(trace === null ? {} : traceHeaders(trace, attemptSpanId(id, epoch))),
      ...identity?.headers(path, isKeyTold ? key : null, nowMs),
    },
    body: openingBytes(invocation, { debugId, version, nowMs, state }, replay),
    bodyComplete: !isBidirectional,
  };
}

/** Through UTF-8 and back, which replaces what cannot be encoded. */
function wellFormed(key: string): string {
  return Buffer.from(key).toString();
}

/** The handler's own spans hang under that of the attempt. */
function traceHeaders(trace: TraceContext, spanId: string): Record<string, string> {
  const traceparent = formatTraceparent({ ...trace, spanId });
  const { state } = trace;
  return state !== null && TRACESTATE.test(state)
    ? { traceparent, tracestate: state }
    : { traceparent };
}
