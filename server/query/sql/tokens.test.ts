import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { SqlError, tokenize } from "./tokens.ts";
import { parseTree, print } from "./tree.ts";
import { sqlText } from "./sql-text.suite.ts";

const kinds = (sql: string) => tokenize(sql).tokens.map(({ kind, value }) => [kind, value]);

describe("tokens of SQL", () => {
  it("tells strings, quoted names, numbers, bytes and symbols apart", () => {
    assert.deepEqual(kinds(`Select "A""b", [c d], \`e\`, 'it''s', x'0F', 1.5e3, .5 FROM t`), [
      ["word", "select"],
      ["quoted", 'A"b'],
      ["symbol", ","],
      ["quoted", "c d"],
      ["symbol", ","],
      ["quoted", "e"],
      ["symbol", ","],
      ["string", "it's"],
      ["symbol", ","],
      ["blob", "x'0F'"],
      ["symbol", ","],
      ["number", "1.5e3"],
      ["symbol", ","],
      ["number", ".5"],
      ["word", "from"],
      ["word", "t"],
    ]);
  });

  it("takes operators of several characters as one", () => {
    const operators = ["::", "||", "<=", ">=", "<>", "!=", "==", "->>", "->", "!~*", "!~", "~*"];
    assert.deepEqual(
      kinds(operators.join(" ")),
      operators.map((text) => ["symbol", text]),
    );
  });

  it("leaves comments in the white space, also one that is not closed", () => {
    const { tokens, tail } = tokenize("a -- 'b'\n/* \"c\" */ d /* e");
    assert.deepEqual(
      tokens.map(({ text }) => text),
      ["a", "d"],
    );
    assert.equal(tokens[1]?.before, " -- 'b'\n/* \"c\" */ ");
    assert.equal(tail, " /* e");
  });

  it("refuses what is not closed, and NUL, which would hide the rest of a statement", () => {
    for (const sql of ["select 'a", 'select "a', "select `a", "select '\0'"]) {
      assert.throws(() => tokenize(sql), SqlError, sql);
    }
  });

  it("prints to the same text", () => {
    fc.assert(
      fc.property(sqlText, (sql) => {
        const { tokens, tail } = tokenize(sql);
        assert.equal(tokens.map(({ before, text }) => before + text).join("") + tail, sql);
      }),
    );
  });

  it("prints to the same text as a tree", () => {
    fc.assert(
      fc.property(sqlText, (sql) => {
        const { nodes, tail } = parseTree(sql);
        assert.equal(print(nodes) + tail, sql);
      }),
    );
  });

  it("takes any text at all, or refuses it with a reason", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        try {
          assert.equal(print(parseTree(text).nodes) + parseTree(text).tail, text);
        } catch (error) {
          assert.ok(error instanceof SqlError);
        }
      }),
    );
  });

  it("refuses parentheses that do not match or are nested too deep", () => {
    for (const sql of ["(", ")", "((a)", "(a))", "(".repeat(501) + ")".repeat(501)]) {
      assert.throws(() => parseTree(sql), SqlError);
    }
  });
});
