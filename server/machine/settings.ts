/** What the operator decides for all services; handler over service over these. Durations are milliseconds. */
import { FUTURE_DEPTH_MAX } from "../../sdk/protocol/limits.ts";
import type { RetryPolicy } from "./policy.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
/** Due times stay within what a clock can show. */
export const RETENTION_MS_MAX = 100 * 365 * DAY_MS;

export interface MachineSettings {
  readonly retryPolicy: RetryPolicy;
  readonly journalRetentionMs: number;
  readonly idempotencyRetentionMs: number;
  readonly workflowRetentionMs: number;
  /** No service may keep anything longer than this. */
  readonly retentionMaxMs: number;
  /** Everything whose retention ends within the same interval is forgotten together. */
  readonly cleanupIntervalMs: number;
  /** What awaits deeper nesting is paused (RT0025). */
  readonly futureDepthMax: number;
  /** The protocol version for SDKs of others; our own SDK always gets the highest. */
  readonly protocolVersionMax: 5 | 6 | 7;
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  initialIntervalMs: 500,
  factor: 2,
  maxIntervalMs: 60_000,
  maxAttempts: 70,
  onMaxAttempts: "PAUSE",
};

export const DEFAULT_SETTINGS: MachineSettings = {
  retryPolicy: DEFAULT_RETRY_POLICY,
  journalRetentionMs: DAY_MS,
  idempotencyRetentionMs: DAY_MS,
  workflowRetentionMs: DAY_MS,
  retentionMaxMs: RETENTION_MS_MAX,
  cleanupIntervalMs: 60_000,
  futureDepthMax: FUTURE_DEPTH_MAX,
  protocolVersionMax: 6,
};
