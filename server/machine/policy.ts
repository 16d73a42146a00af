/** Retry and retention of a handler: handler over service over default (service protocol 2.4 and 8.13). */
import type { Target } from "./invocation.ts";
import { type Registry, resolveHandler, resolveIn, type ResolvedHandler } from "./registry.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface RetryPolicy {
  readonly initialIntervalMs: number;
  readonly factor: number;
  readonly maxIntervalMs: number;
  /** Attempts in total, the first included. */
  readonly maxAttempts: number;
  readonly onMaxAttempts: "PAUSE" | "KILL";
}

export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  initialIntervalMs: 500,
  factor: 2,
  maxIntervalMs: 60_000,
  maxAttempts: 70,
  onMaxAttempts: "PAUSE",
};

export function retryPolicy(resolved: ResolvedHandler | undefined): RetryPolicy {
  if (resolved === undefined) return DEFAULT_RETRY_POLICY;
  const { handler, service } = resolved;
  const fallback = DEFAULT_RETRY_POLICY;
  return {
    initialIntervalMs:
      handler.retryPolicyInitialInterval ??
      service.retryPolicyInitialInterval ??
      fallback.initialIntervalMs,
    factor:
      handler.retryPolicyExponentiationFactor ??
      service.retryPolicyExponentiationFactor ??
      fallback.factor,
    maxIntervalMs:
      handler.retryPolicyMaxInterval ?? service.retryPolicyMaxInterval ?? fallback.maxIntervalMs,
    maxAttempts: Math.max(
      1,
      handler.retryPolicyMaxAttempts ?? service.retryPolicyMaxAttempts ?? fallback.maxAttempts,
    ),
    onMaxAttempts:
      handler.retryPolicyOnMaxAttempts ??
      service.retryPolicyOnMaxAttempts ??
      fallback.onMaxAttempts,
  };
}

/**
 * The delay before retry number `retry` (1 for the first). Up to a third of it is jitter, spread over invocations by `salt`
 * so that the same inputs give the same delay.
 */
export function retryDelayMs(policy: RetryPolicy, retry: number, salt: number): number {
  // Without the first line 0 times the Infinity that the power grows to would be no number.
  if (policy.initialIntervalMs === 0) return 0;
  const base = Math.min(
    policy.initialIntervalMs * policy.factor ** (retry - 1),
    policy.maxIntervalMs,
  );
  const spread = (Math.imul(salt, 2_654_435_761) >>> 0) / 2 ** 32;
  return Math.round(base * (1 + spread / 3));
}

/** Where an invocation runs: its pinned deployment, else what is latest now. */
export function resolveTarget(
  registry: Registry,
  target: Target,
  deploymentId: string | null,
): ResolvedHandler | undefined {
  return deploymentId === null
    ? resolveHandler(registry, target.service, target.handler)
    : resolveIn(registry, deploymentId, target.service, target.handler);
}

/** How long a finished invocation is kept; fixed when it is created. */
export function retentionMs(resolved: ResolvedHandler | undefined, idempotent: boolean): number {
  if (resolved === undefined) return DAY_MS;
  const { handler, service } = resolved;
  return idempotent
    ? (handler.idempotencyRetention ?? service.idempotencyRetention ?? DAY_MS)
    : (handler.journalRetention ?? service.journalRetention ?? DAY_MS);
}
