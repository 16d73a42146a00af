// The `restate` command line against the built server: its commands are run one after another, and what they print is checked.
// Usage: npm run test:cli   RESTATE_CLI names a binary that is installed already; without it, one is installed into a temporary folder.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import http2 from "node:http2";
import os from "node:os";
import path from "node:path";
import { ROOT } from "./bundle.mjs";

const CLI_VERSION = "1.7.12";
const COMMAND_TIMEOUT_MS = 30_000;
const READY_TIMEOUT_MS = 30_000;

/** Node 20 has no `Promise.withResolvers`, which the SDK calls. */
Promise.withResolvers ??= function withResolvers() {
  const made = {};
  made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
};
const { createEndpointHandler, handlers, object, service, workflow } =
  await import("@restatedev/restate-sdk");

const temporary = mkdtempSync(path.join(os.tmpdir(), "holdfast-cli-"));
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));

const cli = process.env.RESTATE_CLI ?? installCli();

function installCli() {
  const folder = path.join(temporary, "npm");
  mkdirSync(folder);
  const flags = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", folder];
  const run = spawnSync("npm", ["install", `@restatedev/restate@${CLI_VERSION}`, ...flags], {
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (run.status !== 0) throw new Error(`npm could not install the command line ${CLI_VERSION}`);
  return path.join(folder, "node_modules", ".bin", "restate");
}

function services(revision) {
  return [
    service({
      name: "Greeter",
      handlers: {
        greet: async (ctx, name) => await ctx.run("compose", () => `Hello ${name}, ${revision}`),
        wait: async (ctx) => await ctx.sleep({ hours: 1 }, "a long nap"),
        fail: async () => {
          throw new Error("the mailer is down");
        },
      },
      options: { retryPolicy: { initialInterval: { minutes: 1 } } },
    }),
    object({
      name: "Counter",
      handlers: {
        add: async (ctx, by) => {
          const count = ((await ctx.get("count")) ?? 0) + by;
          ctx.set("count", count);
          ctx.set("label", "é");
          return count;
        },
        hold: async (ctx) => await ctx.sleep({ hours: 1 }),
        read: handlers.object.shared(async (ctx) => await ctx.get("count")),
      },
    }),
    workflow({ name: "Signup", handlers: { run: async (ctx) => await ctx.promise("confirmed") } }),
  ];
}

async function startEndpoint(revision) {
  const handler = createEndpointHandler({
    services: services(revision),
    logger: () => {},
    bidirectional: false,
  });
  const server = http2.createServer(handler);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

function startServer() {
  const args = ["serve", "--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const data = path.join(temporary, "data");
  const server = spawn(
    process.execPath,
    [path.join(ROOT, "dist", "holdfast.mjs"), ...args, "--data", data, "--log-level", "warn"],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  process.on("exit", () => server.kill("SIGKILL"));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the server is not ready")), READY_TIMEOUT_MS);
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    server.stdout.once("data", (line) => {
      clearTimeout(timer);
      resolve(JSON.parse(line));
    });
  });
}

const server = await startServer();

/** Runs a command and returns what it printed; fails when it does. */
async function restate(...args) {
  const { code, out } = await attempt(...args);
  assert.equal(code, 0, `restate ${args.join(" ")} ended with ${code}:\n${out}`);
  return out;
}

async function attempt(...args) {
  const child = spawn(cli, [...args, "--yes"], {
    env: {
      ...process.env,
      RESTATE_ADMIN_URL: server.admin,
      RESTATE_INGRESS_URL: server.ingress,
      RESTATE_CLI_CONFIG_HOME: path.join(temporary, "config"),
      NO_COLOR: "1",
      DO_NOT_TRACK: "1",
      COLUMNS: "500",
    },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: COMMAND_TIMEOUT_MS,
    shell: process.platform === "win32",
  });
  // What is for people goes to stderr, also on success.
  let [out, stdout] = ["", ""];
  child.stdout
    .setEncoding("utf8")
    .on("data", (text) => ([out, stdout] = [out + text, stdout + text]));
  child.stderr.setEncoding("utf8").on("data", (text) => (out += text));
  const code = await new Promise((resolve) => child.once("close", resolve));
  return { code, out, stdout };
}

async function post(url, body) {
  const response = await fetch(server.ingress + url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: JSON.parse(await response.text()) };
}

async function send(url, body) {
  const { status, json } = await post(`${url}/send`, body);
  assert.equal(status, 202);
  return json.invocationId;
}

async function statusOf(id) {
  const response = await fetch(`${server.admin}/invocations/${id}`);
  return response.status === 404 ? "gone" : (await response.json()).status;
}

async function until(id, status) {
  for (let each = 0; each < 500 && (await statusOf(id)) !== status; each += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.equal(await statusOf(id), status);
}

function has(out, ...words) {
  for (const word of words) assert.ok(out.includes(word), `"${word}" in:\n${out}`);
}

const first = await startEndpoint("one");
const second = await startEndpoint("two");
let deployment = "";

const COMMANDS = {
  whoami: async () => has(await restate("whoami"), server.admin),
  "deployments register": async () => {
    const out = await restate("deployments", "register", first);
    has(out, "Greeter", "Counter", "Signup", "greet");
    has((await attempt("deployments", "register", first)).out, "already");
    has(await restate("deployments", "register", first, "--force"), "Greeter");
    deployment = /dp_1[0-9a-zA-Z]{22}/.exec(await restate("deployments", "list"))?.[0] ?? "";
    assert.notEqual(deployment, "");
    const refused = await attempt("deployments", "register", "http://127.0.0.1:1");
    assert.notEqual(refused.code, 0);
    has(refused.out, "META0003");
  },
  "deployments list, describe": async () => {
    has(await restate("deployments", "list"), deployment, first);
    has(await restate("deployments", "list", "--extra"), deployment);
    has(await restate("deployments", "describe", deployment), deployment, first, "Greeter");
    has(await restate("deployments", "describe", deployment, "--extra"), "Counter");
  },
  "services list, describe": async () => {
    has(await restate("services", "list"), "Greeter", "Counter", "Signup");
    has(await restate("services", "describe", "Counter"), "Counter", "add", "hold", deployment);
  },
  "services config view, patch": async () => {
    const change = ["--public", "false", "--idempotency-retention", "3h"];
    await restate("services", "config", "patch", "Greeter", ...change);
    has(await restate("services", "config", "view", "Greeter"), "false", "3h");
    assert.equal((await post("/Greeter/greet", "x")).status, 400);
    await restate("services", "config", "patch", "Greeter", "--public", "true");
    assert.deepEqual((await post("/Greeter/greet", "Ada")).json, "Hello Ada, one");
  },
  "services status": async () => {
    const holder = await send("/Counter/busy/hold");
    const queued = await send("/Counter/busy/add", 1);
    await until(holder, "suspended");
    has(await restate("services", "status"), "Counter", "hold");
    has(await restate("services", "status", "Counter"), "busy", holder);
    for (const id of [queued, holder]) await restate("invocations", "cancel", id, "--kill");
  },
  "invocations list, describe": async () => {
    const waiting = await send("/Greeter/wait");
    const failing = await send("/Greeter/fail");
    await until(waiting, "suspended");
    await until(failing, "backing-off");
    has(await restate("invocations", "list"), waiting, failing, "suspended", "backing-off");
    const suspended = await restate("invocations", "list", "--status", "suspended");
    has(suspended, waiting);
    assert.ok(!suspended.includes(failing));
    has(await restate("invocations", "list", "--service", "Greeter", "--handler", "fail"), failing);
    has(await restate("invocations", "list", "--all", "--oldest-first"), waiting);
    has(await restate("invocations", "list", "--deployment", deployment), waiting);
    has(await restate("invocations", "list", "--completion-result", "success"), "Greeter/greet");
    has(await restate("invocations", "describe", waiting), "Greeter/wait", "Sleep", "a long nap");
    has(await restate("invocations", "describe", failing), "Greeter/fail", "the mailer is down");
    await restate("invocations", "cancel", waiting);
    await until(waiting, "completed");
    await restate("invocations", "kill", failing);
    await until(failing, "completed");
  },
  "invocations pause, resume": async () => {
    const id = await send("/Greeter/wait");
    await until(id, "suspended");
    await restate("invocations", "pause", id);
    await until(id, "paused");
    has(await restate("invocations", "list", "--status", "paused"), id);
    await restate("invocations", "resume", id);
    await until(id, "suspended");
    await restate("invocations", "cancel", "Greeter/wait");
    await until(id, "completed");
  },
  "invocations purge, restart-as-new": async () => {
    const id = await send("/Greeter/greet", "Bob");
    await until(id, "completed");
    await restate("invocations", "restart-as-new", id);
    await restate("invocations", "purge", id);
    await until(id, "gone");
  },
  "state get, patch, clear": async () => {
    assert.deepEqual((await post("/Counter/k1/add", 5)).json, 5);
    has(await restate("state", "get", "Counter", "k1"), "count", "5", "label", "é");
    const patch = '[{"op":"replace","path":"/count","value":9}]';
    await restate("state", "patch", "Counter", "k1", "--patch", patch);
    assert.deepEqual((await post("/Counter/k1/read")).json, 9);
    await restate("state", "clear", "Counter/k1");
    assert.deepEqual((await post("/Counter/k1/add", 1)).json, 1);
  },
  sql: async () => {
    const query =
      "SELECT id, status, created_at FROM sys_invocation WHERE target = 'Greeter/greet'";
    has(await restate("sql", query), "completed", "inv_1");
    const rows = JSON.parse((await attempt("sql", query, "--json")).stdout);
    assert.ok(rows.length > 0 && rows.every(({ id }) => id.startsWith("inv_1")));
    has(await restate("sql", query, "--jsonl"), '"completed"');
    has(await restate("sql", "SELECT count(1) AS n, 1.5 AS f, NULL AS x FROM state"), "N", "1.5");
    has(await restate("sql", "SELECT * FROM state"), "Counter");
    const wrong = await attempt("sql", "SELECT x FROM nowhere");
    assert.notEqual(wrong.code, 0);
    has(wrong.out, "nowhere");
  },
  "deployments remove": async () => {
    const waiting = await send("/Greeter/wait");
    await until(waiting, "suspended");
    await restate("deployments", "register", second);
    const refused = await attempt("deployments", "remove", deployment);
    assert.notEqual(refused.code, 0, refused.out);
    await restate("invocations", "cancel", waiting);
    await until(waiting, "completed");
    await restate("deployments", "remove", deployment);
    assert.ok(!(await restate("deployments", "list")).includes(deployment));
    assert.deepEqual((await post("/Greeter/greet", "Eve")).json, "Hello Eve, two");
  },
};

let failures = 0;
for (const [name, check] of Object.entries(COMMANDS)) {
  try {
    await check();
    console.log(`ok      ${name}`);
  } catch (error) {
    failures += 1;
    console.error(`FAILED  ${name}\n${error instanceof Error ? error.message : String(error)}\n`);
  }
}
process.exit(failures === 0 ? 0 : 1);
