/** `--at` and `--segment`: from text to the state that is meant. */
import { InvalidArgumentError } from "commander";
import { parseDurationMs } from "./base/duration.ts";
import { ConfigError } from "./config-error.ts";
import type { PastPoint } from "./replica/restore-point.ts";

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/i;
/** Durations longer than that lead to before there were any clocks. */
const AGO_MS_MAX = 1000 * 365 * 24 * 60 * 60 * 1000;

/** A moment, or how long ago one was. */
export type Moment = { readonly atMs: number } | { readonly agoMs: number };

/** RFC 3339, such as `2026-11-26T09:00:00Z`, or a duration ago, such as `10m`. */
export function parseMoment(text: string): Moment {
  const agoMs = parseDurationMs(text);
  if (agoMs !== undefined && agoMs <= AGO_MS_MAX) return { agoMs };
  const atMs = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs)) {
    throw new InvalidArgumentError(
      "expected a time with its zone, such as 2026-11-26T09:00:00Z, or how long ago, such as 10m",
    );
  }
  return { atMs };
}

export function parseSegmentNumber(text: string): number {
  const seq = Number(text);
  if (!/^\d+$/.test(text) || seq < 1 || !Number.isSafeInteger(seq)) {
    throw new InvalidArgumentError("expected the number of a segment, from 1");
  }
  return seq;
}

/** Null: the latest. Throws `ConfigError` where the flags contradict each other. */
export function pastPoint(
  at: Moment | undefined,
  segment: number | undefined,
  nowMs: number,
): PastPoint | null {
  if (at !== undefined && segment !== undefined)
    throw new ConfigError("--at and --segment both say which state: give one of them");
  if (segment !== undefined) return { kind: "segment", seq: segment };
  if (at === undefined) return null;
  const atMs = "agoMs" in at ? nowMs - at.agoMs : at.atMs;
  if (atMs > nowMs) {
    throw new ConfigError(
      `--at ${new Date(atMs).toISOString()} has not been yet; leave it out for the latest state`,
    );
  }
  return { kind: "time", atMs };
}
