/** The statements of the table `invocation`. */
import type { Database, Statement } from "better-sqlite3";
import {
  FIXED_COLUMNS,
  type FixedValues,
  fieldsOf,
  fixedValues,
  type InvocationRow,
  MUTABLE_COLUMNS,
  type MutableValues,
  mutableValues,
  PARTITION_KEY_BYTES,
} from "./invocation-row.ts";
import { statusCode } from "./state-columns.ts";
import { ID_BYTES, type InvocationFields } from "./stored-invocation.ts";

const COLUMNS = ["seq", ...FIXED_COLUMNS, ...MUTABLE_COLUMNS];

export class InvocationRows {
  readonly #insert: Statement<[number, ...FixedValues, ...MutableValues]>;
  readonly #update: Statement<[...MutableValues, number]>;
  readonly #delete: Statement<[number]>;
  readonly #get: Statement<[number], InvocationRow>;
  readonly #find: Statement<[uuid: Uint8Array, partitionKey: Uint8Array], number>;
  readonly #running: Statement<[number, number], number>;
  readonly #pinned: Statement<[string], number>;

  constructor(db: Database) {
    const columns = COLUMNS.join(", ");
    const places = COLUMNS.map(() => "?").join(", ");
    this.#insert = db.prepare(`INSERT INTO invocation (${columns}) VALUES (${places})`);
    const sets = MUTABLE_COLUMNS.map((column) => `${column} = ?`).join(", ");
    this.#update = db.prepare(`UPDATE invocation SET ${sets} WHERE seq = ?`);
    this.#delete = db.prepare("DELETE FROM invocation WHERE seq = ?");
    this.#get = db
      .prepare<[number], InvocationRow>(`SELECT ${columns} FROM invocation WHERE seq = ?`)
      .raw();
    this.#find = db
      .prepare<[Uint8Array, Uint8Array], number>(
        "SELECT seq FROM invocation WHERE uuid = ? AND partition_key = ?",
      )
      .pluck();
    // The term on 5 repeats the condition of the partial index, without which the planner may not use it.
    this.#running = db
      .prepare<[number, number], number>(
        `SELECT seq FROM invocation WHERE status = ${statusCode("running")} AND status <> ${statusCode("completed")} ` +
          "AND seq > ? ORDER BY seq LIMIT ?",
      )
      .pluck();
    this.#pinned = db
      .prepare<[string], number>(
        `SELECT seq FROM invocation WHERE pin_deployment_id = ? AND status <> ${statusCode("completed")} LIMIT 1`,
      )
      .pluck();
  }

  /** Whether one that is not completed is bound to this deployment. */
  isPinned(deploymentId: string): boolean {
    return this.#pinned.get(deploymentId) !== undefined;
  }

  insert(invocation: InvocationFields): void {
    this.#insert.run(invocation.seq, ...fixedValues(invocation), ...mutableValues(invocation));
  }

  update(invocation: InvocationFields): void {
    this.#update.run(...mutableValues(invocation), invocation.seq);
  }

  delete(seq: number): void {
    this.#delete.run(seq);
  }

  get(seq: number): InvocationFields | undefined {
    const row = this.#get.get(seq);
    return row === undefined ? undefined : fieldsOf(row);
  }

  /** The seq of the invocation with this public id. */
  find(id: Uint8Array): number | undefined {
    if (id.length !== ID_BYTES) return undefined;
    return this.#find.get(id.subarray(PARTITION_KEY_BYTES), id.subarray(0, PARTITION_KEY_BYTES));
  }

  /** The seqs of running invocations after `afterSeq`, in order. */
  running(afterSeq: number, limit: number): number[] {
    return this.#running.all(afterSeq, limit);
  }
}
