/** An invocation as operators see it: what it does, since when, and why it does not go on. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { Invocation } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { View } from "./service-view.ts";
import { timestamp } from "./timestamp.ts";
import { waitingView } from "./waiting.ts";

export function invocationView(reader: Reader, invocation: Invocation): View {
  const { id, target, state, pin, journal } = invocation;
  return {
    id: invocationIdToString(id),
    status: state.status,
    explanation: explain(invocation),
    target: targetText(invocation),
    target_service_name: target.service,
    target_handler_name: target.handler,
    target_service_key: target.key ?? undefined,
    idempotency_key: invocation.idempotencyKey ?? undefined,
    created_at: timestamp(invocation.createdAtMs),
    modified_at: timestamp(invocation.modifiedAtMs),
    ...timesOf(invocation),
    pinned_deployment_id: pin?.deploymentId,
    pinned_service_protocol_version: pin?.protocolVersion,
    retry_count: invocation.retryCount,
    last_failure: failureView(invocation),
    waiting_for:
      state.status === "suspended" ? waitingView(reader, invocation, state.awaiting) : undefined,
    journal_size: journal.length,
    journal_commands_size: journal.commands,
  };
}

function targetText({ target: { service, key, handler } }: Invocation): string {
  return key === null ? `${service}/${handler}` : `${service}/${key}/${handler}`;
}

function timesOf({ state, retentionMs }: Invocation): View {
  switch (state.status) {
    case "scheduled":
      return { scheduled_start_at: timestamp(state.startAtMs) };
    case "backing-off":
      return { next_retry_at: timestamp(state.retryAtMs) };
    case "completed":
      return {
        completed_at: timestamp(state.completedAtMs),
        expires_at: timestamp(state.completedAtMs + retentionMs),
      };
    default:
      return {};
  }
}

function failureView({ lastFailure }: Invocation): View | undefined {
  if (lastFailure === null) return undefined;
  const { relatedCommandType: type } = lastFailure;
  return {
    code: lastFailure.code,
    error_code: lastFailure.errorCode,
    message: lastFailure.message,
    stacktrace: lastFailure.stacktrace,
    at: timestamp(lastFailure.atMs),
    related_command_index: lastFailure.relatedCommandIndex,
    related_command_name: lastFailure.relatedCommandName,
    related_command_type: type === undefined ? undefined : messageTypeName(type),
  };
}

/** One sentence on what it does now and what would make it go on. */
function explain(invocation: Invocation): string {
  const { state, retryCount, lastFailure } = invocation;
  const cause = lastFailure === null ? "" : `: ${lastFailure.errorCode} ${lastFailure.message}`;
  switch (state.status) {
    case "scheduled":
      return `starts at ${timestamp(state.startAtMs)}`;
    case "running":
      return lastFailure === null
        ? "an attempt is running or about to start"
        : `an attempt is running or about to start, after ${retryCount} failed${cause}`;
    case "suspended":
      return "no attempt is running; it goes on with the first result in waiting_for";
    case "backing-off":
      return `attempt ${retryCount} failed and the next begins at ${timestamp(state.retryAtMs)}${cause}`;
    case "paused":
      return `paused after ${retryCount} failed attempts${cause}. Mend the cause, then PATCH /invocations/${invocationIdToString(invocation.id)}/resume`;
    default:
      return "it has its result";
  }
}
