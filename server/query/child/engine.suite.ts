/** An engine over the world of the tests, in this process, and its answers as values. */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import Database from "better-sqlite3";
import { tempDirectories } from "../../store/temp.suite.ts";
import type { QueryAnswer, QueryFormat, QueryRequest } from "../messages.ts";
import { CREATED_MS, liveAttempts, openWorld } from "../world.suite.ts";
import { SqlEngine } from "./engine.ts";

export type Row = Readonly<Record<string, unknown>>;

export interface EngineInTest {
  /** Where its database is. */
  readonly directory: () => string;
  readonly answer: (sql: string, more?: Partial<QueryRequest>) => QueryAnswer;
  /** Fails where the query is refused. */
  readonly rows: (sql: string) => Row[];
  readonly text: (sql: string) => string;
  readonly bytes: (sql: string, format: QueryFormat) => Uint8Array;
  /** The message of a refusal with status 400. */
  readonly refusal: (sql: string, more?: Partial<QueryRequest>) => string;
}

export function worldEngine(blobThresholdBytes?: number): EngineInTest {
  const temp = tempDirectories();
  let close = async (): Promise<void> => {};
  let engine: SqlEngine | undefined;
  let directory = "";
  let live: QueryRequest["live"] = [];
  before(() => {
    directory = temp();
    const store = openWorld(directory, blobThresholdBytes);
    live = liveAttempts(store).map(({ sdkVersion, awaitingOn, ...attempt }) => ({
      ...attempt,
      server: sdkVersion,
      awaiting: awaitingOn,
    }));
    const db = new Database(store.file, { readonly: true });
    engine = new SqlEngine(db, "1.2.3");
    close = async () => {
      db.close();
      await store.close();
    };
  });
  after(() => close());

  const answer = (sql: string, more: Partial<QueryRequest> = {}): QueryAnswer => {
    assert.ok(engine !== undefined);
    const nowMs = CREATED_MS + 3_600_000;
    const limits = { rowsMax: 1000, bytesMax: 1_000_000 };
    return engine.answer({ type: "query", sql, format: "json", live, nowMs, ...limits, ...more });
  };
  const bytes = (sql: string, format: QueryFormat): Uint8Array => {
    const answered = answer(sql, { format });
    assert.ok(answered.ok, `${sql}: ${answered.ok ? "" : answered.message}`);
    return answered.body;
  };
  const text = (sql: string): string => Buffer.from(bytes(sql, "json")).toString();
  return {
    directory: () => directory,
    answer,
    bytes,
    text,
    rows: (sql) => (JSON.parse(text(sql)) as { rows: Row[] }).rows,
    refusal: (sql, more) => {
      const answered = answer(sql, more);
      assert.ok(!answered.ok, sql);
      assert.equal(answered.status, 400, answered.message);
      return answered.message;
    },
  };
}
