/** What ran after a restored moment: compares the restored database with the latest one. */
import Database from "better-sqlite3";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { targetText } from "../machine/invocation.ts";
import { askAll } from "./ask.ts";
import { statusCode, statusOf } from "./state-columns.ts";

/** More than anybody reads; all are counted. */
const SHOWN_MAX = 1000;

/** An invocation that was not over then, and whose later steps have run all the same. */
export interface RanSince {
  readonly id: string;
  readonly target: string;
  readonly statusThen: string;
  /** Journal entries. */
  readonly entriesThen: number;
  /** `gone`: over, and deleted since. */
  readonly statusLatest: string;
  readonly entriesLatest: number;
}

export interface SinceThen {
  /** In the order of their creation; the first of them where there are too many. */
  readonly invocations: readonly RanSince[];
  /** All of them. */
  readonly total: number;
  /** Invocations of the latest state that the restored one does not know. */
  readonly unknownCount: number;
}

interface Row {
  readonly partitionKey: Uint8Array;
  readonly uuid: Uint8Array;
  readonly service: string;
  readonly handler: string;
  readonly key: string | null;
  readonly status: number;
  readonly entries: number;
  /** Null: it is gone. */
  readonly latestStatus: number | null;
  readonly latestEntries: number;
  readonly total: number;
}

const COMPLETED = statusCode("completed");

const entriesIn = (database: string): string =>
  `COALESCE((SELECT max(idx) + 1 FROM ${database}.journal WHERE invocation = past.seq), 0)`;

/** Both know an invocation by number and id: after a restore the same numbers are given again. */
const SAME = "latest.seq = past.seq AND latest.uuid = past.uuid";

/** More entries, or over: something has happened. Another status alone has not left the server. */
const RAN_SINCE = `
  WITH pair AS MATERIALIZED (
    SELECT past.seq, past.partition_key AS partitionKey, past.uuid, past.service, past.handler, past.key, past.status,
      ${entriesIn("main")} AS entries,
      latest.status AS latestStatus,
      CASE WHEN latest.seq IS NULL THEN 0 ELSE ${entriesIn("later")} END AS latestEntries
    FROM main.invocation AS past LEFT JOIN later.invocation AS latest ON ${SAME}
    WHERE past.status <> ${COMPLETED})
  SELECT *, count(*) OVER () AS total FROM pair
  WHERE latestStatus IS NULL OR latestStatus = ${COMPLETED} OR entries <> latestEntries
  ORDER BY seq LIMIT ${SHOWN_MAX}`;

const UNKNOWN = `
  SELECT count(*) AS count FROM later.invocation AS latest
  WHERE NOT EXISTS (SELECT 1 FROM main.invocation AS past WHERE ${SAME})`;

/** Of two database files that nobody has open. */
export function ranSince(restoredFile: string, latestFile: string): SinceThen {
  const db = new Database(restoredFile, { fileMustExist: true });
  try {
    db.exec(`ATTACH '${latestFile.replaceAll("'", "''")}' AS later`);
    const rows = askAll<Row>(db, RAN_SINCE);
    const [unknown] = askAll<{ readonly count: number }>(db, UNKNOWN);
    const invocations = rows.map(viewOf);
    return { invocations, total: rows[0]?.total ?? 0, unknownCount: unknown?.count ?? 0 };
  } finally {
    db.close();
  }
}

function viewOf(row: Row): RanSince {
  return {
    id: invocationIdToString(Buffer.concat([row.partitionKey, row.uuid])),
    target: targetText(row),
    statusThen: statusOf(row.status),
    entriesThen: row.entries,
    statusLatest: row.latestStatus === null ? "gone" : statusOf(row.latestStatus),
    entriesLatest: row.latestEntries,
  };
}
