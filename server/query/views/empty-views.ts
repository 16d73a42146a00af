/** Views of the flow control that Holdfast does not have: clients ask for them and find them empty. */
import { columnType } from "./column-type.ts";
import type { Column, View } from "./view.ts";

/** Name and columns, each `name:type`. */
const EMPTY: readonly (readonly [name: string, columns: string])[] = [
  ["sys_rules", "pattern:s concurrency:u32 description:s disabled:b version:u32 last_modified:ts"],
  [
    "sys_scheduler",
    "partition_key:u64 id:s num_inbox:u64 status:s head_entry_id:s scheduled_at:ts blocked_on:s blocked_on_json:s " +
      "invoker_concurrency_block_duration:dur throttling_rules_block_duration:dur " +
      "invoker_throttling_block_duration:dur invoker_memory_block_duration:dur concurrency_rules_block_duration:dur " +
      "lock_block_duration:dur deployment_concurrency_block_duration:dur",
  ],
  [
    "sys_user_limits",
    "partition_key:u64 scope:s l1:s l2:s level:s usage:u32 concurrency_limit:u32 rule_pattern:s available:u32 " +
      "num_waiters:u64",
  ],
  [
    "sys_vqueue_entry_status",
    "partition_key:u64 entry_id:s vqueue_id:s stage:s status:s has_lock:b next_at:ts sequence_number:u64 " +
      "entry_kind:s created_at:ts transitioned_at:ts num_attempts:u32 num_errors:u32 num_pauses:u32 " +
      "num_suspensions:u32 num_yields:u32 first_attempt_at:ts latest_attempt_at:ts first_runnable_at:ts deployment:s " +
      "needed_memory:u64 retry_attempts:u32 retry_count_since_last_stored_command:u32 " +
      "latest_attempt_blocked_on_invoker_concurrency:dur latest_attempt_blocked_on_throttling_rules:dur " +
      "latest_attempt_blocked_on_invoker_throttling:dur latest_attempt_blocked_on_invoker_memory:dur " +
      "latest_attempt_blocked_on_concurrency_rules:dur latest_attempt_blocked_on_lock:dur " +
      "latest_attempt_blocked_on_deployment_concurrency:dur total_blocked_on_invoker_concurrency:dur " +
      "total_blocked_on_throttling_rules:dur total_blocked_on_invoker_throttling:dur " +
      "total_blocked_on_invoker_memory:dur total_blocked_on_concurrency_rules:dur total_blocked_on_lock:dur " +
      "total_blocked_on_deployment_concurrency:dur",
  ],
  [
    "sys_vqueue_meta",
    "partition_key:u64 id:s is_active:b queue_is_paused:b service_name:s scope:s limit_key:s lock_name:s " +
      "created_at:ts last_enqueued_at:ts last_start_at:ts last_attempt_at:ts last_finish_at:ts avg_queue_duration:dur " +
      "avg_inbox_duration:dur avg_run_duration:dur avg_suspension_duration:dur avg_end_to_end_duration:dur " +
      "avg_blocked_on_concurrency_rules:dur avg_blocked_on_invoker_concurrency:dur " +
      "avg_blocked_on_invoker_throttling:dur avg_blocked_on_lock:dur num_inbox:u64 num_running:u64 num_suspended:u64 " +
      "num_paused:u64 num_finished:u64",
  ],
  [
    "sys_vqueues",
    "partition_key:u64 id:s stage:s status:s has_lock:b run_at:ts sequence_number:u64 entry_id:s entry_kind:s " +
      "created_at:ts transitioned_at:ts num_attempts:u32 num_errors:u32 num_pauses:u32 num_suspensions:u32 " +
      "num_yields:u32 first_attempt_at:ts latest_attempt_at:ts first_runnable_at:ts deployment:s",
  ],
];

export const EMPTY_VIEWS: readonly View[] = EMPTY.map(([name, columns]) => ({
  name,
  columns: columns.split(" ").map(emptyColumn),
  from: "(SELECT 1)",
  where: "0",
}));

function emptyColumn(column: string): Column {
  const [name = "", type = "s"] = column.split(":");
  return [name, columnType(type), "NULL"];
}
