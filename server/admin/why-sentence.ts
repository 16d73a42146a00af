/** What an invocation does and waits for, as the part of a sentence that stands behind "it". */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import type { Cause, CauseKind } from "./cause.ts";
import { lastFailureText, PAUSED_BECAUSE } from "./status-causes.ts";
import { timestamp } from "./timestamp.ts";

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
  const since = timestamp(sinceMsOf(reader, invocation, attempt));
  const problem = causes.find(({ kind }) => PROBLEMS.has(kind));
  const trouble = problem === undefined ? "" : `; ${problem.phrase}`;
  const { state } = invocation;
  switch (state.status) {
    case "scheduled":
      return `starts at ${timestamp(state.startAtMs)}`;
    case "queued":
      return `has been queued since ${since} and waits for ${list(causes)}`;
    case "running":
      return runningClause(invocation, causes, attempt, since) + trouble;
    case "suspended":
      return `has been suspended since ${since} and waits for ${list(causes.filter(isAwaited))}${trouble}`;
    case "backing-off":
      return `waits since attempt ${invocation.retryCount} failed, and the next begins at ${timestamp(state.retryAtMs)}${lastFailureText(invocation)}${trouble}`;
    case "paused": {
      const mend = `PATCH /invocations/${invocationIdToString(invocation.id)}/resume`;
      return `has been paused since ${since}, because ${PAUSED_BECAUSE[state.reason]}${lastFailureText(invocation)}${trouble}. Mend the cause, then ${mend}`;
    }
    default:
      return `has had its result since ${since}`;
  }
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
    const place = causes.find(({ kind }) => kind === "endpoint")?.phrase ?? ROOM;
    return `has been ready to run since ${since} and waits for ${place}${after}${pausing}`;
  }
  const awaited = causes.filter(isAwaited);
  const verb = attempt.awaitingOn === null ? "may wait" : "waits";
  const waits = awaited.length === 0 ? "" : ` and ${verb} for ${list(awaited)}`;
  return `has run since ${since} on ${attempt.deploymentId}${waits}${after}${pausing}`;
}

const NOT_AWAITED: ReadonlySet<CauseKind> = new Set([
  ...PROBLEMS,
  "attempt",
  "deployment-draining",
  "pausing",
  "room",
  "endpoint",
]);

function isAwaited({ kind }: Cause): boolean {
  return !NOT_AWAITED.has(kind);
}

function list(causes: readonly Cause[]): string {
  const named = causes.slice(0, NAMED_MAX).map(({ phrase }) => phrase);
  const more = causes.length - named.length;
  const all = more > 0 ? [...named, `${more} more`] : named;
  const joint = causes.length > 1 && causes.every(({ isNeeded }) => isNeeded) ? "and" : "or";
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
