/** Events of a journal as clients read them. */
import type { JournalEventKind } from "../../machine/event.ts";
import type { AttemptFailure } from "../../machine/invocation.ts";
import { commandName } from "./entry-names.ts";
import { futureJson } from "./future-json.ts";
import { parseJson } from "./parse-json.ts";
import type { SqlArgument } from "./sql-argument.ts";

type EventOf<K extends JournalEventKind["kind"]> = Extract<JournalEventKind, { kind: K }>;

/** `kind` is its number in the schema; `body` was written with the fields of that very kind. */
export function eventText(kind: SqlArgument, body: SqlArgument): string | null {
  return typeof body === "string" ? JSON.stringify(eventJson(kind, body)) : null;
}

function eventJson(kind: SqlArgument, body: string): object | null {
  switch (kind) {
    case 0: {
      const { failure } = parseJson<EventOf<"attempt-failed">>(body);
      return { ty: "TransientError", ...failureJson(failure) };
    }
    case 1: {
      const { awaiting } = parseJson<EventOf<"suspended">>(body);
      return { ty: "Suspended", awaiting_on: futureJson(awaiting) };
    }
    case 2: {
      const { reason, lastFailure } = parseJson<EventOf<"paused">>(body);
      const failure = lastFailure === null ? {} : { last_failure: failureJson(lastFailure) };
      return { ty: "Paused", reason, ...failure };
    }
    case 3:
      return { ty: "Resumed", deployment_id: parseJson<EventOf<"resumed">>(body).deploymentId };
    default:
      return null;
  }
}

function failureJson(failure: AttemptFailure): object {
  const { relatedCommandIndex, relatedCommandName, relatedCommandType, mismatch } = failure;
  return {
    error_code: failure.code,
    error_message: failure.message,
    // JSON leaves out what is undefined.
    error_stacktrace: failure.stacktrace,
    restate_doc_error_code: failure.errorCode,
    related_command_index: relatedCommandIndex,
    related_command_name: relatedCommandName,
    related_command_type:
      relatedCommandType === undefined ? undefined : commandName(relatedCommandType),
    mismatch:
      mismatch === undefined
        ? undefined
        : {
            entry_index: mismatch.entryIndex,
            command_index: mismatch.commandIndex,
            recorded_type: commandName(mismatch.recordedType),
            recorded_name: mismatch.recordedName,
          },
  };
}
