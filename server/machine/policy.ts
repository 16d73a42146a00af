/** Kind, retry and retention of a handler: handler over service over setting (service protocol 2.4 and 8.13). */
import type { OnMaxAttempts } from "../../sdk/protocol/manifest.ts";
import type { HandlerKind, NewInvocation } from "./invocation.ts";
import type { ResolvedHandler } from "./registry.ts";
import { type MachineSettings, RETENTION_MS_MAX } from "./settings.ts";

export interface RetryPolicy {
  readonly initialIntervalMs: number;
  readonly factor: number;
  readonly maxIntervalMs: number;
  /** Attempts in total, the first included; Infinity for no bound. */
  readonly maxAttempts: number;
  readonly onMaxAttempts: OnMaxAttempts;
}

export function retryPolicy(
  { retryPolicy: fallback }: MachineSettings,
  resolved: ResolvedHandler | undefined,
): RetryPolicy {
  if (resolved === undefined) return fallback;
  const { handler, service } = resolved;
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

/** Longer intervals are a slip of whoever set them; with it due times stay within what a clock can show. */
const DELAY_MS_MAX = RETENTION_MS_MAX;

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
  return Math.round(Math.min(base * (1 + spread / 3), DELAY_MS_MAX));
}

/** The matrix of service and handler types (service protocol 2.4). */
export function handlerKind({ service, handler }: ResolvedHandler): HandlerKind {
  switch (service.ty) {
    case "VIRTUAL_OBJECT":
      return handler.ty === "SHARED" ? "shared" : "exclusive";
    case "WORKFLOW":
      return handler.ty === "WORKFLOW" ? "run" : "workflow-shared";
    default:
      return "plain";
  }
}

/**
 * How long result and journal of a finished invocation are kept; fixed when it is created. The journal never outlives the
 * result; the result of an invocation that nobody can ask for by name is kept as long as its journal.
 */
export function retention(
  settings: MachineSettings,
  { handler, service }: ResolvedHandler,
  kind: HandlerKind,
  isIdempotent: boolean,
): Pick<NewInvocation, "completionRetentionMs" | "journalRetentionMs"> {
  const { retentionMaxMs } = settings;
  const journalMs = Math.min(
    handler.journalRetention ?? service.journalRetention ?? settings.journalRetentionMs,
    retentionMaxMs,
  );
  let completionMs = journalMs;
  if (kind === "run") {
    completionMs = handler.workflowCompletionRetention ?? settings.workflowRetentionMs;
  } else if (isIdempotent) {
    completionMs =
      handler.idempotencyRetention ??
      service.idempotencyRetention ??
      settings.idempotencyRetentionMs;
  }
  const completionRetentionMs = Math.min(completionMs, retentionMaxMs);
  return { completionRetentionMs, journalRetentionMs: Math.min(journalMs, completionRetentionMs) };
}
