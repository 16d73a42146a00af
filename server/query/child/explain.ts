/** EXPLAIN: how SQLite would go about a statement, in the two columns that clients expect. */
import type { Database } from "better-sqlite3";
import { keep } from "./keep.ts";
import type { Result } from "../render/result.ts";

interface PlanRow {
  readonly id: number;
  readonly parent: number;
  readonly detail: string;
}

export function explainResult(db: Database, sql: string): Result {
  const rows = keep(db.prepare<[], PlanRow>(`EXPLAIN QUERY PLAN ${sql}`)).all();
  const depths = new Map<number, number>();
  const lines = rows.map(({ id, parent, detail }) => {
    const depth = (depths.get(parent) ?? -1) + 1;
    depths.set(id, depth);
    return `${"  ".repeat(depth)}${detail}`;
  });
  return {
    columns: [
      { name: "plan_type", type: "s" },
      { name: "plan", type: "s" },
    ],
    rows: [["physical_plan", lines.join("\n")]],
  };
}
