import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { typeOfColumn } from "../views/catalog.ts";
import { rewrite } from "./rewrite.ts";
import { sqlText } from "./sql-text.suite.ts";
import { parseStatement } from "./statement.ts";
import { SqlError, tokenize } from "./tokens.ts";

function rewriteText(sql: string) {
  const statement = parseStatement(sql);
  assert.ok("nodes" in statement);
  return rewrite(statement.nodes, typeOfColumn);
}

const squeeze = (sql: string) => sql.replaceAll(/\s+/g, " ").replaceAll("( ", "(").trim();
const rewritten = (sql: string) => squeeze(rewriteText(sql).sql);

/** Statement and what becomes of it. */
const CASES: readonly (readonly [string, string])[] = [
  ["SELECT index FROM t", 'SELECT "index" FROM t'],
  ["SELECT sj.INDEX FROM t sj", 'SELECT sj."index" FROM t sj'],
  [
    "SELECT COUNT(1) FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) WHERE inv.x = 1",
    'SELECT COUNT(1) AS "COUNT(1)" FROM (SELECT * FROM sys_invocation inv LIMIT 50000 ) AS "inv" WHERE inv.x = 1',
  ],
  ["SELECT a FROM (SELECT 1 AS a) WHERE a = 1", "SELECT a FROM (SELECT 1 AS a) WHERE a = 1"],
  ["SELECT a FROM (SELECT b.a FROM b) b2", "SELECT a FROM (SELECT b.a FROM b) b2"],
  [
    "SELECT FIRST_VALUE(id ORDER BY a ASC) AS f FROM t",
    "SELECT first_of(id ORDER BY a ASC NULLS LAST) AS f FROM t",
  ],
  [
    "SELECT first_value(id) FILTER (WHERE a) OVER (ORDER BY b DESC) AS f FROM t",
    "SELECT first_value(id) FILTER (WHERE a) OVER (ORDER BY b DESC NULLS FIRST) AS f FROM t",
  ],
  ["SELECT a FROM t WHERE a ILIKE 'x%'", "SELECT a FROM t WHERE a MATCH 'x%'"],
  ["SELECT a FROM t WHERE a NOT ILIKE 'x'", "SELECT a FROM t WHERE a NOT MATCH 'x'"],
  ["SELECT a FROM t WHERE a ~ 'x'", "SELECT a FROM t WHERE a REGEXP 'x'"],
  ["SELECT a FROM t WHERE a !~* 'x'", "SELECT a FROM t WHERE a NOT REGEXP '(?i)' || 'x'"],
  ["SELECT ~1 AS a", "SELECT ~1 AS a"],
  [
    "SELECT a FROM t WHERE created_at > now() - INTERVAL '1 hour'",
    "SELECT a FROM t WHERE created_at > now() - interval('1 hour')",
  ],
  ["SELECT INTERVAL '5' MINUTES AS a", "SELECT interval('5', 'minutes') AS a"],
  ["SELECT TIMESTAMP '2026-01-01' AS a", "SELECT as_timestamp('2026-01-01') AS a"],
  [
    "SELECT a FROM t WHERE t.created_at >= '2026-01-01' AND name = '2026-01-01'",
    "SELECT a FROM t WHERE t.created_at >= as_timestamp('2026-01-01') AND name = '2026-01-01'",
  ],
  [
    "SELECT a FROM t WHERE created_at NOT BETWEEN '2026-01-01' AND '2026-01-02T03:04'",
    "SELECT a FROM t WHERE created_at NOT BETWEEN as_timestamp('2026-01-01') AND as_timestamp('2026-01-02T03:04')",
  ],
  [
    "SELECT a FROM t WHERE '2026-01-01' < t.created_at",
    "SELECT a FROM t WHERE as_timestamp('2026-01-01') < t.created_at",
  ],
  ["SELECT a::int AS a", "SELECT CAST(a AS INTEGER) AS a"],
  ["SELECT x.a::text::bigint AS a", "SELECT CAST(CAST(x.a AS TEXT) AS INTEGER) AS a"],
  ["SELECT f(a, b)::double precision AS a", "SELECT CAST(f(a, b) AS REAL) AS a"],
  ["SELECT (a + 1)::varchar(3) AS a", "SELECT CAST((a + 1) AS TEXT) AS a"],
  ["SELECT created_at::text AS a", "SELECT timestamp_text(created_at) AS a"],
  ["SELECT CAST(created_at AS STRING) AS a", "SELECT timestamp_text(created_at) AS a"],
  ["SELECT CAST(NULL as TIMESTAMP) AS a", "SELECT as_timestamp(NULL) AS a"],
  ["SELECT CAST(1 as INT UNSIGNED) AS a", "SELECT CAST(1 AS INTEGER) AS a"],
  ["SELECT EXTRACT(HOUR FROM created_at) AS a", "SELECT date_part('hour', created_at) AS a"],
  [
    "SELECT a FROM t WHERE partition_key = 18446744073709551615",
    "SELECT a FROM t WHERE partition_key = '18446744073709551615'",
  ],
  [
    "SELECT a FROM t WHERE partition_key = 9223372036854775807",
    "SELECT a FROM t WHERE partition_key = 9223372036854775807",
  ],
  ["SELECT a FROM restate.public.t", "SELECT a FROM t"],
  ["SELECT a FROM public.t x JOIN public.u y ON 1", "SELECT a FROM t x JOIN u y ON 1"],
  ["SELECT public FROM sys_service", "SELECT public FROM sys_service"],
  ["SELECT a FROM information_schema.columns", "SELECT a FROM columns"],
  [
    "SELECT a FROM t ORDER BY a, b DESC LIMIT 1",
    "SELECT a FROM t ORDER BY a NULLS LAST, b DESC NULLS FIRST LIMIT 1",
  ],
  ["SELECT a FROM t ORDER BY a NULLS FIRST", "SELECT a FROM t ORDER BY a NULLS FIRST"],
  ["SELECT a FROM t OFFSET 5", "SELECT a FROM t LIMIT -1 OFFSET 5"],
  ["SELECT a FROM t OFFSET 5 LIMIT 3", "SELECT a FROM t LIMIT 3 OFFSET 5"],
  ["SELECT a FROM t LIMIT ALL", "SELECT a FROM t LIMIT -1"],
  [
    "SELECT id, unnest(services) AS s FROM sys_deployment WHERE 1",
    'SELECT id, "unnest 1".unnest AS s FROM sys_deployment, unnest(services) AS "unnest 1" WHERE 1',
  ],
  ["SELECT a IS DISTINCT FROM b AS x FROM t", "SELECT a IS DISTINCT FROM b AS x FROM t"],
];

describe("the rewriting", () => {
  for (const [sql, expected] of CASES) {
    it(`of ${sql}`, () => assert.equal(rewritten(sql), expected));
  }

  it("names the columns of the result as they were written", () => {
    const { sql } = rewriteText("SELECT created_at::text, COUNT(*), a.b, *, x AS y, z w FROM t");
    assert.match(sql, /AS "created_at::text".*AS "COUNT\(\*\)", a\.b, \*, x AS y, z w FROM/);
  });

  for (const sql of [
    "SELECT * FROM main.invocation",
    'SELECT * FROM "MAIN".invocation',
    "SELECT * FROM 'main'.invocation",
    'SELECT * FROM temp."picked ids"',
    "SELECT * FROM secret.state",
    "SELECT 1 WHERE 1 IN main.invocation",
    "SELECT * FROM sqlite_schema",
    'SELECT * FROM "sqlite_master"',
    "SELECT * FROM 'sqlite_master'",
    "SELECT * FROM pragma_table_info('state')",
    "SELECT a::wat FROM t",
  ]) {
    it(`refuses ${sql}`, () => assert.throws(() => rewriteText(sql), SqlError));
  }

  it("never changes what is in strings and quoted names", () => {
    fc.assert(
      fc.property(sqlText, (text) => {
        const sql = `select ${text}`;
        let result: string;
        try {
          result = rewriteText(sql).sql;
        } catch (error) {
          assert.ok(error instanceof SqlError);
          return;
        }
        // Additions aside, everything opaque is still there, in the same order.
        const opaque = opaqueOf(sql);
        const left = opaqueOf(result)[Symbol.iterator]();
        for (const each of opaque) {
          let next = left.next();
          while (next.done !== true && next.value !== each) next = left.next();
          assert.equal(next.value, each, `${sql}\n${result}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function opaqueOf(sql: string): string[] {
  const found: string[] = [];
  for (const { kind, text, value } of tokenize(sql).tokens) {
    if (value === ";") break;
    if (kind === "string" || kind === "quoted") found.push(text);
  }
  return found;
}

describe("the variant of a view", () => {
  const variant = (sql: string) => {
    const { sql: text, ids } = rewriteText(sql);
    const found = /"(sys_\w+) (ids|open)"/.exec(text);
    return found === null ? "all" : `${found[1]} ${found[2]} ${[...ids].join("+")}`.trim();
  };

  for (const [condition, expected] of [
    ["id = 'a'", "sys_invocation ids a"],
    ["inv.id == 'a' AND status = 'completed'", "sys_invocation ids a"],
    ["'a' = inv.id AND x", "sys_invocation ids a"],
    ["(x OR y) AND (inv.id IN ('a', 'b') AND z)", "sys_invocation ids a+b"],
    ["status != 'completed'", "sys_invocation open"],
    ["inv.status <> 'completed' AND x", "sys_invocation open"],
    ["status IN ('running', 'ready')", "sys_invocation open"],
    ["status NOT IN ('completed', 'paused')", "sys_invocation open"],
    ["status = 'paused'", "sys_invocation open"],
    ["id = 'a' OR x", "all"],
    ["NOT id = 'a'", "all"],
    ["id != 'a'", "all"],
    ["id = 'a' || 'b'", "all"],
    ["id > 'a'", "all"],
    ["other.id = 'a'", "all"],
    ["id NOT IN ('a')", "all"],
    ["id IN (SELECT id FROM sys_inbox)", "all"],
    ["x BETWEEN 1 AND id = 'a'", "all"],
    ["CASE WHEN x AND id = 'a' AND y THEN 1 ELSE 1 END", "all"],
    ["status != 'paused'", "all"],
    ["status IN ('running', 'completed')", "all"],
    ["status NOT IN ('paused')", "all"],
    ["status = 'completed'", "all"],
    ["EXISTS (SELECT 1 FROM t WHERE id = 'a')", "all"],
  ] as const) {
    it(`is ${expected} where ${condition}`, () => {
      assert.equal(variant(`SELECT * FROM sys_invocation inv WHERE ${condition}`), expected);
    });
  }

  it("keeps the name of the view and the condition", () => {
    assert.equal(
      rewritten("SELECT sys_invocation.id FROM sys_invocation WHERE id = 'a'"),
      'SELECT sys_invocation.id FROM "sys_invocation ids" AS "sys_invocation" WHERE id = \'a\'',
    );
  });

  it("is chosen only for the table that the column is of", () => {
    const joined = "FROM sys_invocation i JOIN sys_journal j ON i.id = j.id WHERE";
    assert.equal(variant(`SELECT * ${joined} j.id = 'a'`), "sys_journal ids a");
    assert.equal(variant(`SELECT * ${joined} id = 'a'`), "all");
  });

  it("is not chosen where WITH gives the name another meaning", () => {
    assert.equal(
      variant(
        "WITH sys_invocation AS (SELECT 'a' AS id) SELECT * FROM sys_invocation WHERE id = 'a'",
      ),
      "all",
    );
  });
});

describe("the type of a result column", () => {
  const typeOf = (sql: string, name: string) => rewriteText(sql).typeOf(name.toLowerCase());

  for (const [item, expected] of [
    ["created_at", "ts"],
    ["MIN(created_at)", "ts"],
    ["FIRST_VALUE(created_at ORDER BY id)", "ts"],
    ["coalesce(completed_at, now())", "ts"],
    ["created_at + INTERVAL '1 day'", "ts"],
    ["completed_at - created_at", "dur"],
    ["AVG(completed_at - created_at)", "dur"],
    ["completion_retention * 2", "dur"],
    ["completion_retention / journal_retention", undefined],
    ["CASE WHEN 1 THEN completed_at ELSE NULL END", "ts"],
    ["CAST('2026-01-01' AS TIMESTAMP)", "ts"],
    ["'2026-01-01'::timestamp", "ts"],
    ["date_bin(INTERVAL '1 hour', created_at)", "ts"],
    ["dp.id IS NOT NULL", "b"],
    ["a = b", "b"],
    ["NOT in_flight", "b"],
    ["EXISTS (SELECT 1)", "b"],
    ["TRUE", "b"],
    ["MAX(in_flight)", "b"],
    ["SUM(in_flight)", undefined],
    ["MAX(partition_key)", "u64"],
    ["(SELECT max(created_at) FROM t)", "ts"],
    ["created_at::text", undefined],
    ["'a' || created_at", undefined],
    ["length(name)", undefined],
  ] as const) {
    it(`is ${expected} of ${item}`, () => {
      assert.equal(typeOf(`SELECT ${item} FROM t`, item), expected);
      assert.equal(typeOf(`SELECT ${item} AS named FROM t`, "named"), expected);
      assert.equal(
        typeOf(`WITH c AS (SELECT ${item} named FROM t) SELECT named FROM c`, "named"),
        expected,
      );
    });
  }

  it("is that of the statement's own name before that of a view's column", () => {
    assert.equal(typeOf("SELECT length(key) AS created_at FROM t", "created_at"), undefined);
  });
});
