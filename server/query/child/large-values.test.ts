import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { worldEngine } from "./engine.suite.ts";

describe("values that lie beside the database", () => {
  const plain = worldEngine();
  const beside = worldEngine(1);
  const harmed = worldEngine(1);
  const blobFiles = (directory: string): string[] => {
    const top = path.join(directory, "blobs");
    return fs
      .readdirSync(top, { recursive: true, encoding: "utf8" })
      .map((name) => path.join(top, name))
      .filter((file) => fs.statSync(file).isFile());
  };

  for (const view of ["sys_journal", "sys_invocation", "state", "sys_promise", "sys_inbox"]) {
    it(`show in ${view} as those within it`, () => {
      assert.ok(blobFiles(beside.directory()).length > 10);
      const rows = plain.rows(`SELECT * FROM ${view}`);
      assert.ok(rows.length > 0);
      assert.deepEqual(beside.rows(`SELECT * FROM ${view}`), rows);
    });
  }

  it("are looked for by what they hold", () => {
    const sql = "SELECT key FROM state WHERE value_utf8 IS NOT NULL ORDER BY key";
    assert.deepEqual(beside.rows(sql), plain.rows(sql));
  });

  it("are null where their file is gone, and refuse the query where it is damaged", () => {
    const sql = "SELECT key, value, value_length FROM state WHERE key = 'count'";
    const [before] = plain.rows(sql);
    for (const file of blobFiles(harmed.directory())) fs.renameSync(file, `${file}.gone`);
    assert.deepEqual(
      harmed.rows("SELECT count(*) AS n FROM sys_journal WHERE raw IS NOT NULL AND raw_length > 0"),
      [{ n: 0 }],
    );
    const { value, ...rest } = before ?? {};
    assert.ok(value !== undefined);
    assert.deepEqual(harmed.rows(sql), [rest]);
    for (const file of blobFiles(harmed.directory()))
      fs.writeFileSync(file.replace(/\.gone$/, ""), "damaged");
    const answer = harmed.answer(sql);
    assert.ok(!answer.ok && answer.status === 500);
    assert.match(answer.message, /\/blobs\/..\/.{64}: the file is damaged: put it back/);
  });
});
