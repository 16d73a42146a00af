/** Calls and sends as clients read them. */
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import type { CallCommand, OneWayCallCommand } from "../../../sdk/protocol/messages.ts";
import { headersJson, payloadJson } from "./json-parts.ts";

/** What kind of target it is, by what is registered; undefined when nothing offers it any more. */
export type DescribeTarget = (service: string, handler: string) => TargetKind | undefined;

export interface TargetKind {
  readonly service: "SERVICE" | "VIRTUAL_OBJECT" | "WORKFLOW";
  readonly handler: "EXCLUSIVE" | "SHARED" | "WORKFLOW";
}

const HANDLER_TYPES = { EXCLUSIVE: "Exclusive", SHARED: "Shared", WORKFLOW: "Workflow" } as const;

/** The id of nothing: readers insist on an id, also while it is not known yet. */
const NO_ID = `inv_1${"0".repeat(33)}`;

/** The CLI shows nothing of a call without a whole context: bytes of ids, all zero. */
const NO_SPAN = {
  span_context: {
    trace_id: Array.from({ length: 16 }, () => 0),
    span_id: Array.from({ length: 8 }, () => 0),
    trace_flags: 0,
    is_remote: false,
    trace_state: "",
  },
};

export function callJson(
  command: CallCommand | OneWayCallCommand,
  callee: string | null,
  describe: DescribeTarget,
): object {
  const { name } = command;
  const request = {
    invocation_id: callee ?? NO_ID,
    invocation_target: targetOf(command, describe),
    span_context: NO_SPAN,
    parameter: payloadJson(command.parameter),
    headers: headersJson(command.headers),
    idempotency_key: command.idempotencyKey ?? null,
    // What applies is on the row of the invocation that it started.
    completion_retention_duration: { secs: 0, nanos: 0 },
    journal_retention_duration: { secs: 0, nanos: 0 },
  };
  const invocation_id_completion_id = command.invocationIdCompletionId;
  return command.type === MessageType.CallCommand
    ? {
        request,
        invocation_id_completion_id,
        result_completion_id: command.resultCompletionId,
        name,
      }
    : { request, invoke_time: command.invokeTimeMs, invocation_id_completion_id, name };
}

function targetOf(
  { service, handler, key }: CallCommand | OneWayCallCommand,
  describe: DescribeTarget,
): object {
  const kind = describe(service, handler);
  if (key === "" && (kind === undefined || kind.service === "SERVICE")) {
    return { Service: { name: service, handler, scope: null } };
  }
  const handler_ty = HANDLER_TYPES[kind?.handler ?? "EXCLUSIVE"];
  const keyed = { name: service, key, handler, handler_ty, scope: null };
  return kind?.service === "WORKFLOW" ? { Workflow: keyed } : { VirtualObject: keyed };
}
