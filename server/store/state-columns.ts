/** What an invocation is doing, as columns. A state that has no such field leaves the column NULL. */
import { present, unreachable } from "../base/assert.ts";
import type { InvocationState, InvocationStatus, PauseReason } from "../machine/invocation.ts";
import { fromJson, type Json, toJson } from "./json.ts";
import type { Future } from "../../sdk/protocol/messages.ts";

/** The place of a status is its number in the schema. */
const STATUSES: readonly InvocationStatus[] = [
  "scheduled",
  "running",
  "suspended",
  "backing-off",
  "paused",
  "completed",
  "queued",
];

export function statusCode(status: InvocationStatus): number {
  return STATUSES.indexOf(status);
}

export function statusOf(code: number): InvocationStatus {
  return present(STATUSES[code], `status ${code}`);
}

export const STATE_COLUMNS = [
  "status",
  "queue_position",
  "is_pausing",
  "awaiting",
  "retry_at_ms",
  "pause_reason",
  "completed_at_ms",
  "output_index",
] as const;

/** Values of `STATE_COLUMNS`. */
export type StateValues = [
  status: number,
  queuePosition: number | null,
  isPausing: number | null,
  awaiting: Json<Future> | null,
  retryAtMs: number | null,
  pauseReason: PauseReason | null,
  completedAtMs: number | null,
  outputIndex: number | null,
];

export function stateValues(state: InvocationState): StateValues {
  const code = statusCode(state.status);
  switch (state.status) {
    case "scheduled":
      // Its start time is one of the fixed columns.
      return [code, null, null, null, null, null, null, null];
    case "queued":
      return [code, state.position, null, null, null, null, null, null];
    case "running":
      return [code, null, Number(state.isPausing), null, null, null, null, null];
    case "suspended":
      return [code, null, null, toJson(state.awaiting), null, null, null, null];
    case "backing-off":
      return [code, null, null, null, state.retryAtMs, null, null, null];
    case "paused":
      return [code, null, null, null, null, state.reason, null, null];
    case "completed":
      return [code, null, null, null, null, null, state.completedAtMs, state.outputIndex];
    default:
      return unreachable(state);
  }
}

export function stateOf(values: StateValues, startAtMs: number | null): InvocationState {
  const [code, position, isPausing, awaiting, retryAtMs, reason, completedAtMs, output] = values;
  const status = statusOf(code);
  switch (status) {
    case "scheduled":
      return { status, startAtMs: present(startAtMs, "start time") };
    case "queued":
      return { status, position: present(position, "queue position") };
    case "running":
      return { status, isPausing: present(isPausing, "whether it is to pause") === 1 };
    case "suspended":
      return { status, awaiting: fromJson(present(awaiting, "what it awaits")) };
    case "backing-off":
      return { status, retryAtMs: present(retryAtMs, "retry time") };
    case "paused":
      return { status, reason: present(reason, "pause reason") };
    case "completed":
      return {
        status,
        completedAtMs: present(completedAtMs, "completion time"),
        outputIndex: present(output, "output index"),
      };
    default:
      return unreachable(status);
  }
}
