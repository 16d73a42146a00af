/** The ways in which an attempt fails, with their stable codes (service protocol 3.2 and 8.12). */
import { failureCode } from "../../sdk/protocol/failure.ts";
import type { ErrorBehavior, ErrorMessage } from "../../sdk/protocol/messages.ts";
import type { FailAttempt } from "../machine/input.ts";
import type { AttemptFailure } from "../machine/invocation.ts";

/** What the machine needs to know of a failed attempt, besides which one it was. */
export type Failing = Omit<FailAttempt, "type" | "attempt">;

const INTERNAL = 500;
const MISMATCH = 570;
const VIOLATION = 571;

/** Longer delays are a mistake of the endpoint; also keeps due times within what a clock can show. */
export const RETRY_DELAY_MS_MAX = 365 * 24 * 60 * 60 * 1000;

/** In characters: failures are kept with the invocation and written anew with each retry. */
const MESSAGE_LENGTH_MAX = 8 * 1024;
const STACKTRACE_LENGTH_MAX = 32 * 1024;
const NAME_LENGTH_MAX = 256;

const BEHAVIORS: Readonly<Record<ErrorBehavior, Failing["behavior"]>> = {
  0: "retry",
  1: "pause",
  2: "fail",
};

function retried(failure: AttemptFailure): Failing {
  return { failure, retryAfterMs: null, behavior: "retry", countsForSdk: true };
}

/** The endpoint cannot be reached, or the connection broke. */
export function networkFailure(message: string): Failing {
  return retried({ code: INTERNAL, errorCode: "RT0010", message });
}

/** The endpoint sent what it may not send. */
export function violation(message: string): Failing {
  return retried({ code: VIOLATION, errorCode: "RT0012", message });
}

export function messageTooLarge(message: string): Failing {
  return retried({ code: 413, errorCode: "RT0003", message });
}

/** The response ended although the handler neither ended, failed nor suspended. */
export function cutShort(pendingBytes: number): Failing {
  const where = pendingBytes > 0 ? `${pendingBytes} bytes into a message` : "between two messages";
  const message =
    `the endpoint ended the response ${where}, without End, Suspension or Error: ` +
    "the process may have crashed or been stopped; see its log";
  return retried({ code: INTERNAL, errorCode: "RT0007", message });
}

/** The handler was asked to suspend and did not within the abort timeout. */
export function aborted(abortTimeoutMs: number): Failing {
  const message =
    `no message from the endpoint within the abort timeout of ${abortTimeoutMs} ms after it was asked ` +
    "to suspend; a step that takes longer needs a longer abortTimeout";
  return retried({ code: INTERNAL, errorCode: "RT0001", message });
}

/** A defect of ours while handling an attempt. */
export function internalFailure(error: unknown): Failing {
  const what = error instanceof Error ? error.message : String(error);
  const failure = { code: INTERNAL, errorCode: "RT0006", message: `internal error: ${what}` };
  return { ...retried(failure), countsForSdk: false };
}

/** The endpoint was never asked, because nothing fits the invocation. */
export function notAttempted(errorCode: string, message: string): Failing {
  return { ...retried({ code: INTERNAL, errorCode, message }), countsForSdk: false };
}

/** The handler reported an error that is not terminal. */
export function handlerError(error: ErrorMessage): Failing {
  const { relatedCommandIndex, relatedCommandType } = error;
  const stacktrace = error.stacktrace.slice(0, STACKTRACE_LENGTH_MAX);
  const relatedCommandName = error.relatedCommandName?.slice(0, NAME_LENGTH_MAX);
  const failure: AttemptFailure = {
    code: error.code === 0 ? INTERNAL : failureCode(error.code),
    errorCode: errorCodeOf(error.code),
    message:
      error.message === ""
        ? "the handler failed without a message"
        : error.message.slice(0, MESSAGE_LENGTH_MAX),
    ...(stacktrace === "" ? {} : { stacktrace }),
    ...(relatedCommandIndex === undefined ? {} : { relatedCommandIndex }),
    ...(relatedCommandName === undefined ? {} : { relatedCommandName }),
    ...(relatedCommandType === undefined ? {} : { relatedCommandType }),
  };
  const delayMs = error.nextRetryDelayMs;
  return {
    failure,
    retryAfterMs: delayMs === undefined ? null : Math.min(delayMs, RETRY_DELAY_MS_MAX),
    behavior: BEHAVIORS[error.behavior ?? 0],
    countsForSdk: true,
  };
}

function errorCodeOf(code: number): string {
  if (code === MISMATCH) return "RT0016";
  return code === VIOLATION ? "RT0012" : "RT0007";
}
