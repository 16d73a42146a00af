/** Puts the functions that views and statements use onto a connection. */
import type { Database } from "better-sqlite3";
import type { BlobReader } from "./blob.ts";
import { invocationIdText, partitionNumber, partitionOf, utf8Text } from "./bytes.ts";
import type { DescribeTarget } from "./call-json.ts";
import {
  calleeCompletionId,
  calleeId,
  completionIdOf,
  entryLiteText,
  entryName,
  entryText,
} from "./entry-json.ts";
import { commandName, entryType } from "./entry-names.ts";
import { eventText } from "./event-json.ts";
import { failureText, outputFailure } from "./failure-text.ts";
import { awaitedCompletions, awaitedSignals, futureText } from "./future-json.ts";
import {
  arrayHas,
  endsWith,
  ilike,
  left,
  regexp,
  right,
  splitPart,
  startsWith,
  toBoolean,
} from "./text.ts";
import { parseJson } from "./parse-json.ts";
import type { SqlArgument } from "./sql-argument.ts";
import {
  asTimestamp,
  dateBin,
  datePart,
  dateTrunc,
  durationText,
  interval,
  timestampText,
  toTimestamp,
} from "./time.ts";

/** What functions know beside their arguments; fixed while a query runs. */
export interface Surroundings {
  readonly nowMs: () => number;
  readonly version: string;
  readonly describe: DescribeTarget;
  readonly blobs: BlobReader;
}

type SqlFunction = (...args: SqlArgument[]) => string | number | null;

const ofNumber = (text: (ms: number) => string) => (value: SqlArgument) =>
  typeof value === "number" ? text(value) : null;

/** The same arguments give the same result: SQLite may call them once for several rows. */
const PURE: Readonly<Record<string, SqlFunction>> = {
  inv_id: invocationIdText,
  partition_number: partitionNumber,
  partition_of: partitionOf,
  utf8_text: utf8Text,
  command_name: commandName,
  entry_type: entryType,
  entry_name: entryName,
  completion_id: completionIdOf,
  callee_completion_id: calleeCompletionId,
  callee_id: calleeId,
  event_json: eventText,
  future_json: futureText,
  awaited_completions: awaitedCompletions,
  awaited_signals: awaitedSignals,
  failure_text: failureText,
  output_failure: outputFailure,
  as_timestamp: asTimestamp,
  to_timestamp: toTimestamp,
  to_timestamp_seconds: toTimestamp,
  to_timestamp_millis: asTimestamp,
  date_trunc: dateTrunc,
  date_part: datePart,
  timestamp_text: ofNumber(timestampText),
  duration_text: ofNumber(durationText),
  regexp,
  regexp_like: (value, pattern) => regexp(pattern, value),
  array_has: arrayHas,
  starts_with: startsWith,
  ends_with: endsWith,
  split_part: splitPart,
  left,
  right,
  to_boolean: toBoolean,
};

/** Those with an argument that may be missing. */
const VARIADIC: Readonly<Record<string, SqlFunction>> = {
  interval,
  date_bin: dateBin,
};

export function registerFunctions(db: Database, surroundings: Surroundings): void {
  for (const [name, fn] of Object.entries(PURE)) db.function(name, { deterministic: true }, fn);
  for (const [name, fn] of Object.entries(VARIADIC)) {
    db.function(name, { deterministic: true, varargs: true }, fn);
  }
  // SQLite has a MATCH of two arguments of its own, which only an equal one replaces.
  db.function("match", { deterministic: true }, (pattern, value) => ilike(pattern, value));
  db.function("match", { deterministic: true }, (pattern, value, escape) =>
    ilike(pattern, value, escape),
  );
  db.function("now", () => surroundings.nowMs());
  db.function("server_version", { deterministic: true }, () => surroundings.version);
  db.function("read_blob", { deterministic: true }, surroundings.blobs.read);
  db.function("entry_json", (type, body, callee) =>
    entryText(type, body, callee, surroundings.describe),
  );
  db.function("entry_lite_json", (type, body, callee) =>
    entryLiteText(type, body, callee, surroundings.describe),
  );
  registerAggregates(db);
  db.table("unnest", { columns: ["unnest"], parameters: ["list"], rows: unnestRows });
}

/** An element a row. */
function* unnestRows(list: unknown): Generator<[string | number | null]> {
  if (typeof list !== "string") return;
  for (const element of parseJson<unknown[]>(list)) {
    yield [typeof element === "string" || typeof element === "number" ? element : null];
  }
}

/** A value in the order in which rows come; ORDER BY within the call decides that order. */
function registerAggregates(db: Database): void {
  db.aggregate<{ value: unknown } | null>("first_of", {
    start: () => null,
    step: (first, value) => first ?? { value },
    result: (first) => first?.value ?? null,
  });
  db.aggregate<{ value: unknown } | null>("last_of", {
    start: () => null,
    step: (_, value) => ({ value }),
    result: (last) => last?.value ?? null,
  });
  db.aggregate<unknown[]>("array_agg", {
    start: () => [],
    step: (list, value) => {
      list.push(value);
    },
    result: JSON.stringify,
  });
}
