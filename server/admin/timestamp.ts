/** RFC 3339 has years of four digits; handlers may sleep longer. */
const LAST_MS = Date.UTC(10_000, 0) - 1;

/** RFC 3339 in UTC with nanoseconds, as all times of the admin API. */
export function timestamp(ms: number): string {
  return new Date(Math.min(ms, LAST_MS)).toISOString().replace("Z", "000000Z");
}
