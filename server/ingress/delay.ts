/** The `delay` parameter of a send (HTTP API 1.6); pure. */
import { parseDurationMs } from "../base/duration.ts";
import { RFC3339_MS_MAX } from "../base/rfc3339.ts";
import type { Problem } from "../http/problem.ts";
import { decode } from "./path.ts";

export type Delay =
  | { readonly kind: "none" }
  | { readonly kind: "until"; readonly startAtMs: number }
  | { readonly kind: "problem"; readonly problem: Problem };

const NONE: Delay = { kind: "none" };

/** The parameter's name may be written in any case; its value is a duration from now on. */
export function parseDelay(query: string, nowMs: number): Delay {
  if (query === "") return NONE;
  let found: string | null = null;
  for (const pair of query.split("&")) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    if (decodeForm(name)?.toLowerCase() !== "delay") continue;
    if (found !== null) return invalid("there is more than one delay");
    found = equals < 0 ? "" : pair.slice(equals + 1);
  }
  if (found === null) return NONE;
  const delayMs = parseDurationMs(decodeForm(found) ?? "");
  if (delayMs === undefined) return invalid(EXPECTED);
  const startAtMs = nowMs + delayMs;
  if (startAtMs > RFC3339_MS_MAX) return invalid("the delay ends after the year 9999");
  return { kind: "until", startAtMs };
}

function decodeForm(text: string): string | undefined {
  return decode(text.includes("+") ? text.replaceAll("+", " ") : text);
}

const EXPECTED =
  "delay must be a duration with units, such as 10s, 1h 30m or PT1M; months and years have no fixed length";

function invalid(message: string): Delay {
  return { kind: "problem", problem: { status: 400, reason: "invalid-delay", message } };
}
