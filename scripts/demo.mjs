// The built server with an example behind it, and what to try next. Kills are survived, Ctrl-C stops both.
// Usage: node scripts/demo.mjs [--example NAME] [flags of holdfast serve]   HOLDFAST_* variables are passed on to the server.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { ROOT } from "./bundle.mjs";
import { EXAMPLES } from "./guides.mjs";
import { Supervised } from "./supervise.mjs";

const flags = process.argv.slice(2);
const name = flags[0] === "--example" ? flags.splice(0, 2)[1] : "checkout";
const chosen = EXAMPLES[name];
if (chosen === undefined) {
  console.error(`There is no example ${name}. There are: ${Object.keys(EXAMPLES).join(", ")}`);
  process.exit(2);
}

const COMMAND = name === "checkout" ? "npm start" : `npm run example -- ${name}`;

/** The example's own files. Its port is kept: what is in flight goes on at the address it began at. */
const DEMO =
  process.env.EXAMPLE_DIRECTORY ??
  (name === "checkout" ? path.join(ROOT, ".demo") : path.join(ROOT, ".demo", name));
const PORT_FILE = path.join(DEMO, "endpoint-port");

const PARENT_CHECK_MS = 250;

const PORT_ADVICE = `
A port is taken by another program (perhaps by another npm start). Stop that one, or choose other ports:
  HOLDFAST_INGRESS=127.0.0.1:18080 HOLDFAST_ADMIN=127.0.0.1:19070 ${COMMAND}`;

/** The port the endpoint had last time if nobody else took it since; 0 means any. */
async function endpointPort() {
  const kept = existsSync(PORT_FILE) ? Number(readFileSync(PORT_FILE, "utf8")) : 0;
  const probe = net.createServer();
  const free = await new Promise((resolve) => {
    probe.once("error", () => resolve(false)).listen(kept, "127.0.0.1", () => resolve(true));
  });
  if (!free) return "0";
  await new Promise((resolve) => probe.close(resolve));
  return String(kept);
}

const hostOf = (url) => new URL(url).host;
const portOf = (url) => new URL(url).port;

let stopping = false;
const programs = [];

async function stop(signal, exitCode) {
  if (stopping) return;
  stopping = true;
  // The server first: it drains while its endpoint is still there.
  for (const program of programs.toReversed()) await program.stop(signal);
  if (exitCode === 0)
    console.log(`Stopped. The journal is kept; ${COMMAND} goes on where this ended.`);
  process.exit(exitCode);
}

process.on("SIGINT", () => void stop("SIGINT", 0));
process.on("SIGTERM", () => void stop("SIGTERM", 0));
process.on("SIGHUP", () => void stop("SIGTERM", 0));
if (["start", "example"].includes(process.env.npm_lifecycle_event)) {
  // A signal to npm ends the shell between npm and us, and does not come any further: we notice that it is gone.
  const shell = process.ppid;
  setInterval(() => process.ppid !== shell && void stop("SIGTERM", 0), PARENT_CHECK_MS).unref();
}

/** Says why there is nothing more to do here. */
async function giveUp(who, why, stderr) {
  if (stopping) return;
  console.error(`\n${who} ${why}`);
  if (/EADDRINUSE/.test(stderr)) console.error(PORT_ADVICE);
  await stop("SIGTERM", 1);
}

async function run(who, args, env) {
  const program = new Supervised({
    args,
    env,
    onKilled: (signal) => console.log(`\n${who} was killed (${signal}). Starting it again ...`),
    onBack: (line, ms) => console.log(`${who} is back after ${ms} ms, process ${line.pid}.`),
    onEnd: (why, stderr) => void giveUp(who, why, stderr),
  });
  programs.push(program);
  try {
    return await program.start();
  } catch (error) {
    return giveUp(who, error.message, error.stderr ?? "");
  }
}

async function register(admin, uri) {
  const token = process.env.HOLDFAST_ADMIN_TOKEN;
  const response = await fetch(`${admin}/deployments`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ uri, force: true }),
  });
  if (!response.ok) throw new Error(`answered ${response.status}: ${await response.text()}`);
}

function guide(server, example) {
  return `
Holdfast ${server.version} is ready.
  ingress   ${server.ingress}   where callers invoke services
  admin     ${server.admin}   where endpoints are registered
  journal   ${path.resolve(server.data)}
  example   ${example.endpoint}   examples/${name}, process ${example.pid}

${chosen.guide(server, example)}`;
}

mkdirSync(DEMO, { recursive: true });
const port = await endpointPort();
const example = await run(`The ${name} example`, (last) => [
  path.join(ROOT, "examples", name, "dist", "main.mjs"),
  `--port=${last === undefined ? port : portOf(last.endpoint)}`,
  ...chosen.args(DEMO, last),
]);

const server = await run(
  "The server",
  (last) => [
    path.join(ROOT, "dist", "holdfast.mjs"),
    "serve",
    ...flags,
    ...(last === undefined
      ? []
      : ["--ingress", hostOf(last.ingress), "--admin", hostOf(last.admin)]),
  ],
  { HOLDFAST_LOG_LEVEL: "warn", ...process.env },
);
try {
  await register(server.admin, example.endpoint);
  writeFileSync(PORT_FILE, portOf(example.endpoint));
  console.log(guide(server, example));
} catch (error) {
  await giveUp("Registering the example", `failed: ${error.message}`, "");
}
