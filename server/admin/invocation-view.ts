/** An invocation as operators see it: what it does, since when, and why it does not go on. */
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import type { NotificationResult } from "../../sdk/protocol/messages.ts";
import { formatDurationMs } from "../base/duration.ts";
import { instanceOf, type Invocation, targetText } from "../machine/invocation.ts";
import type { Reader } from "../machine/tx.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import { eventView } from "./event-view.ts";
import { failureView } from "./failure-view.ts";
import { futureView } from "./future-view.ts";
import { resultOf } from "./result-of.ts";
import { rfc3339Nanos } from "../base/rfc3339.ts";
import type { View } from "./view.ts";
import { type AdminAttempts, whyView } from "./why.ts";

/** The newest so many are shown. */
const EVENTS_MAX = 20;

export function invocationView(reader: Reader, live: AdminAttempts, invocation: Invocation): View {
  const { id, target, state, pin, journal, caller, restartedFrom, trace } = invocation;
  const why = whyView({ reader, live, levels: 1 }, invocation);
  const attempt = live.of(invocation.seq);
  const events = reader.events(invocation.seq).slice(-EVENTS_MAX);
  const callerOf = caller === null ? undefined : reader.invocation(caller.seq);
  return {
    id: invocationIdToString(id),
    status: state.status,
    explanation: why["explanation"],
    target: targetText(target),
    target_service_name: target.service,
    target_handler_name: target.handler,
    target_service_key: target.key ?? undefined,
    kind: invocation.kind,
    idempotency_key: invocation.idempotencyKey ?? undefined,
    caller_id: callerOf === undefined ? undefined : invocationIdToString(callerOf.id),
    restarted_from: restartedFrom === null ? undefined : invocationIdToString(restartedFrom),
    trace_id: trace?.traceId,
    created_at: rfc3339Nanos(invocation.createdAtMs),
    modified_at: rfc3339Nanos(invocation.modifiedAtMs),
    ...timesOf(invocation),
    ...stateOf(reader, invocation),
    completion_retention: formatDurationMs(invocation.completionRetentionMs),
    journal_retention: formatDurationMs(invocation.journalRetentionMs),
    pinned_deployment_id: pin?.deploymentId,
    pinned_service_protocol_version: pin?.protocolVersion,
    attempt: attempt === undefined ? undefined : attemptView(invocation, attempt),
    retry_count: invocation.retryCount,
    last_failure: lastFailureView(invocation),
    waiting_for: state.status === "completed" ? undefined : why["causes"],
    journal_size: journal.length,
    journal_commands_size: journal.commands,
    is_journal_purged: invocation.isJournalPurged || undefined,
    events: events.length === 0 ? undefined : events.map((event) => eventView(id, event)),
  };
}

function timesOf({ startAtMs, queuedAtMs, runningAtMs, lastStartAtMs }: Invocation): View {
  return {
    scheduled_start_at: optionalTime(startAtMs),
    queued_at: optionalTime(queuedAtMs),
    running_at: optionalTime(runningAtMs),
    last_start_at: optionalTime(lastStartAtMs),
  };
}

function optionalTime(ms: number | null): string | undefined {
  return ms === null ? undefined : rfc3339Nanos(ms);
}

/** What belongs to its status alone. */
function stateOf(reader: Reader, invocation: Invocation): View {
  const { state, completionRetentionMs } = invocation;
  switch (state.status) {
    case "running":
      return { is_pausing: state.isPausing || undefined };
    case "queued":
      return { queue: queueView(reader, invocation) };
    case "backing-off":
      return { next_retry_at: rfc3339Nanos(state.retryAtMs) };
    case "paused":
      return { pause_reason: state.reason };
    case "completed":
      return {
        completed_at: rfc3339Nanos(state.completedAtMs),
        expires_at: rfc3339Nanos(state.completedAtMs + completionRetentionMs),
        ...resultView(resultOf(reader, invocation)),
      };
    default:
      return {};
  }
}

/** Nobody looks further back in a queue. */
const QUEUE_MAX = 1000;

function queueView(reader: Reader, invocation: Invocation): View | undefined {
  const instance = instanceOf(invocation);
  if (instance === null) return undefined;
  const at = reader.queue(instance, QUEUE_MAX).indexOf(invocation.seq);
  const holderSeq = reader.lockHolder(instance);
  const holder = holderSeq === undefined ? undefined : reader.invocation(holderSeq);
  return {
    key: instance.key,
    position: at < 0 ? undefined : at + 1,
    holder: holder === undefined ? undefined : invocationIdToString(holder.id),
  };
}

/** How it ended, without the value. */
function resultView(result: NotificationResult | null): View {
  if (result === null) return {};
  if (result.kind !== "failure") return { completion_result: "success" };
  const { code, message: text } = result.failure;
  return { completion_result: "failure", completion_failure: { code, message: text } };
}

function attemptView(
  { id }: Invocation,
  { epoch, deploymentId, sdkVersion, startedAtMs, awaitingOn }: LiveAttempt,
): View {
  return {
    epoch,
    deployment_id: deploymentId,
    sdk_version: sdkVersion ?? undefined,
    started_at: rfc3339Nanos(startedAtMs),
    awaiting_on: awaitingOn === null ? undefined : futureView(id, awaitingOn),
  };
}

function lastFailureView({ lastFailure }: Invocation): View | undefined {
  if (lastFailure === null) return undefined;
  return { ...failureView(lastFailure), at: rfc3339Nanos(lastFailure.atMs) };
}
