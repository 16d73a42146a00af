import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, describe, it } from "node:test";
import { tableFromIPC } from "apache-arrow";
import { tempDirectories } from "../store/temp.suite.ts";
import type { SqliteStore } from "../store/sqlite-store.ts";
import { openQueryEngine, type QueryAnswer, type QueryEngine, type QueryOptions } from "./query.ts";
import { CREATED_MS, idText, liveAttempts, openWorld, WORLD } from "./world.suite.ts";

/** Works for ever, within one call of SQLite. */
const RUNAWAY = "WITH c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c";

const temp = tempDirectories();
let store: SqliteStore | undefined;
const engines: QueryEngine[] = [];

function engineWith(more: Partial<QueryOptions> = {}): QueryEngine {
  assert.ok(store !== undefined);
  const live = liveAttempts(store);
  const engine = openQueryEngine({ file: store.file, live: () => live, version: "1.2.3", ...more });
  engines.push(engine);
  return engine;
}

function jsonOf(answer: QueryAnswer): unknown {
  assert.ok(answer.ok, answer.ok ? "" : answer.message);
  return JSON.parse(Buffer.from(answer.body).toString());
}

function refusalOf(answer: QueryAnswer): { status: number; message: string } {
  assert.ok(!answer.ok);
  return answer;
}

/** Processes that this one started; only Linux tells. */
function children(): string[] {
  const file = `/proc/self/task/${process.pid}/children`;
  return readFileSync(file, "utf8")
    .split(" ")
    .filter((pid) => pid !== "");
}

const onLinux = { skip: process.platform === "linux" ? false : "needs /proc" };
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    assert.ok(turn < 500, "it did not come to that");
    await sleep(10);
  }
}

before(() => {
  store = openWorld(temp());
});
after(async () => {
  await Promise.all(engines.map((engine) => engine.close()));
  await store?.close();
});

describe("the query engine", () => {
  it("answers in both formats, and knows which attempts are in flight", async () => {
    const engine = engineWith();
    const sql = `SELECT status FROM sys_invocation WHERE id = '${idText(WORLD.running)}'`;
    const json = await engine.query(sql, "json");
    assert.deepEqual(jsonOf(json), { rows: [{ status: "running" }] });
    assert.ok(json.ok && json.contentType === "application/json");
    const arrow = await engine.query(sql, "arrow");
    assert.ok(arrow.ok && arrow.contentType === "application/vnd.apache.arrow.stream");
    assert.equal(tableFromIPC(arrow.body).getChildAt(0)?.get(0), "running");
  });

  it("sees what was committed since the last query", async () => {
    const engine = engineWith();
    const count = async () =>
      jsonOf(await engine.query("SELECT count(*) AS n FROM state WHERE key = 'new'", "json"));
    assert.deepEqual(await count(), { rows: [{ n: 0 }] });
    const instance = { service: "Counter", key: "k9" };
    const name = Buffer.from("new");
    store?.transact((tx) => tx.setState(instance, name, name));
    assert.deepEqual(await count(), { rows: [{ n: 1 }] });
    store?.transact((tx) => tx.clearState(instance, name));
  });

  it("takes the time of the query for now", async () => {
    const engine = engineWith();
    const sql = "SELECT date_part('epoch', now()) AS s";
    const { rows } = jsonOf(await engine.query(sql, "json")) as { rows: { s: number }[] };
    assert.ok(Math.abs((rows[0]?.s ?? 0) * 1000 - Date.now()) < 60_000);
    assert.notEqual(rows[0]?.s, CREATED_MS / 1000);
  });

  it("ends a query that takes too long, and answers the next one", async () => {
    const engine = engineWith({ timeoutMs: 2000 });
    const { status, message } = refusalOf(await engine.query(RUNAWAY, "json"));
    assert.equal(status, 400);
    assert.match(message, /ended after 2000 ms: narrow it/);
    assert.deepEqual(jsonOf(await engine.query("SELECT 1 AS one", "json")), { rows: [{ one: 1 }] });
  });

  it("lets the writer and the event loop work while a query runs", async () => {
    const engine = engineWith();
    let isDone = false;
    const running = engine.query(RUNAWAY, "json").finally(() => {
      isDone = true;
    });
    const instance = { service: "Counter", key: "busy" };
    for (let commit = 0; commit < 100; commit += 1) {
      store?.transact((tx) => tx.setState(instance, Buffer.from("n"), Buffer.from(`${commit}`)));
      await sleep(1);
    }
    assert.equal(isDone, false);
    await engine.close();
    assert.equal(refusalOf(await running).status, 503);
  });

  it("lets a few queries wait and refuses more", async () => {
    const engine = engineWith({ timeoutMs: 2000, waitingMax: 2 });
    const running = engine.query(RUNAWAY, "json");
    const waiting = [engine.query("SELECT 1", "json"), engine.query("SELECT 2", "json")];
    const { status, message } = refusalOf(await engine.query("SELECT 3", "json"));
    assert.equal(status, 429);
    assert.match(message, /2 queries are waiting/);
    assert.equal(refusalOf(await running).status, 400);
    // The process that answers them is a new one, which has its own time.
    for (const each of await Promise.all(waiting)) assert.ok(each.ok, JSON.stringify(each));
  });

  it("refuses bad statements and answers the next one", async () => {
    const engine = engineWith();
    assert.equal(refusalOf(await engine.query("DELETE FROM state", "json")).status, 400);
    assert.equal(refusalOf(await engine.query("SELECT * FROM nowhere", "arrow")).status, 400);
    assert.ok((await engine.query("SELECT 1", "json")).ok);
  });

  it("holds answers to its limits", async () => {
    const engine = engineWith({ rowsMax: 3, bytesMax: 2000 });
    assert.match(
      refusalOf(await engine.query("SELECT id FROM sys_invocation", "json")).message,
      /more than 3 rows/,
    );
    assert.match(
      refusalOf(await engine.query("SELECT * FROM sys_invocation LIMIT 3", "json")).message,
      /larger than 2000 bytes/,
    );
  });

  it("says so when there is no database", async () => {
    const engine = engineWith({ file: path.join(temp(), "none.db") });
    const { status, message } = refusalOf(await engine.query("SELECT 1", "json"));
    assert.equal(status, 500);
    assert.match(message, /unable to open|does not exist/);
  });

  it("answers what waits, and nothing more, when it is closed", async () => {
    const engine = engineWith();
    const asked = [engine.query(RUNAWAY, "json"), engine.query("SELECT 1", "json")];
    await sleep(50);
    await engine.close();
    for (const answer of await Promise.all(asked)) assert.equal(refusalOf(answer).status, 503);
    assert.equal(refusalOf(await engine.query("SELECT 1", "json")).status, 503);
    await engine.close();
  });

  it("survives the end of its process", onLinux, async () => {
    const others = new Set(children());
    const engine = engineWith();
    assert.ok((await engine.query("SELECT 1", "json")).ok);
    const [pid] = children().filter((each) => !others.has(each));
    assert.ok(pid !== undefined);
    const running = engine.query(RUNAWAY, "json");
    await sleep(50);
    process.kill(Number(pid), "SIGKILL");
    const { status, message } = refusalOf(await running);
    assert.equal(status, 500);
    assert.match(message, /SIGKILL/);
    assert.ok((await engine.query("SELECT 1", "json")).ok);
  });

  it("keeps no process when nobody asks", onLinux, async () => {
    const others = new Set(children());
    const engine = engineWith({ idleMs: 20 });
    const own = () => children().filter((pid) => !others.has(pid));
    assert.equal(own().length, 0);
    assert.ok((await engine.query("SELECT 1", "json")).ok);
    await until(() => own().length === 0);
    assert.ok((await engine.query("SELECT 1", "json")).ok);
  });
});
