/** The `delay` parameter of a send (HTTP API 1.6); pure. */
import { parseDurationMs } from "../base/duration.ts";
import { RFC3339_MS_MAX } from "../base/rfc3339.ts";
import type { Problem } from "../http/problem.ts";
import { parameter } from "./query.ts";

export type Delay =
  | { readonly kind: "none" }
  | { readonly kind: "until"; readonly startAtMs: number }
  | { readonly kind: "problem"; readonly problem: Problem };

const NONE: Delay = { kind: "none" };

/** The value is a duration from now on. */
export function parseDelay(query: string, nowMs: number): Delay {
  const found = parameter(query, "delay");
  if (found === null) return NONE;
  if (found === "repeated") return invalid("there is more than one delay");
  const delayMs = parseDurationMs(found.value);
  if (delayMs === undefined) return invalid(EXPECTED);
  const startAtMs = nowMs + delayMs;
  if (startAtMs > RFC3339_MS_MAX) return invalid("the delay ends after the year 9999");
  return { kind: "until", startAtMs };
}

const EXPECTED =
  "delay must be a duration with units, such as 10s, 1h 30m or PT1M; months and years have no fixed length";

function invalid(message: string): Delay {
  return { kind: "problem", problem: { status: 400, reason: "invalid-delay", message } };
}
