/** When a step that failed is tried again (protocol section 8.7). */

/** Each field by default unlimited, or the figures below. */
export interface RunRetryPolicy {
  readonly maxAttempts?: number;
  readonly maxDurationMs?: number;
  readonly initialIntervalMs?: number;
  readonly maxIntervalMs?: number;
  readonly factor?: number;
}

/** How often and how long the step has been tried, this time included. */
export interface RunRetryState {
  /** 1 for the first one. */
  readonly attempt: number;
  readonly durationMs: number;
}

/** Without `delayMs` the policy of the server applies. */
export type RunRetryDecision =
  | { readonly kind: "give-up" }
  | { readonly kind: "retry"; readonly delayMs?: number };

const INITIAL_INTERVAL_MS = 50;
const MAX_INTERVAL_MS = 10_000;
const FACTOR = 2;

/** `retryAfterMs` is what the error itself asked for; it moves the next attempt but spends one all the same. */
export function decideRunRetry(
  policy: RunRetryPolicy | undefined,
  state: RunRetryState,
  retryAfterMs: number | undefined,
): RunRetryDecision {
  if (policy === undefined) {
    return retryAfterMs === undefined
      ? { kind: "retry" }
      : { kind: "retry", delayMs: retryAfterMs };
  }
  const { maxAttempts = Infinity, maxDurationMs = Infinity } = policy;
  if (state.attempt >= maxAttempts || state.durationMs >= maxDurationMs) return { kind: "give-up" };
  return { kind: "retry", delayMs: retryAfterMs ?? backoffMs(policy, state.attempt) };
}

function backoffMs(policy: RunRetryPolicy, attempt: number): number {
  const { initialIntervalMs = INITIAL_INTERVAL_MS, maxIntervalMs = MAX_INTERVAL_MS } = policy;
  const { factor = FACTOR } = policy;
  if (initialIntervalMs === 0) return 0;
  // The power grows to Infinity, which the maximum bounds as well.
  return Math.ceil(Math.min(initialIntervalMs * factor ** (attempt - 1), maxIntervalMs));
}
