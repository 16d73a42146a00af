/** One thing that an invocation waits for, or that keeps it from going on. */
import type { Invocation } from "../machine/invocation.ts";
import type { View } from "./view.ts";

/**
 * - start-time: the time it was given to start
 * - key: its turn on the key of its object
 * - timer, invocation, promise, awakeable, signal, message, step, state: what its handler awaits; invocation is a call or an attach
 * - cancellation: nothing but being cancelled
 * - completion: a result whose command was not found
 * - attempt: its handler runs
 * - room: an attempt, when there is room for it
 * - held: an operator: this is a restored state of the past, and nothing begins before it is released
 * - endpoint: its deployment cannot be reached, and is tried by one attempt at a time
 * - pausing: it pauses when its attempt has ended
 * - retry: its next attempt, after one that failed
 * - paused: an operator
 * - deployment-missing, handler-missing: what it is pinned to is gone
 * - no-deployment: nothing offers its handler
 * - deployment-draining: it may finish there; for information
 */
export type CauseKind =
  | "start-time"
  | "key"
  | "timer"
  | "invocation"
  | "promise"
  | "awakeable"
  | "signal"
  | "message"
  | "step"
  | "state"
  | "cancellation"
  | "completion"
  | "attempt"
  | "room"
  | "held"
  | "endpoint"
  | "pausing"
  | "retry"
  | "paused"
  | "deployment-missing"
  | "handler-missing"
  | "no-deployment"
  | "deployment-draining";

export interface Cause {
  readonly kind: CauseKind;
  /** Stands in a sentence: "it waits for …", or by itself for what it does not wait for. */
  readonly phrase: string;
  readonly sinceMs: number | null;
  /** Without this it does not go on: there is no other way out than to be cancelled. */
  readonly isNeeded: boolean;
  /** False: its handler did not say what it awaits, and this may be it. */
  readonly isCertain: boolean;
  /** What stands beside it is awaited too: with any of them alone it does not go on, unless one fails. */
  readonly isJoint: boolean;
  readonly fields: View;
  readonly behind: Link | null;
}

/** To another invocation, which has to go on first. */
export interface Link {
  readonly by: "call" | "attach" | "key";
  /** Undefined when it is not known any more. */
  readonly invocation: Invocation | undefined;
}

export function cause(
  kind: CauseKind,
  phrase: string,
  more: Partial<Omit<Cause, "kind" | "phrase">> = {},
): Cause {
  const defaults = { isNeeded: false, isCertain: true, isJoint: false };
  return { kind, phrase, sinceMs: null, ...defaults, fields: {}, behind: null, ...more };
}
