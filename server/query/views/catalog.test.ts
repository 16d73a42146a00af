import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { VIEWS } from "./catalog.ts";
import { KNOWN_TABLES } from "./known-tables.suite.ts";

/** Tests run from the root of the repository. */
const DOCUMENT = path.join("docs", "sql.md");

describe("the catalog of views", () => {
  it("has every table that clients know, with the same columns in the same order", () => {
    assert.deepEqual(
      VIEWS.map(({ name }) => name).toSorted(),
      Object.keys(KNOWN_TABLES).toSorted(),
    );
    for (const { name, columns } of VIEWS) {
      const own = columns.map(([column, type]) => `${column} ${type}`);
      assert.deepEqual(own, KNOWN_TABLES[name], name);
    }
  });

  it("gives columns of one name one type in every view", () => {
    const types = new Map<string, string>();
    for (const { name, columns } of VIEWS) {
      for (const [column, type] of columns) {
        assert.equal(types.get(column) ?? type, type, `${name}.${column}`);
        types.set(column, type);
      }
    }
  });

  it("is documented, column by column", () => {
    const document = readFileSync(DOCUMENT, "utf8");
    for (const { name, columns } of VIEWS) {
      const start = document.indexOf(`### \`${name}\``);
      assert.ok(start >= 0, `${name} has no section`);
      const end = document.indexOf("\n#", start + 1);
      const section = document.slice(start, end < 0 ? undefined : end);
      for (const [column, type] of columns) {
        assert.ok(section.includes(`| \`${column}\` | ${type} |`), `${name}.${column} ${type}`);
      }
    }
  });
});
