/** RFC 3339 in UTC with nanoseconds, as all times of the admin API. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000000Z");
}
