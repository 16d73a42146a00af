/** What an invocation does and waits for, as the part of a sentence that stands behind "it". */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import type { Cause, CauseKind } from "./cause.ts";
import { failureText, oneLine } from "./failure-view.ts";
import { resultOf } from "./result-of.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";

/** So many of the things that are awaited are named. */
const NAMED_MAX = 3;

/** Causes that are no thing to wait for, but what is wrong. */
const PROBLEMS: ReadonlySet<CauseKind> = new Set([
  "deployment-missing",
  "handler-missing",
  "no-deployment",
]);

export function clauseOf(
  reader: Reader,
  invocation: Invocation,
  causes: readonly Cause[],
  attempt: LiveAttempt | undefined,
): string {
  const since = rfc3339Nanos(sinceMsOf(reader, invocation, attempt));
  const problem = causes.find(({ kind }) => PROBLEMS.has(kind));
  const trouble = problem === undefined ? "" : `; ${problem.phrase}`;
  const { state, lastFailure, retryCount } = invocation;
  const failure = lastFailureText(invocation);
  const failureAndTrouble = lastFailure?.errorCode === MISSING ? failure : failure + trouble;
  switch (state.status) {
    case "scheduled":
      return `starts at ${rfc3339Nanos(state.startAtMs)}`;
    case "queued":
      return `has been queued since ${since} and waits for ${list(causes)}`;
    case "running":
      return runningClause(invocation, causes, attempt, since) + trouble;
    case "suspended":
      return `has been suspended since ${since} and waits for ${list(causes.filter(isAwaited))}${trouble}`;
    case "backing-off": {
      const nth = retryCount === 0 ? "" : ` in attempt ${retryCount}`;
      return `failed${nth} and is tried again at ${rfc3339Nanos(state.retryAtMs)}${failureAndTrouble}`;
    }
    case "paused": {
      const mend = `PATCH /invocations/${invocationIdToString(invocation.id)}/resume`;
      const because = `has been paused since ${since}, because ${PAUSED_BECAUSE[state.reason]}`;
      if (state.reason !== "operator") {
        return `${because}${failureAndTrouble}. Mend the cause, then ${mend}`;
      }
      const before = failure === "" ? "" : `; it had failed before${failure}`;
      return `${because}${before}${trouble}. ${mend} lets it go on`;
    }
    default:
      return `completed at ${since}${outcomeText(reader, invocation)}`;
  }
}

const PAUSED_BECAUSE = {
  operator: "an operator asked for it",
  "retries-exhausted": "its retries are used up",
  handler: "its endpoint asked for it",
  "future-too-deep": "what it awaits is nested too deeply (RT0025)",
} as const;

/** Says by itself that no deployment offers the handler. */
const MISSING = "RT0011";

/** What went wrong last; empty where nothing did. */
function lastFailureText({ lastFailure }: Invocation): string {
  return lastFailure === null ? "" : `: ${failureText(lastFailure)}`;
}

function outcomeText(reader: Reader, invocation: Invocation): string {
  const result = resultOf(reader, invocation);
  if (result === null) return "";
  if (result.kind !== "failure") return " with a value";
  return ` with failure ${result.failure.code}: ${oneLine(result.failure.message)}`;
}

const ROOM = "room among the attempts in flight";

function runningClause(
  invocation: Invocation,
  causes: readonly Cause[],
  attempt: LiveAttempt | undefined,
  since: string,
): string {
  const { state, retryCount } = invocation;
  const isPausing = state.status === "running" && state.isPausing;
  const after =
    retryCount === 0 ? "" : `, after ${retryCount} failed${lastFailureText(invocation)}`;
  const pausing = isPausing ? ", and pauses when its attempt has ended" : "";
  if (attempt === undefined) {
    const obstacle = causes.find(({ kind }) => kind === "endpoint" || kind === "held");
    const place = obstacle?.phrase ?? ROOM;
    return `has been ready to run since ${since} and waits for ${place}${after}${pausing}`;
  }
  const awaited = causes.filter(isAwaited);
  const verb = attempt.awaitingOn === null ? "may wait" : "waits";
  const unsaid =
    attempt.awaitingOn === null ? "; what it awaits, if anything, it says when it suspends" : "";
  const waits = awaited.length === 0 ? unsaid : ` and ${verb} for ${list(awaited)}`;
  return `has run since ${since} on ${attempt.deploymentId}${waits}${after}${pausing}`;
}

const NOT_AWAITED: ReadonlySet<CauseKind> = new Set([
  ...PROBLEMS,
  "attempt",
  "deployment-draining",
  "pausing",
  "room",
  "held",
  "endpoint",
]);

function isAwaited({ kind }: Cause): boolean {
  return !NOT_AWAITED.has(kind);
}

function list(causes: readonly Cause[]): string {
  const named = causes.slice(0, NAMED_MAX).map(({ phrase }) => phrase);
  const more = causes.length - named.length;
  const all = more > 0 ? [...named, `${more} more`] : named;
  const joint = causes.length > 1 && causes.every(({ isJoint }) => isJoint) ? "and" : "or";
  if (all.length === 0) return "what its journal does not tell";
  if (all.length === 1) return all[0] ?? "";
  return `${all.slice(0, -1).join(", ")} ${joint} ${all.at(-1) ?? ""}`;
}

/** Since when it is in its status. */
export function sinceMsOf(
  reader: Reader,
  invocation: Invocation,
  attempt: LiveAttempt | undefined,
): number {
  const { state, createdAtMs, modifiedAtMs, seq } = invocation;
  switch (state.status) {
    case "scheduled":
      return createdAtMs;
    case "queued":
      return invocation.queuedAtMs ?? modifiedAtMs;
    case "running":
      return attempt?.startedAtMs ?? invocation.lastStartAtMs ?? modifiedAtMs;
    case "suspended":
    case "paused": {
      // Notifications that do not wake it change the row too.
      const event = reader.events(seq).findLast(({ kind }) => kind === state.status);
      return event?.atMs ?? modifiedAtMs;
    }
    case "backing-off":
      return invocation.lastFailure?.atMs ?? modifiedAtMs;
    default:
      return state.completedAtMs;
  }
}
