/**
 * The process that answers queries. It opens the database when it is told which, then answers one query at a time; it ends with the
 * server.
 */
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import type BetterSqlite3 from "better-sqlite3";
import type { OpenRequest, QueryAnswer, QueryRequest } from "../messages.ts";
import { SqlEngine } from "./engine.ts";
import { refusal } from "./refusal.ts";

/** How often it is looked whether the server is still there. */
const WATCH_MS = 1000;

/** A statement cannot be interrupted from its own thread, so another one ends a process whose server was killed. */
const WATCHER = `
const { workerData } = require("node:worker_threads");
setInterval(() => {
  if (process.ppid !== workerData.parent) process.kill(process.pid, "SIGKILL");
}, workerData.everyMs);
`;

let engine: SqlEngine | undefined;

function load(driver: string): typeof BetterSqlite3 {
  return createRequire(driver)(driver);
}

function open({ file, driver, version }: OpenRequest): SqlEngine {
  const Database = load(driver);
  return new SqlEngine(new Database(file, { readonly: true, fileMustExist: true }), version);
}

function answer(request: OpenRequest | QueryRequest): QueryAnswer | undefined {
  try {
    if (request.type === "query") return engine?.answer(request);
    engine = open(request);
    return undefined;
  } catch (error) {
    // Without a database every further question would fail in its own way: the server starts another process.
    process.send?.(refusal(error), () => process.exit(1));
    return undefined;
  }
}

process.title = "holdfast query";
try {
  // When memory runs out, this process is what the system ends first.
  writeFileSync("/proc/self/oom_score_adj", "1000");
} catch {
  // Only Linux has it.
}
new Worker(WATCHER, {
  eval: true,
  execArgv: [],
  workerData: { parent: process.ppid, everyMs: WATCH_MS },
}).unref();
process.on("message", (request: OpenRequest | QueryRequest) => {
  const answered = answer(request);
  if (answered !== undefined) process.send?.(answered);
});
process.on("disconnect", () => process.exit(0));
