/**
 * The medium failed: disk full, an I/O error, a failed fsync. What was written is unknown from here on, so the process stops;
 * the next start recovers from what is durable.
 */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code = "RT0006";
}
