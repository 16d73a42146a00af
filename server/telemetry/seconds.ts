/** Durations as Prometheus wants them. */

/** From an answer out of memory to a call that waits for a minute; longer ones are counted under +Inf. */
export const REQUEST_BUCKETS_SECONDS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/** From a commit into the page cache to a disk that hardly answers. */
export const DISK_BUCKETS_SECONDS = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5,
];

/** A clock that was set back gives zero; the histograms throw at anything that is not finite. */
export function secondsOf(durationMs: number): number {
  return durationMs > 0 && Number.isFinite(durationMs) ? durationMs / 1000 : 0;
}
