/**
 * The process: serves the workflows to Holdfast, and mails and accounts to whoever looks.
 * Prints one JSON line on stdout when it is ready.
 */
import { once } from "node:events";
import http from "node:http";
import { parseArgs } from "node:util";
import { serve } from "@holdfast/sdk";
import { accessWorkflows } from "./access.ts";
import { Directory } from "./directory.ts";

const HOST = "127.0.0.1";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: "9084" },
    "page-port": { type: "string", default: "9085" },
    directory: { type: "string", default: "access-directory.jsonl" },
    patience: { type: "string", default: "7d" },
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
function durationMs(text: string): number {
  const [, amount, unit] = /^(\d+)([a-z]+)$/.exec(text) ?? [];
  const unitMs = UNITS_MS.get(unit);
  if (unitMs !== undefined) return Number(amount) * unitMs;
  throw new Error(`--patience ${text}: expected such as 90s, 24h or 7d`);
}

const directory = new Directory(flags.directory);
const services = accessWorkflows(directory, { patienceMs: durationMs(flags.patience) });

/** `GET /mails/WHO`, `GET /mails/WHO/link` (the newest one as bare text, for a shell), `GET /systems/NAME`. */
const pages = http.createServer((request, response) => {
  const [, list, name, link] = /^\/(mails|systems)\/(\w+)(\/link)?$/.exec(request.url ?? "") ?? [];
  if (name === undefined) {
    response.writeHead(404, { "content-type": "text/plain" }).end("no such page\n");
  } else if (list === "mails" && link !== undefined) {
    const newest = directory.mailsTo(name).findLast((mail) => mail.link !== undefined);
    response.writeHead(newest === undefined ? 404 : 200, { "content-type": "text/plain" });
    response.end(newest?.link ?? "no mail (yet)\n");
  } else {
    const members = { members: directory.members(name), seated: directory.seated(name) };
    const body = list === "mails" ? directory.mailsTo(name) : members;
    response.writeHead(200, { "content-type": "application/json" });
    response.end(`${JSON.stringify(body, undefined, 2)}\n`);
  }
});

// No drain: Holdfast resumes what stops in the middle.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
// Started by another program over IPC, it does not outlive it.
process.on("disconnect", () => process.exit(0));

const port = await serve({ services: [...services], host: HOST, port: Number(flags.port) });
pages.listen(Number(flags["page-port"]), HOST);
await once(pages, "listening");
const address = pages.address();
if (address === null || typeof address === "string") throw new Error("no TCP port");
const ready = {
  event: "ready",
  endpoint: `http://${HOST}:${port}`,
  page: `http://${HOST}:${address.port}`,
  pid: process.pid,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
