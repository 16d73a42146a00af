import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseStatement } from "./statement.ts";
import { SqlError } from "./tokens.ts";

const kindOf = (sql: string) => parseStatement(sql).kind;

describe("a statement", () => {
  it("may be a question, with comments around it and semicolons behind it", () => {
    assert.equal(kindOf("select 1"), "select");
    assert.equal(kindOf("-- x\nWITH a AS (SELECT 1) SELECT * FROM a ; ; -- y"), "select");
    assert.equal(kindOf("explain select 1"), "explain");
    assert.equal(kindOf("EXPLAIN ANALYZE VERBOSE WITH a AS (SELECT 1) SELECT 1"), "explain");
  });

  it("may ask for the tables and their columns", () => {
    assert.equal(kindOf("SHOW TABLES;"), "show-tables");
    assert.deepEqual(parseStatement("DESCRIBE sys_invocation"), {
      kind: "describe",
      table: "sys_invocation",
    });
    assert.deepEqual(parseStatement('SHOW COLUMNS FROM public."state"'), {
      kind: "show-columns",
      table: "state",
    });
  });

  for (const sql of [
    "",
    " -- nothing\n",
    ";",
    "select 1; select 2",
    "select 1;; delete from state",
    "insert into state values (1)",
    "update state set key = ''",
    "delete from state",
    "create table t (x)",
    "drop view state",
    "attach 'x' as y",
    "pragma query_only = off",
    "vacuum into 'x'",
    "begin",
    "values (1)",
    "explain delete from state",
    "explain pragma query_only",
    "show variables",
    "describe",
    "describe a b",
    "(select 1)",
  ]) {
    it(`may not be ${JSON.stringify(sql)}`, () => {
      assert.throws(() => parseStatement(sql), SqlError);
    });
  }
});
