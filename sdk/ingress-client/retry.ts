/** When a request to the ingress is made again: only where a repetition changes nothing. */
import { type Duration, durationToMs } from "../define/duration.ts";

/** How often and when. */
export interface RetryOptions {
  /** In total, the first one included. Default: 5. */
  maxAttempts?: number;
  /** Delay after the first attempt, doubled with each further one. A number is milliseconds. Default: 100 ms. */
  initialInterval?: Duration | number;
  /** The longest delay, also where the server asks for a longer one. A number is milliseconds. Default: 5 s. */
  maxInterval?: Duration | number;
}

const MAX_ATTEMPTS = 5;
const INITIAL_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 5000;

/** 429: it was not taken. The others may come from what stands in between, or from a server that is starting. */
const REFUSED = 429;
const UNAVAILABLE: ReadonlySet<number> = new Set([502, 503, 504]);

/**
 * Makes the request until it is answered or the attempts are used up. `isRepeatable`: that it may have been carried out does no harm.
 * The answers of handlers are answers, whatever their status.
 */
export async function retrying(
  send: () => Promise<Response>,
  isRepeatable: boolean,
  options: RetryOptions,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const { maxAttempts = MAX_ATTEMPTS } = options;
  for (let attempt = 1; ; attempt += 1) {
    const isLast = attempt >= maxAttempts;
    let response: Response | undefined;
    try {
      response = await send();
      if (isLast || !isWorthAnother(response, isRepeatable)) return response;
      await response.body?.cancel();
    } catch (error) {
      if (isLast || !isRepeatable || signal?.aborted === true) throw error;
    }
    await pause(delayMs(attempt, response, options), signal);
  }
}

function isWorthAnother({ status, headers }: Response, isRepeatable: boolean): boolean {
  if (headers.get("x-restate-error-source") === "invocation") return false;
  return status === REFUSED || (isRepeatable && UNAVAILABLE.has(status));
}

function delayMs(attempt: number, response: Response | undefined, options: RetryOptions): number {
  const { initialInterval = INITIAL_INTERVAL_MS, maxInterval = MAX_INTERVAL_MS } = options;
  const maxMs = durationToMs(maxInterval);
  const asked = response?.headers.get("retry-after") ?? "";
  const askedMs = /^\d{1,6}$/.test(asked) ? Number(asked) * 1000 : 0;
  const backoffMs = durationToMs(initialInterval) * 2 ** (attempt - 1);
  // Clients that failed together should not come back together.
  return Math.min(maxMs, Math.max(askedMs, backoffMs * (0.5 + Math.random() / 2)));
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(toError(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
  });
}

function toError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error("aborted", { cause: reason });
}
