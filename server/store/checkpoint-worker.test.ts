import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { type PassResult, WorkerPasses } from "./checkpoint-worker.ts";
import { tempDirectories } from "./temp.suite.ts";

const directory = tempDirectories();

const pass = (passes: WorkerPasses): Promise<PassResult | Error> =>
  new Promise((resolve) => passes.run((error, result) => resolve(error ?? result)));

function database(): Database.Database {
  const db = new Database(path.join(directory(), "some.db"));
  db.pragma("journal_mode = WAL");
  db.pragma("wal_autocheckpoint = 0");
  db.exec("CREATE TABLE t (x INTEGER)");
  return db;
}

describe("the checkpoint thread", () => {
  it("copies the log into the database beside an open connection, again and again", async () => {
    const db = database();
    const passes = new WorkerPasses(db.name, true);
    for (let round = 1; round < 4; round++) {
      db.prepare("INSERT INTO t (x) VALUES (?)").run(round);
      const result = await pass(passes);
      assert.ok(!(result instanceof Error));
      assert.ok(result.frames > 0);
      assert.equal(result.checkpointed, result.frames);
    }
    await passes.close();
    db.close();
  });

  it("copies no further than what a reader sees", async () => {
    const db = database();
    const reader = new Database(db.name);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM t").get();
    db.exec("INSERT INTO t (x) VALUES (1)");
    const passes = new WorkerPasses(db.name, false);
    const result = await pass(passes);
    assert.ok(!(result instanceof Error));
    assert.ok(result.checkpointed < result.frames, JSON.stringify(result));
    await passes.close();
    reader.close();
    db.close();
  });

  it("says what went wrong: no database, or a damaged one", async () => {
    const missing = new WorkerPasses(path.join(directory(), "missing.db"), true);
    assert.ok((await pass(missing)) instanceof Error);
    await missing.close();

    const file = path.join(directory(), "text.db");
    fs.writeFileSync(file, "no database at all".repeat(100));
    const damaged = new WorkerPasses(file, true);
    const refused = await pass(damaged);
    assert.ok(refused instanceof Error);
    assert.match(refused.message, /not a database/);
    await damaged.close();
  });

  it("does not keep a process alive that forgot it", async () => {
    const db = database();
    const before = process.getActiveResourcesInfo().filter((each) => each === "MessagePort");
    const passes = new WorkerPasses(db.name, true);
    await pass(passes);
    const after = process.getActiveResourcesInfo().filter((each) => each === "MessagePort");
    assert.deepEqual(after, before);
    await passes.close();
    db.close();
  });

  it("ends when closed, also before its first pass", async () => {
    const db = database();
    const passes = new WorkerPasses(db.name, true);
    await passes.close();
    await pass(passes);
    await passes.close();
    await passes.close();
    db.close();
  });
});
