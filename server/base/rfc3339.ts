/** RFC 3339 has years of four digits; handlers may sleep longer, and delays may be longer. */
export const RFC3339_MS_MAX = Date.UTC(10_000, 0) - 1;

/** `2026-11-23T09:04:56.167Z`; the end of the year 9999 stands for every later time, which the format cannot name. */
export function rfc3339(ms: number): string {
  return new Date(Math.min(ms, RFC3339_MS_MAX)).toISOString();
}

/** `2026-11-23T09:04:56.167000000Z`, as clients of the admin API and of sends expect it. */
export function rfc3339Nanos(ms: number): string {
  return rfc3339(ms).replace("Z", "000000Z");
}
