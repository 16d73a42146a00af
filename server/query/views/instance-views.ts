/** The views over objects and workflows (their state, promises, locks and queues), and over what is registered. */
import { storedBytes, storedLength } from "./stored-bytes.ts";
import type { Column, View } from "./view.ts";

const partitionKey = (table: string): Column => [
  "partition_key",
  "u64",
  `partition_of(${table}.service, ${table}.key)`,
];
const ID = "inv_id(i.partition_key, i.uuid)";

const STATE: View = {
  name: "state",
  columns: [
    partitionKey("s"),
    ["scope", "s", "NULL"],
    ["service_name", "s", "s.service"],
    ["service_key", "s", "s.key"],
    ["key", "s", "CAST(s.name AS TEXT)"],
    ["key_length", "u64", "length(s.name)"],
    ["value_utf8", "s", `utf8_text(${storedBytes("s", "value")})`],
    ["value", "bin", storedBytes("s", "value")],
    ["value_length", "u64", storedLength("s", "value")],
  ],
  from: "main.state s",
};

const SYS_PROMISE: View = {
  name: "sys_promise",
  columns: [
    partitionKey("p"),
    ["scope", "s", "NULL"],
    ["service_name", "s", "p.service"],
    ["service_key", "s", "p.key"],
    ["key", "s", "p.name"],
    ["completed", "b", "p.completed"],
    ["completion_success_value", "bin", storedBytes("p", "value")],
    ["completion_success_value_utf8", "s", `utf8_text(${storedBytes("p", "value")})`],
    [
      "completion_failure",
      "s",
      "'[' || (p.failure ->> 'code') || '] ' || (p.failure ->> 'message')",
    ],
  ],
  // A promise that somebody waits for exists as well.
  from:
    "(SELECT service, key, name, value, blob, failure, 1 AS completed FROM main.promise UNION ALL " +
    "SELECT DISTINCT service, key, name, NULL, NULL, NULL, 0 FROM main.promise_listener w WHERE NOT EXISTS " +
    "(SELECT 1 FROM main.promise q WHERE q.service = w.service AND q.key = w.key AND q.name = w.name)) p",
};

const SYS_INBOX: View = {
  name: "sys_inbox",
  columns: [
    partitionKey("q"),
    ["service_name", "s", "q.service"],
    ["service_key", "s", "q.key"],
    ["id", "s", ID],
    ["sequence_number", "u64", "q.position"],
    ["created_at", "ts", "i.created_at_ms"],
  ],
  from: "main.queue q JOIN main.invocation i ON i.seq = q.seq",
};

const SYS_KEYED_SERVICE_STATUS: View = {
  name: "sys_keyed_service_status",
  columns: [
    partitionKey("k"),
    ["service_name", "s", "k.service"],
    ["service_key", "s", "k.key"],
    ["invocation_id", "s", ID],
  ],
  from: "main.lock k JOIN main.invocation i ON i.seq = k.seq",
};

const SYS_LOCKS: View = {
  name: "sys_locks",
  columns: [
    partitionKey("k"),
    ["scope", "s", "NULL"],
    ["lock_name", "s", "k.service || '/' || k.key"],
    ["acquired_at", "ts", "i.running_at_ms"],
    ["acquired_by", "s", ID],
  ],
  from: "main.lock k JOIN main.invocation i ON i.seq = k.seq",
};

/** The highest revision whose deployment takes new invocations and offers the service, as the machine decides it. */
const LATEST =
  "SELECT r.service, max(r.revision) AS revision, r.deployment_id, d.uri, m.value AS manifest FROM main.service_revision r " +
  "JOIN main.deployment d ON d.id = r.deployment_id JOIN json_each(d.services) m " +
  "ON m.value ->> 'name' = r.service WHERE d.draining_since_ms IS NULL GROUP BY r.service";

const SYS_SERVICE: View = {
  name: "sys_service",
  columns: [
    ["name", "s", "r.service"],
    ["revision", "u64", "r.revision"],
    [
      "public",
      "b",
      "NOT coalesce(o.options ->> 'ingressPrivate', r.manifest ->> 'ingressPrivate', 0)",
    ],
    ["ty", "s", "lower(r.manifest ->> 'ty')"],
    ["deployment_id", "s", "r.deployment_id"],
  ],
  from: `(${LATEST}) r LEFT JOIN main.service_override o ON o.service = r.service`,
};

const SYS_DEPLOYMENT: View = {
  name: "sys_deployment",
  columns: [
    ["id", "s", "d.id"],
    ["ty", "s", "CASE WHEN d.uri LIKE 'arn:%' THEN 'lambda' ELSE 'http' END"],
    ["endpoint", "s", "d.uri"],
    ["created_at", "ts", "d.created_at_ms"],
    ["min_service_protocol_version", "u32", "d.min_protocol_version"],
    ["max_service_protocol_version", "u32", "d.max_protocol_version"],
    [
      "services",
      "s[]",
      "(SELECT json_group_array(m.value ->> 'name') FROM json_each(d.services) m)",
    ],
  ],
  from: "main.deployment d",
};

export const INSTANCE_VIEWS: readonly View[] = [
  STATE,
  SYS_DEPLOYMENT,
  SYS_INBOX,
  SYS_KEYED_SERVICE_STATUS,
  SYS_LOCKS,
  SYS_PROMISE,
  SYS_SERVICE,
];
