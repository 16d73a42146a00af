/** Why the last attempt of an invocation failed, as columns; all NULL when it did not. */
import { present } from "../base/assert.ts";
import type { Invocation, Mismatch } from "../machine/invocation.ts";
import { fromJson, type Json, toJson } from "./json.ts";

export const FAILURE_COLUMNS = [
  "failure_at_ms",
  "failure_code",
  "failure_error_code",
  "failure_message",
  "failure_stacktrace",
  "failure_command_index",
  "failure_command_name",
  "failure_command_type",
  "failure_mismatch",
] as const;

/** Values of `FAILURE_COLUMNS`. */
export type FailureValues = [
  atMs: number | null,
  code: number | null,
  errorCode: string | null,
  message: string | null,
  stacktrace: string | null,
  commandIndex: number | null,
  commandName: string | null,
  commandType: number | null,
  mismatch: Json<Mismatch> | null,
];

const NO_FAILURE: FailureValues = [null, null, null, null, null, null, null, null, null];

export function failureValues(failure: Invocation["lastFailure"]): FailureValues {
  if (failure === null) return NO_FAILURE;
  return [
    failure.atMs,
    failure.code,
    failure.errorCode,
    failure.message,
    failure.stacktrace ?? null,
    failure.relatedCommandIndex ?? null,
    failure.relatedCommandName ?? null,
    failure.relatedCommandType ?? null,
    failure.mismatch === undefined ? null : toJson(failure.mismatch),
  ];
}

export function failureOf(values: FailureValues): Invocation["lastFailure"] {
  const [atMs, code, errorCode, message, stacktrace, index, name, type, mismatch] = values;
  if (atMs === null) return null;
  return {
    atMs,
    code: present(code, "failure code"),
    errorCode: present(errorCode, "error code"),
    message: present(message, "failure message"),
    ...(stacktrace === null ? {} : { stacktrace }),
    ...(index === null ? {} : { relatedCommandIndex: index }),
    ...(name === null ? {} : { relatedCommandName: name }),
    ...(type === null ? {} : { relatedCommandType: type }),
    ...(mismatch === null ? {} : { mismatch: fromJson(mismatch) }),
  };
}
