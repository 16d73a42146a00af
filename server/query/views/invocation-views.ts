/**
 * The views with a row an invocation. `i` is its row; `l`, where there is one, its attempt in flight, which the server hands over
 * with the query. Subqueries are run for the columns that a query asks for alone.
 */
import type { Variant } from "./variants.ts";
import { storedBytes } from "./stored-bytes.ts";
import type { Column, View } from "./view.ts";

const ID = "inv_id(i.partition_key, i.uuid)";
const COMMANDS = "type BETWEEN 1024 AND 32767";

const KEY: readonly Column[] = [["partition_key", "u64", "partition_number(i.partition_key)"]];

const STATUS =
  "CASE i.status WHEN 0 THEN 'scheduled' WHEN 6 THEN 'inboxed' WHEN 1 THEN 'invoked' WHEN 3 THEN 'invoked' " +
  "WHEN 2 THEN 'suspended' WHEN 4 THEN 'paused' WHEN 5 THEN 'completed' END";

const LIVE_STATUS =
  "CASE i.status WHEN 0 THEN 'scheduled' WHEN 6 THEN 'pending' " +
  "WHEN 1 THEN CASE WHEN l.seq IS NULL THEN 'ready' ELSE 'running' END WHEN 3 THEN 'backing-off' " +
  "WHEN 2 THEN 'suspended' WHEN 4 THEN 'paused' WHEN 5 THEN 'completed' END";

const FAILURE = `(SELECT output_failure(${storedBytes("o", "body")}) FROM main.journal o WHERE o.invocation = i.seq AND o.idx = i.output_index)`;

const RESULT: readonly Column[] = [
  [
    "completion_result",
    "s",
    `CASE WHEN i.status = 5 THEN CASE WHEN ${FAILURE} IS NULL THEN 'success' ELSE 'failure' END END`,
  ],
  ["completion_failure", "s", `CASE WHEN i.status = 5 THEN ${FAILURE} END`],
];

const ofCaller = (sql: string) =>
  `(SELECT ${sql} FROM main.invocation c WHERE c.seq = i.caller_seq)`;

const TARGET: readonly Column[] = [
  ["target", "s", "i.service || '/' || coalesce(i.key || '/', '') || i.handler"],
  ["target_service_name", "s", "i.service"],
  ["target_service_key", "s", "i.key"],
  ["target_handler_name", "s", "i.handler"],
  [
    "target_service_ty",
    "s",
    "CASE WHEN i.kind = 0 THEN 'service' WHEN i.kind < 3 THEN 'virtual_object' ELSE 'workflow' END",
  ],
  ["scope", "s", "NULL"],
  ["limit_key", "s", "NULL"],
  ["idempotency_key", "s", "i.idempotency_key"],
];

const INVOKED_BY: Column = [
  "invoked_by",
  "s",
  "CASE WHEN i.restarted_from IS NOT NULL THEN 'restart_as_new' " +
    "WHEN i.caller_seq IS NOT NULL THEN 'service' ELSE 'ingress' END",
];
const CALLER_SERVICE: Column = ["invoked_by_service_name", "s", ofCaller("c.service")];
const CALLER: readonly Column[] = [
  ["invoked_by_id", "s", ofCaller("inv_id(c.partition_key, c.uuid)")],
  ["invoked_by_subscription_id", "s", "NULL"],
];
const ORIGIN: readonly Column[] = [
  [
    "invoked_by_target",
    "s",
    ofCaller("c.service || '/' || coalesce(c.key || '/', '') || c.handler"),
  ],
  ["restarted_from", "s", "inv_id(substr(i.restarted_from, 1, 8), substr(i.restarted_from, 9))"],
];

const ENTRIES = "SELECT count(*) FROM main.journal j WHERE j.invocation = i.seq";

const DURABLE: readonly Column[] = [
  ["pinned_deployment_id", "s", "i.pin_deployment_id"],
  ["pinned_service_protocol_version", "u32", "i.pin_protocol_version"],
  ["trace_id", "s", "substr(i.traceparent, 4, 32)"],
  ["journal_size", "u32", `(${ENTRIES})`],
  ["journal_commands_size", "u32", `(${ENTRIES} AND j.${COMMANDS})`],
  ["created_at", "ts", "i.created_at_ms"],
  ["created_using_restate_version", "s", "server_version()"],
  ["modified_at", "ts", "i.modified_at_ms"],
  ["inboxed_at", "ts", "i.queued_at_ms"],
  ["scheduled_at", "ts", "CASE WHEN i.start_at_ms IS NOT NULL THEN i.created_at_ms END"],
  ["scheduled_start_at", "ts", "i.start_at_ms"],
  ["running_at", "ts", "i.running_at_ms"],
  ["completed_at", "ts", "i.completed_at_ms"],
  ["completion_retention", "dur", "i.completion_retention_ms"],
  ["journal_retention", "dur", "i.journal_retention_ms"],
  ["suspended_waiting_for_completions", "u32[]", "awaited_completions(i.awaiting)"],
  ["suspended_waiting_for_signals", "u32[]", "awaited_signals(i.awaiting)"],
  ["suspended_waiting_future_json", "s", "future_json(i.awaiting)"],
];

/** What is known of attempts is shown until the invocation is over; while it is suspended there is none. */
const attempts = (sql: string) => `CASE WHEN i.status IN (1, 3, 4) THEN ${sql} END`;

/** The place of the command in the journal; a failure before it was stored has none. */
const FAILED_ENTRY =
  "(SELECT n.idx FROM (SELECT j.idx, row_number() OVER (ORDER BY j.idx) - 1 AS number FROM main.journal j " +
  `WHERE j.invocation = i.seq AND j.${COMMANDS}) n WHERE n.number = i.failure_command_index)`;
const hasCommand = (sql: string) =>
  attempts(`CASE WHEN i.failure_command_index IS NOT NULL THEN ${sql} END`);

const RETRY_COUNT: Column = ["retry_count", "u64", attempts("i.retry_count + (l.seq IS NOT NULL)")];
const LAST_START: Column = [
  "last_start_at",
  "ts",
  attempts("coalesce(l.started_at_ms, i.last_start_at_ms)"),
];
const NEXT_RETRY: Column = ["next_retry_at", "ts", "CASE WHEN i.status = 3 THEN i.retry_at_ms END"];
const LAST_DEPLOYMENT: Column = [
  "last_attempt_deployment_id",
  "s",
  attempts(
    "coalesce(l.deployment_id, CASE WHEN i.last_start_at_ms IS NOT NULL THEN i.pin_deployment_id END)",
  ),
];
const LAST_SERVER: Column = ["last_attempt_server", "s", "l.server"];
const LAST_FAILURE: readonly Column[] = [
  [
    "last_failure",
    "s",
    attempts("failure_text(i.failure_code, i.failure_message, i.failure_stacktrace)"),
  ],
  ["last_failure_error_code", "s", attempts("i.failure_error_code")],
];
const FAILED_ENTRY_COLUMNS: readonly Column[] = [
  ["last_failure_related_entry_index", "u64", hasCommand(FAILED_ENTRY)],
  ["last_failure_related_entry_name", "s", hasCommand("i.failure_command_name")],
  ["last_failure_related_entry_type", "s", hasCommand("command_name(i.failure_command_type)")],
];
const FAILED_COMMAND_COLUMNS: readonly Column[] = [
  ["last_failure_related_command_index", "u64", attempts("i.failure_command_index")],
  ["last_failure_related_command_name", "s", attempts("i.failure_command_name")],
  ["last_failure_related_command_type", "s", attempts("command_name(i.failure_command_type)")],
];
const AWAITING_ON: Column = ["last_awaiting_on_future_json", "s", "future_json(l.awaiting)"];

const LIVE = 'LEFT JOIN temp."live attempts" l ON l.seq = i.seq AND l.epoch = i.epoch';
const SOURCES: Readonly<Record<Variant | "all", string>> = {
  all: "main.invocation i",
  ids: 'temp."picked ids" p CROSS JOIN main.invocation i ON i.seq = p.seq',
  // The index holds both columns: what is not open is not read.
  open:
    "(SELECT seq FROM main.invocation INDEXED BY invocation_open WHERE status <> 5) p " +
    "CROSS JOIN main.invocation i ON i.seq = p.seq",
};

const VQUEUE: Column = ["vqueue_id", "s", "NULL"];

/** Over all invocations, or over those of a variant. */
export function sysInvocation(rows: Variant | "all"): View {
  return {
    name: "sys_invocation",
    columns: [
      ["id", "s", ID],
      VQUEUE,
      ...TARGET,
      INVOKED_BY,
      CALLER_SERVICE,
      ...CALLER,
      ...ORIGIN,
      ...DURABLE,
      RETRY_COUNT,
      LAST_START,
      NEXT_RETRY,
      LAST_DEPLOYMENT,
      LAST_SERVER,
      ...LAST_FAILURE,
      ...FAILED_ENTRY_COLUMNS,
      ...FAILED_COMMAND_COLUMNS,
      AWAITING_ON,
      ["status", "s", LIVE_STATUS],
      ...RESULT,
    ],
    from: `${SOURCES[rows]} ${LIVE}`,
  };
}

export function sysInvocationStatus(rows: Variant | "all"): View {
  return {
    name: "sys_invocation_status",
    columns: [
      ...KEY,
      ["id", "s", ID],
      VQUEUE,
      ["status", "s", STATUS],
      ...RESULT,
      ...TARGET,
      INVOKED_BY,
      ...CALLER,
      CALLER_SERVICE,
      ...ORIGIN,
      ...DURABLE,
    ],
    from: SOURCES[rows],
  };
}

export function sysInvocationState(rows: Variant | "all"): View {
  return {
    name: "sys_invocation_state",
    columns: [
      ...KEY,
      ["id", "s", ID],
      ["in_flight", "b", "l.seq IS NOT NULL"],
      RETRY_COUNT,
      LAST_START,
      LAST_DEPLOYMENT,
      LAST_SERVER,
      NEXT_RETRY,
      ...LAST_FAILURE,
      ...FAILED_COMMAND_COLUMNS,
      ...FAILED_ENTRY_COLUMNS,
      AWAITING_ON,
    ],
    from: `${rows === "all" ? SOURCES.open : SOURCES[rows]} ${LIVE}`,
    where: "i.status IN (1, 3, 4)",
  };
}
