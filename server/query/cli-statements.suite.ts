/** Statements as the `restate` CLI 1.7.12 sends them, captured from it; `json` is what it asks for. */
import { DEPLOYMENT, idText, WORLD } from "./world.suite.ts";

const completed = idText(WORLD.completed);
const backingOff = idText(WORLD.backingOff);

export interface CliStatement {
  readonly format: "json" | "arrow";
  readonly sql: string;
  /** Of the answer in the world of the tests. */
  readonly rows: number;
}

export const CLI_STATEMENTS: readonly CliStatement[] = [
  {
    format: "arrow",
    sql:
      "SELECT COUNT(*) FROM information_schema.columns WHERE table_name = 'sys_journal' AND column_name IN " +
      "('promise_name')",
    rows: 1,
  },
  {
    format: "arrow",
    sql:
      `SELECT COUNT(1) AS inv_count FROM sys_invocation_status WHERE pinned_deployment_id = '${DEPLOYMENT}' AND ` +
      "status != 'completed'",
    rows: 1,
  },
  {
    format: "arrow",
    sql:
      "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE inv.target_service_key IN " +
      `('k1') AND (inv.pinned_deployment_id IN ('${DEPLOYMENT}') OR inv.last_attempt_deployment_id IN ` +
      `('${DEPLOYMENT}')) AND status != 'completed'`,
    rows: 1,
  },
  {
    format: "arrow",
    sql:
      "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE inv.target_service_name IN " +
      "('Greeter') AND inv.target_handler_name IN ('multi') AND (inv.pinned_deployment_id IS NOT NULL AND " +
      "inv.pinned_deployment_id NOT IN (select id from sys_deployment)) AND status != 'completed'",
    rows: 1,
  },
  {
    format: "arrow",
    sql:
      "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE inv.target_service_name IN " +
      "(select name from sys_service where ty = 'virtual_object')",
    rows: 1,
  },
  {
    format: "arrow",
    sql: "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE status != 'completed'",
    rows: 1,
  },
  {
    format: "arrow",
    sql:
      "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE status = 'completed' AND " +
      "inv.completion_result = 'failure'",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT target_service_name as service_name, target_service_key as service_key, status as " +
      "invocation_status, first_value(id) as invocation_holding_lock, first_value(target_handler_name) as " +
      "invocation_method_holding_lock, first_value(created_at) as invocation_created_at, " +
      "first_value(modified_at) as modified_at, first_value(pinned_deployment_id) as pinned_deployment_id, " +
      "first_value(last_attempt_deployment_id) as last_attempt_deployment_id, first_value(last_failure) as " +
      "last_failure_message, first_value(next_retry_at) as next_retry_at, first_value(last_start_at) as " +
      "last_start_at, 0 as num_pending, sum(retry_count) as num_retries FROM sys_invocation WHERE status != " +
      "'pending' AND target_service_name IN ('Counter') GROUP BY target_service_name, target_service_key, status",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT target_service_name, target_handler_name, status, COUNT(1) as num_invocations, MIN(created_at) as " +
      "oldest_at, FIRST_VALUE(id ORDER BY created_at ASC) as oldest_invocation FROM sys_invocation WHERE " +
      "target_service_name IN ('Counter') GROUP BY target_service_name, target_handler_name, status ORDER BY " +
      "target_handler_name",
    rows: 2,
  },
  {
    format: "json",
    sql: `SELECT id FROM sys_invocation inv WHERE inv.id = '${backingOff}' LIMIT 1`,
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE inv.target_service_key IN ('k1') AND (inv.pinned_deployment_id IN " +
      `('${DEPLOYMENT}') OR inv.last_attempt_deployment_id IN ('${DEPLOYMENT}')) AND status != 'completed' ORDER ` +
      "BY inv.created_at DESC, inv.id LIMIT 100",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE inv.target_service_name = 'Counter' ORDER BY inv.created_at DESC, " +
      "inv.id LIMIT 5",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE inv.target_service_name IN ('Greeter') AND " +
      "inv.target_handler_name IN ('multi') AND (inv.pinned_deployment_id IS NOT NULL AND " +
      "inv.pinned_deployment_id NOT IN (select id from sys_deployment)) AND status != 'completed' ORDER BY " +
      "inv.created_at DESC, inv.id LIMIT 100",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE inv.target_service_name IN (select name from sys_service where ty " +
      "= 'virtual_object') ORDER BY inv.created_at DESC, inv.id LIMIT 100",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE status != 'completed' ORDER BY inv.created_at DESC, inv.id LIMIT " +
      "100",
    rows: 8,
  },
  {
    format: "json",
    sql:
      "SELECT id FROM sys_invocation inv WHERE status = 'completed' AND inv.completion_result = 'failure' ORDER " +
      "BY inv.created_at DESC, inv.id LIMIT 100",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT id, is_active, queue_is_paused, service_name, scope, limit_key, lock_name, created_at, " +
      "last_enqueued_at, last_start_at, last_attempt_at, last_finish_at, num_inbox, num_running, num_suspended, " +
      "num_paused, num_finished FROM sys_vqueue_meta LIMIT 100",
    rows: 0,
  },
  {
    format: "json",
    sql:
      "SELECT id, target FROM sys_invocation_status WHERE ((target = 'Greeter/multi' AND target_service_ty = " +
      "'service') OR (target LIKE 'Greeter/multi/%' AND target_service_ty != 'service')) AND status != " +
      "'completed' LIMIT 500",
    rows: 5,
  },
  {
    format: "json",
    sql:
      `SELECT id, target FROM sys_invocation_status WHERE id = '${completed}' AND status IN ('paused', ` +
      "'invoked', 'suspended') LIMIT 500",
    rows: 0,
  },
  {
    format: "json",
    sql:
      "SELECT id, target FROM sys_invocation_status WHERE target LIKE 'Counter/k1/add' AND status = 'completed' " +
      "LIMIT 500",
    rows: 0,
  },
  {
    format: "json",
    sql:
      "SELECT id, target FROM sys_invocation_status WHERE target LIKE 'Greeter/%' AND status != 'completed' " +
      "LIMIT 500",
    rows: 5,
  },
  {
    format: "json",
    sql:
      "SELECT id, target FROM sys_invocation_status WHERE target LIKE 'Greeter/%' AND status IN ('invoked', " +
      "'suspended') LIMIT 500",
    rows: 3,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      `inv.pinned_deployment_id WHERE inv.id = '${backingOff}' AND inv.id in ('${backingOff}')`,
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE inv.target_service_key IN ('k1') AND (inv.pinned_deployment_id IN " +
      `('${DEPLOYMENT}') OR inv.last_attempt_deployment_id IN ('${DEPLOYMENT}')) AND status != 'completed' AND ` +
      "inv.id in ('inv_10000029gGYn6g5zBq13FJ2twpyAQp2sU0') ORDER BY inv.created_at DESC, inv.id",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE inv.target_service_name = 'Counter' AND inv.id in " +
      "('inv_10000029gGYn6g5zBq13FJ2twpyAQp2sU0','inv_1000003ByZYs6g5zBq13FJ2tr5x4uBmLIY') ORDER BY " +
      "inv.created_at DESC, inv.id",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE inv.target_service_name IN ('Greeter') AND inv.target_handler_name IN " +
      "('multi') AND (inv.pinned_deployment_id IS NOT NULL AND inv.pinned_deployment_id NOT IN (select id from " +
      "sys_deployment)) AND status != 'completed' AND inv.id in ('inv_1000002vkmiJ6g5zBq13FJ2tMnD9TO3yr6') ORDER " +
      "BY inv.created_at DESC, inv.id",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE inv.target_service_name IN (select name from sys_service where ty = " +
      "'virtual_object') AND inv.id in " +
      "('inv_10000029gGYn6g5zBq13FJ2twpyAQp2sU0','inv_1000003ByZYs6g5zBq13FJ2tr5x4uBmLIY') ORDER BY " +
      "inv.created_at DESC, inv.id",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE status != 'completed' AND inv.id in " +
      `('inv_1cSktjbKzP4j40HPiUbKSfrH18FxSmvYzH','inv_1000004ixnWK6g5zBq13FJ2tX1GcBpoWNa','inv_1000002vkmiJ6g5zBq13FJ2tMnD9TO3yr6','${backingOff}','inv_1000000I73xz6g5zBq13FJ2tBJA7ccIa52','inv_10000029gGYn6g5zBq13FJ2twpyAQp2sU0','inv_1000003ByZYs6g5zBq13FJ2tr5x4uBmLIY','inv_1000000m3Fkm6g5zBq13FJ2tlLvy8NH4xW') ` +
      "ORDER BY inv.created_at DESC, inv.id",
    rows: 8,
  },
  {
    format: "json",
    sql:
      "SELECT inv.id, inv.target, inv.target_service_ty, inv.idempotency_key, inv.status, inv.created_at, " +
      "inv.modified_at as state_modified_at, inv.pinned_deployment_id, inv.retry_count as num_retries, " +
      "inv.last_failure as last_failure_message, inv.last_failure_related_entry_index as " +
      "last_failure_entry_index, inv.last_failure_related_entry_name as last_failure_entry_name, " +
      "inv.last_failure_related_entry_type as last_failure_entry_ty, inv.last_attempt_deployment_id, " +
      "inv.last_attempt_server, inv.next_retry_at, inv.last_start_at, inv.invoked_by_id, inv.invoked_by_target, " +
      "inv.trace_id, inv.completion_result, inv.completion_failure, dp.id IS NOT NULL as " +
      "pinned_deployment_exists FROM sys_invocation inv LEFT JOIN sys_deployment dp ON dp.id = " +
      "inv.pinned_deployment_id WHERE status = 'completed' AND inv.completion_result = 'failure' AND inv.id in " +
      "('inv_100000132klF6g5zBq13FJ2tRHEGfBJfC8') ORDER BY inv.created_at DESC, inv.id",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT pattern, concurrency, description, disabled, version, last_modified FROM sys_rules ORDER BY " +
      "pattern",
    rows: 0,
  },
  {
    format: "json",
    sql:
      "SELECT service_name, service_key, COUNT(1) as num_pending FROM sys_inbox WHERE service_name IN " +
      "('Counter') GROUP BY service_name, service_key ORDER BY num_pending DESC",
    rows: 1,
  },
  {
    format: "json",
    sql: "SELECT service_name, service_key, key, value FROM state WHERE service_name = 'Counter'",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT service_name, service_key, key, value FROM state WHERE service_name = 'Counter' AND service_key = " +
      "'k1'",
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT sj.index, sj.entry_type, sj.completed, sj.invoked_id, sj.invoked_target, sj.sleep_wakeup_at, " +
      "sj.name, sj.promise_name, sj.version, sj.entry_json, sj.appended_at FROM sys_journal sj WHERE sj.id = " +
      `'${backingOff}' ORDER BY index DESC LIMIT 100`,
    rows: 2,
  },
  {
    format: "json",
    sql:
      "SELECT target_service_name as service, target_handler_name as handler, COUNT(1) AS inv_count FROM " +
      `sys_invocation_status WHERE pinned_deployment_id = '${DEPLOYMENT}' AND status != 'completed' GROUP BY ` +
      "pinned_deployment_id, target_service_name, target_handler_name",
    rows: 1,
  },
  {
    format: "json",
    sql:
      "SELECT target_service_name, target_handler_name, 'pending' as status, COUNT(1) as num_invocations, " +
      "MIN(created_at) as oldest_at, FIRST_VALUE(id ORDER BY created_at ASC) as oldest_invocation FROM " +
      "sys_invocation_status WHERE status == 'inboxed' AND target_service_name IN ('Counter') GROUP BY " +
      "target_service_name, target_handler_name",
    rows: 1,
  },
  {
    format: "json",
    sql: "select key, value from state where service_name = 'Counter' and service_key = 'k1' ;",
    rows: 2,
  },
];
