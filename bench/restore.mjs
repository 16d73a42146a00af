// How much is lost with a machine (RPO), and how long it takes to serve again from the bucket (RTO): a journal is made, shipped,
// and the server killed and its disk deleted under load, again and again.
//   node bench/restore.mjs [--sizes 10,100,1000] [--stores file,s3] [--rounds 3] [--durability disk]
// Sizes are in MB of the database file. RTO is from the start of the process on an empty directory to its ready line, and to the answer
// to the first call. "segments": all of the journal lies in segments; "snapshot": in a snapshot and the few behind it.
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { drive, quantile, register, SMALL_BODY, start, stop, stopAll } from "./driver.mjs";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "10,100,1000" },
    stores: { type: "string", default: "file,s3" },
    rounds: { type: "string", default: "3" },
    durability: { type: "string", default: "disk" },
    server: { type: "string", default: "dist/holdfast.mjs" },
  },
});

const MB = 1_000_000;
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
const FILL_CALLERS = 64;
const LOAD_CALLERS = 2;
const LOAD_MS = 2000;
/** Calls acknowledged this long before the end are looked for. */
const LOOK_MS = 20_000;

/** About half of it is incompressible, as text with ids, names and numbers is. */
function payload() {
  const lines = Array.from({ length: 30 }, (_, index) => {
    const id = randomBytes(36).toString("base64");
    return `{"line":${index},"article":"book","quantity":1,"priceCents":1900,"reference":"${id}"}`;
  });
  return JSON.stringify({ name: "Bob", text: lines.join("\n") });
}

class Site {
  constructor(store, root, url) {
    this.store = store;
    this.data = path.join(root, "data");
    this.log = path.join(root, "log");
    this.bucket =
      store === "file"
        ? ["--bucket", `file://${path.join(root, "bucket")}`]
        : ["--bucket", "s3://bench/journal", "--bucket-endpoint", url, "--bucket-path-style"];
  }

  async serve(more = []) {
    const addresses = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    const flags = [
      "--data",
      this.data,
      "--durability",
      options.durability,
      ...this.bucket,
      ...more,
    ];
    const stderr = openSync(this.log, "w");
    const { child, ready } = await start([options.server, "serve", ...addresses, ...flags], {
      env: CREDENTIALS,
      stderr,
    });
    closeSync(stderr);
    this.child = child;
    this.ingress = ready.ingress;
    this.admin = ready.admin;
  }

  get databaseBytes() {
    const file = path.join(this.data, "holdfast.db");
    return existsSync(file) ? statSync(file).size : 0;
  }

  /** The facts of its last line of this event. */
  said(event) {
    const lines = readFileSync(this.log, "utf8").split("\n");
    const line = lines.findLast((each) => each.includes(`"event":"${event}"`));
    return line === undefined ? null : JSON.parse(line);
  }

  async shipped() {
    for (;;) {
      const { replica } = await (await fetch(`${this.admin}/health`)).json();
      if (replica.unshipped_bytes === 0 || replica.lag_ms === 0) return;
      await delay(100);
    }
  }

  async snapshot() {
    while (this.said("snapshot") === null) {
      await call(this.ingress);
      await delay(200);
    }
  }
}

async function call(ingress) {
  const answer = await fetch(`${ingress}/Bench/echo`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: SMALL_BODY,
  });
  await answer.text();
  if (answer.status !== 200) throw new Error(`the call answered ${answer.status}`);
}

async function fill(site, bytes) {
  await drive(site.ingress, {
    handler: "echo",
    callers: FILL_CALLERS,
    isOver: () => site.databaseBytes >= bytes,
    body: payload,
    onAnswer: () => {},
  });
}

/** Kills the server under load, deletes its disk and starts it again. */
async function lose(site) {
  const acknowledged = [];
  let isOver = false;
  const load = drive(site.ingress, {
    handler: "echo",
    callers: LOAD_CALLERS,
    isOver: () => isOver,
    onAnswer: (_ms, headers) =>
      acknowledged.push({ id: headers["x-restate-id"], atMs: performance.now() }),
  }).catch(() => {});
  await delay(LOAD_MS * (1 + Math.random()));
  isOver = true;
  const killedMs = performance.now();
  await stop(site.child, "SIGKILL");
  await load;
  rmSync(site.data, { recursive: true });

  const beganMs = performance.now();
  await site.serve();
  const readyMs = performance.now() - beganMs;
  await call(site.ingress);
  const calledMs = performance.now() - beganMs;
  const recent = acknowledged.filter(({ atMs }) => killedMs - atMs < LOOK_MS);
  const known = await knownOf(site.admin, recent);
  const lost = recent.filter(({ id }) => !known.has(id));
  const rpoMs = Math.max(0, ...lost.map(({ atMs }) => killedMs - atMs));
  return { rpoMs, readyMs, calledMs, restored: site.said("restored") };
}

async function knownOf(admin, calls) {
  const known = new Set();
  for (let from = 0; from < calls.length; from += 1000) {
    const ids = calls.slice(from, from + 1000).map(({ id }) => `'${id}'`);
    const answer = await fetch(`${admin}/query`, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify({
        query: `SELECT id FROM sys_invocation WHERE id IN (${ids.join(",")})`,
      }),
    });
    const { rows } = await answer.json();
    for (const { id } of rows) known.add(id);
  }
  return known;
}

const seconds = (ms) => (ms / 1000).toFixed(2);

async function rounds(site, megabytes, from) {
  const all = [];
  for (let round = 0; round < Number(options.rounds); round += 1) all.push(await lose(site));
  const of = (what) => all.map((each) => each[what]);
  const { restored } = all.at(-1);
  const row = [
    site.store,
    Math.round(site.databaseBytes / MB) || megabytes,
    from,
    (restored.bytes / MB).toFixed(1),
    restored.segments,
    `${seconds(quantile(of("rpoMs"), 0.5))}, ${seconds(Math.max(...of("rpoMs")))}`,
    seconds(quantile(of("readyMs"), 0.5)),
    seconds(quantile(of("calledMs"), 0.5)),
  ];
  console.log(`| ${row.join(" | ")} |`);
}

async function measure(store, megabytes, url, endpointPort) {
  const root = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
  const site = new Site(store, root, url);
  try {
    await site.serve();
    await register(site.admin, `http://127.0.0.1:${endpointPort}`);
    await fill(site, megabytes * MB);
    await site.shipped();
    await rounds(site, megabytes, "segments");
    await stop(site.child);
    await site.serve(["--snapshot-segments", "1"]);
    await site.snapshot();
    await stop(site.child);
    await site.serve();
    await rounds(site, megabytes, "snapshot");
    await stop(site.child);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

try {
  const endpoint = await start(["bench/endpoint.mjs"], { env: { BENCH_SDK: "holdfast" } });
  console.log(
    `node ${process.version}, durability ${options.durability}, ${options.rounds} rounds`,
  );
  console.log(
    "| store | database MB | from | MB read | segments | RPO s: median, worst | RTO s: ready | RTO s: first call |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const store of options.stores.split(",")) {
    for (const megabytes of options.sizes.split(",").map(Number)) {
      const s3 = await start(["bench/store.mjs", "0"]);
      await measure(store, megabytes, s3.ready.urls[0], endpoint.ready.port);
      await stop(s3.child);
    }
  }
} finally {
  await stopAll();
}
