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

/** More of a message does not stand in a sentence; the whole of it is a field of its own. */
const MESSAGE_LENGTH_MAX = 500;

/** In one line: code, message and, where it is known, the command it happened in; of a mismatch both sides. */
export function failureText(failure: AttemptFailure): string {
  const { errorCode, message, relatedCommandType: type, relatedCommandName: name } = failure;
  const sides = sidesText(failure);
  if (sides !== null) return `${errorCode} ${sides}`;
  const place = type === undefined ? "" : ` (at ${commandText(type, name)})`;
  return `${errorCode} ${oneLine(message)}${place}`;
}

/** A message as part of a sentence. */
export function oneLine(message: string): string {
  const line = message.replaceAll(/\s*\n\s*/g, " ");
  return line.length > MESSAGE_LENGTH_MAX ? `${line.slice(0, MESSAGE_LENGTH_MAX)}…` : line;
}

/** Null where the two sides are not told, or look the same: what the SDK says then knows more. */
function sidesText({ mismatch, ...attempted }: AttemptFailure): string | null {
  const { relatedCommandType: type, relatedCommandName: name } = attempted;
  if (mismatch === undefined || type === undefined) return null;
  const recorded = commandText(mismatch.recordedType, mismatch.recordedName);
  const done = commandText(type, name);
  if (recorded === done) return null;
  return `the journal holds ${recorded} at entry ${mismatch.entryIndex}, and the code now does ${done}`;
}

function commandText(type: number, name: string | undefined): string {
  return name === undefined || name === ""
    ? messageTypeName(type)
    : `${messageTypeName(type)} '${name}'`;
}
