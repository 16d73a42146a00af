/** Both sides of a determinism error (service protocol 8.12): the recorded command that the code no longer makes. */
import { decodeMessage } from "../../sdk/protocol/codec.ts";
import { isCommand, messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { AttemptFailure, Invocation, Mismatch } from "./invocation.ts";
import type { Step } from "./step.ts";

const MISMATCH = "RT0016";
/** Entries read at once: they may be large. */
const PAGE = 16;

/** The recorded command that a failure speaks of; null when it speaks of none, or of one that was never stored. */
export function mismatchOf(
  step: Step,
  { seq, journal }: Invocation,
  { errorCode, relatedCommandIndex: wanted }: AttemptFailure,
): Mismatch | null {
  if (errorCode !== MISMATCH || wanted === undefined || wanted >= journal.commands) return null;
  let commandIndex = -1;
  for (let from = 0; from < journal.length; from += PAGE) {
    for (const { index, type, body } of step.tx.entries(seq, from, from + PAGE)) {
      if (!isCommand(type)) continue;
      commandIndex += 1;
      if (commandIndex !== wanted) continue;
      const message = decodeMessage(type, body);
      const recordedName = "name" in message ? message.name : "";
      return { entryIndex: index, commandIndex, recordedType: type, recordedName };
    }
  }
  return null;
}

/** The failure with both sides named in its message: what an SDK says of them varies, and some mix them up. */
export function withMismatch(failure: AttemptFailure, mismatch: Mismatch): AttemptFailure {
  const { entryIndex, recordedType, recordedName } = mismatch;
  const { relatedCommandType: type, relatedCommandName: name = "" } = failure;
  const isSame = type === recordedType && name === recordedName;
  const now =
    type === undefined || isSame
      ? "the code did not come back to it"
      : `the code now makes ${named(type, name)}`;
  const both = `journal entry ${entryIndex} is ${named(recordedType, recordedName)}, and ${now}`;
  return { ...failure, message: `${both}: ${failure.message}`, mismatch };
}

function named(type: number, name: string): string {
  return name === "" ? messageTypeName(type) : `${messageTypeName(type)} '${name}'`;
}
