/** Why an attempt failed, as operators see it; pure. */
import { messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { AttemptFailure } from "../machine/invocation.ts";
import type { View } from "./view.ts";

export function failureView(failure: AttemptFailure): View {
  return {
    code: failure.code,
    error_code: failure.errorCode,
    message: failure.message,
    stacktrace: failure.stacktrace,
    related_command_index: failure.relatedCommandIndex,
    related_command_name: failure.relatedCommandName,
    related_command_type: typeText(failure.relatedCommandType),
    mismatch: mismatchView(failure),
  };
}

/** Both sides of what was not the same: what the journal has, and what the code did now. */
function mismatchView(failure: AttemptFailure): View | undefined {
  const { mismatch, relatedCommandType, relatedCommandName } = failure;
  if (mismatch === undefined) return undefined;
  return {
    entry_index: mismatch.entryIndex,
    command_index: mismatch.commandIndex,
    recorded: { type: typeText(mismatch.recordedType), name: mismatch.recordedName },
    attempted: { type: typeText(relatedCommandType), name: relatedCommandName },
  };
}

function typeText(type: number | undefined): string | undefined {
  return type === undefined ? undefined : messageTypeName(type);
}

/** Code, message and, where it is known, the command it happened in. */
export function failureText(failure: AttemptFailure): string {
  const { errorCode, message, relatedCommandName: name, relatedCommandType } = failure;
  const type = typeText(relatedCommandType);
  const named = name === undefined || name === "" ? "" : ` '${name}'`;
  return type === undefined
    ? `${errorCode} ${message}`
    : `${errorCode} ${message} (at ${type}${named})`;
}
