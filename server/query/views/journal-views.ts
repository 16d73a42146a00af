/** The views over journals and what happened between their entries. `i` is the invocation, `j` the entry, `e` the event. */
import { storedBytes, storedLength } from "./stored-bytes.ts";
import type { Variant } from "./variants.ts";
import type { Column, View } from "./view.ts";

const KEY: readonly Column[] = [
  ["partition_key", "u64", "partition_number(i.partition_key)"],
  ["id", "s", "inv_id(i.partition_key, i.uuid)"],
];

const SOURCES = {
  all: "main.invocation i",
  ids: 'temp."picked ids" p CROSS JOIN main.invocation i ON i.seq = p.seq',
} as const;

const BODY = storedBytes("j", "body");
const TOLD = storedBytes("n", "body");

/**
 * The id of what a call (1037) or a send (1038) started: a notification (32782) says it, mostly the next entry. NULL until it is
 * there.
 */
const CALLEE =
  `CASE WHEN j.type IN (1037, 1038) THEN (SELECT callee_id(${TOLD}) FROM main.journal n WHERE n.invocation = j.invocation ` +
  `AND n.idx > j.idx AND n.type = 32782 AND completion_id(${TOLD}) = callee_completion_id(j.type, ${BODY}) ` +
  "ORDER BY n.idx LIMIT 1) END";

export function sysJournal(rows: Exclude<Variant, "open"> | "all"): View {
  return {
    name: "sys_journal",
    columns: [
      ...KEY,
      ["index", "u32", "j.idx"],
      ["entry_type", "s", "entry_type(j.type)"],
      ["name", "s", `entry_name(j.type, ${BODY})`],
      ["completed", "b", "NULL"],
      ["invoked_id", "s", "NULL"],
      ["invoked_target", "s", "NULL"],
      ["sleep_wakeup_at", "ts", "NULL"],
      ["promise_name", "s", "NULL"],
      ["raw", "bin", BODY],
      ["raw_length", "u64", storedLength("j", "body")],
      ["version", "u32", "2"],
      ["entry_json", "s", `entry_json(j.type, ${BODY}, ${CALLEE})`],
      ["entry_lite_json", "s", `entry_lite_json(j.type, ${BODY}, ${CALLEE})`],
      ["appended_at", "ts", "j.at_ms"],
    ],
    from: `${SOURCES[rows]} CROSS JOIN main.journal j ON j.invocation = i.seq`,
  };
}

export function sysJournalEvents(rows: Exclude<Variant, "open"> | "all"): View {
  return {
    name: "sys_journal_events",
    columns: [
      ...KEY,
      ["after_journal_entry_index", "u32", "e.after_idx"],
      ["appended_at", "ts", "e.at_ms"],
      [
        "event_type",
        "s",
        "CASE e.kind WHEN 0 THEN 'TransientError' WHEN 1 THEN 'Suspended' WHEN 2 THEN 'Paused' WHEN 3 THEN 'Resumed' END",
      ],
      ["event_json", "s", "event_json(e.kind, e.body)"],
    ],
    from:
      rows === "ids"
        ? `${SOURCES.ids} CROSS JOIN main.journal_event e ON e.invocation = i.seq`
        : "main.journal_event e JOIN main.invocation i ON i.seq = e.invocation",
  };
}
