import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { VIEWS } from "../views/catalog.ts";
import { CREATED_MS, idText, WORLD } from "../world.suite.ts";
import { worldEngine } from "./engine.suite.ts";

const engine = worldEngine();
const { rows, refusal } = engine;
const at = (ms: number) => new Date(CREATED_MS + ms).toISOString();

describe("the dialect", () => {
  for (const [sql, expected] of [
    [
      "SELECT count(*) AS n FROM sys_invocation WHERE created_at > now() - INTERVAL '1 hour'",
      { n: 10 },
    ],
    [
      "SELECT count(*) AS n FROM sys_invocation WHERE created_at > now() - INTERVAL '10' MINUTE",
      { n: 0 },
    ],
    ["SELECT count(*) AS n FROM sys_invocation WHERE target ILIKE 'greeter/%'", { n: 8 }],
    ["SELECT count(*) AS n FROM sys_invocation WHERE target LIKE 'greeter/%'", { n: 0 }],
    ["SELECT count(*) AS n FROM sys_invocation WHERE target ~ '^Flow/.*run$'", { n: 1 }],
    ["SELECT count(*) FILTER (WHERE status == 'paused') AS n FROM sys_invocation", { n: 1 }],
    ["SELECT max(completed_at) - min(created_at) AS d FROM sys_invocation", { d: "PT0.08S" }],
    [
      "SELECT date_bin(INTERVAL '1 day', created_at) AS t FROM sys_invocation LIMIT 1",
      { t: "2026-11-23T00:00:00.000Z" },
    ],
    ["SELECT to_timestamp('2026-01-02 03:04:05') AS t", { t: "2026-01-02T03:04:05.000Z" }],
    ["SELECT created_at::text AS t FROM sys_deployment", { t: at(-1000) }],
    ["SELECT count(*) AS n FROM sys_deployment WHERE array_has(services, 'Flow')", { n: 1 }],
    ["SELECT unnest(services) AS s FROM sys_deployment ORDER BY s LIMIT 1", { s: "Counter" }],
    [
      "SELECT FIRST_VALUE(id ORDER BY created_at DESC) AS i FROM sys_invocation WHERE target_service_name = 'Greeter'",
      { i: idText(WORLD.ready) },
    ],
    ["WITH a AS (SELECT min(created_at) AS m FROM sys_invocation) SELECT m FROM a", { m: at(0) }],
    ["SELECT 9223372036854775807 AS big", { big: 9223372036854776000 }],
    [
      "SELECT CAST(NULL as STRING) AS entry_json, CAST(1 as INT UNSIGNED) AS version",
      { version: 1 },
    ],
  ] as const) {
    it(`answers ${sql}`, () => assert.deepEqual(rows(sql), [expected]));
  }

  it("sorts NULL as the largest", () => {
    const order = (by: string) =>
      rows(`SELECT target_service_key AS k FROM sys_invocation ORDER BY k ${by} LIMIT 1`)[0];
    assert.deepEqual(order("ASC"), { k: "k1" });
    assert.deepEqual(order("DESC"), {});
  });

  it("shows tables and columns", () => {
    assert.equal(rows("SHOW TABLES").length, VIEWS.length);
    assert.deepEqual(rows("DESCRIBE sys_locks")[0], {
      column_name: "partition_key",
      data_type: "UInt64",
      is_nullable: "YES",
    });
    assert.equal(rows("SHOW COLUMNS FROM state").length, 9);
    assert.match(String(rows("EXPLAIN SELECT * FROM state")[0]?.["plan"]), /SCAN s/);
  });
});

describe("the document of the views", () => {
  const document = readFileSync(path.join("docs", "sql.md"), "utf8");
  const examples = [...document.matchAll(/```sql\n([^`]*)```/g)].flatMap(([, block = ""]) =>
    block.split(";").filter((statement) => statement.trim() !== ""),
  );

  it("has examples", () => assert.ok(examples.length >= 5));

  for (const sql of examples) {
    it(`has one that runs: ${sql.trim().split("\n")[0]}`, () =>
      assert.ok(Array.isArray(rows(sql))));
  }
});

describe("a query is refused", () => {
  for (const [sql, message] of [
    ["SELECT * FROM nowhere", /no such table: nowhere\. The tables are state, sys_deployment/],
    ["SELECT missing FROM state", /no such column: missing\. DESCRIBE <table> lists/],
    ["SELECT wat(1)", /no such function: wat/],
    ["SELEC 1", /only SELECT/],
    ["SELECT (", /parenthesis/],
    ["SELECT FROM WHERE", /syntax error/],
    ["SELECT * FROM invocation", /no such table: invocation\./],
    ["SELECT additional_headers FROM deployment", /no such table: deployment\./],
    ["SELECT value FROM meta", /no such table: meta\./],
    ["WITH x AS (SELECT 1) DELETE FROM state", /./],
    ['WITH x AS (SELECT 1) INSERT INTO temp."picked ids" SELECT 1', /./],
    ['WITH x AS (SELECT 1) DELETE FROM "picked ids"', /./],
    ['WITH x AS (SELECT 1) DELETE FROM "picked ids" RETURNING seq', /./],
    ["SELECT load_extension('x')", /./],
    ["SELECT ?", /./],
    ["SELECT to_timestamp('yesterday')", /"yesterday" is not a time/],
    ["DESCRIBE nowhere", /no such table: nowhere/],
  ] as const) {
    it(`where it is ${sql}`, () => assert.match(refusal(sql), message));
  }

  it("where it has more rows or bytes than are allowed", () => {
    const sql = "SELECT * FROM sys_invocation";
    assert.equal(engine.answer(sql, { rowsMax: 11 }).ok, true);
    assert.match(refusal(sql, { rowsMax: 10 }), /more than 10 rows: add a LIMIT/);
    assert.match(refusal(sql, { bytesMax: 500 }), /larger than 500 bytes/);
    assert.match(refusal("SELECT 1 AS one", { bytesMax: 10 }), /larger than 10 bytes/);
  });

  it("and the next one is answered", () => {
    refusal("SELECT missing FROM state");
    assert.deepEqual(rows("SELECT 1 AS one"), [{ one: 1 }]);
  });
});
