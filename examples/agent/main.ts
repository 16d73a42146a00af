/**
 * The process: serves the agent to Holdfast, and its page to people.
 * Prints one JSON line on stdout when it is ready.
 */
import { once } from "node:events";
import http from "node:http";
import { parseArgs } from "node:util";
import { serve } from "@holdfast/sdk";
import { agentService } from "./agent.ts";
import { httpModel, type Model, standInModel } from "./model.ts";
import { PAGE } from "./page.ts";
import { SupportDesk } from "./support-desk.ts";
import { instructionsFor, supportTools } from "./tools.ts";

const HOST = "127.0.0.1";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "9082" },
    "page-port": { type: "string", default: "9083" },
    desk: { type: "string", default: "agent-desk.jsonl" },
    "approval-timeout": { type: "string", default: "24h" },
    "think-time": { type: "string", default: "500ms" },
    "model-url": { type: "string" },
    "model-name": { type: "string", default: "gpt-4o-mini" },
  },
});

const UNITS_MS: ReadonlyMap<string | undefined, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** `500ms`, `90s`, `15m`, `24h` or `7d`, in milliseconds. */
function durationMs(flag: "approval-timeout" | "think-time"): number {
  const [, amount, unit] = /^(\d+)([a-z]+)$/.exec(flags[flag]) ?? [];
  const unitMs = UNITS_MS.get(unit);
  if (unitMs !== undefined) return Number(amount) * unitMs;
  throw new Error(`--${flag} ${flags[flag]}: expected such as 500ms, 90s or 24h`);
}

const desk = new SupportDesk(flags.desk);
const tools = supportTools(desk);

function chosenModel(): Model {
  const url = flags["model-url"];
  if (url === undefined) return standInModel(durationMs("think-time"));
  const instructions = instructionsFor(tools);
  return httpModel({ url, name: flags["model-name"], key: process.env["MODEL_KEY"], instructions });
}

const agent = agentService({
  model: chosenModel(),
  tools,
  approvalTimeoutMs: durationMs("approval-timeout"),
});

/** `GET /` is the page; `GET /desk` what the tools did. */
const page = http.createServer((request, response) => {
  if (request.url === "/desk") {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`${JSON.stringify(desk.entries(), undefined, 2)}\n`);
  } else if (/^\/(\?|$)/.test(request.url ?? "")) {
    response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(PAGE);
  } else {
    response.writeHead(404).end();
  }
});

// No drain: Holdfast resumes what stops in the middle.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
// Started by another program over IPC, it does not outlive it.
process.on("disconnect", () => process.exit(0));

const port = await serve({ services: [agent], host: HOST, port: Number(flags.port) });
page.listen(Number(flags["page-port"]), HOST);
await once(page, "listening");
const address = page.address();
if (address === null || typeof address === "string") throw new Error("no TCP port");
const ready = {
  event: "ready",
  endpoint: `http://${HOST}:${port}`,
  page: `http://${HOST}:${address.port}`,
  pid: process.pid,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
