// How long nobody serves when the writer is gone and a standby takes over: from `kill -9`, or from SIGTERM, of the writer to the first
// attempt of an invocation that the standby resumes.
//   node bench/standby.mjs [--sizes 10,100,1000] [--leases 3,10] [--stores file,s3] [--latency 0] [--rounds 3]
// Sizes are in MB of the database file, leases in seconds; durability bucket. After each round the one that was killed stands by again, and
// the next round kills the other one.
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { once } from "node:events";
import http2 from "node:http2";
import { randomBytes } from "node:crypto";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createEndpointHandler, service } from "@holdfast/sdk";
import { drive, quantile, register, start, stopAll } from "./driver.mjs";

const { values: options } = parseArgs({
  options: {
    sizes: { type: "string", default: "10,100,1000" },
    leases: { type: "string", default: "3,10" },
    stores: { type: "string", default: "file,s3" },
    /** Added to each answer of the store s3, in ms. */
    latency: { type: "string", default: "0" },
    rounds: { type: "string", default: "3" },
    server: { type: "string", default: "dist/holdfast.mjs" },
  },
});

const MB = 1_000_000;
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
const FILL_CALLERS = 64;
const WALKERS = 4;
const STEP_MS = 200;

/** Told of each attempt of a walk. */
let onAttempt = () => {};

const services = [
  service({
    name: "Bench",
    handlers: {
      echo: async (_ctx, input) => input,
      walk: async (ctx, steps) => {
        onAttempt();
        for (let step = 0; step < steps; step += 1) await ctx.run("step", () => delay(STEP_MS));
      },
    },
  }),
];

async function serveEndpoint() {
  const endpoint = http2.createServer(createEndpointHandler({ services }));
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  return endpoint;
}

/** About half of it is incompressible, as text with ids, names and numbers is. */
const payload = () =>
  JSON.stringify({ text: `${randomBytes(1300).toString("base64")}${"x".repeat(1700)}` });

class Station {
  constructor(name, root, bucket, lease) {
    this.data = path.join(root, name);
    this.log = path.join(root, `${name}.log`);
    this.flags = [...bucket, "--durability", "bucket", "--lease", `${lease}s`];
  }

  /** Resolves with its addresses when it serves. */
  start(more = []) {
    const addresses = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", this.data];
    const stderr = openSync(this.log, "w");
    const args = [options.server, "serve", ...addresses, ...this.flags, ...more];
    this.serving = start(args, { env: CREDENTIALS, stderr });
    this.serving.catch(() => {});
    closeSync(stderr);
    return this.serving;
  }

  get databaseBytes() {
    const file = path.join(this.data, "holdfast.db");
    return existsSync(file) ? statSync(file).size : 0;
  }

  /** When its log said so first; null: not yet. */
  saidAtMs(event) {
    const lines = readFileSync(this.log, "utf8").split("\n");
    const line = lines.find((each) => each.includes(`"event":"${event}"`));
    return line === undefined ? null : Date.parse(JSON.parse(line).time);
  }

  async standingBy() {
    while (this.saidAtMs("standing-by") === null) await delay(50);
    // So that it has seen a beat or two, as one that has stood by for days.
    await delay(1500);
  }
}

async function walk(ingress) {
  for (let walker = 0; walker < WALKERS; walker += 1) {
    const answer = await fetch(`${ingress}/Bench/walk/send`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "1000",
    });
    if (answer.status !== 202) throw new Error(`the call answered ${answer.status}`);
  }
}

/** The walks of the rounds before are not to be waited for. */
async function cancelAll(admin) {
  const answer = await fetch(`${admin}/query`, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json" },
    body: JSON.stringify({ query: "SELECT id FROM sys_invocation WHERE status <> 'completed'" }),
  });
  for (const { id } of (await answer.json()).rows)
    await fetch(`${admin}/invocations/${id}/kill`, { method: "PATCH" });
}

/** Ends the writer; returns what passed, in ms. */
async function takeOver(writer, standby, signal) {
  const { child, ready } = await writer.serving;
  await standby.standingBy();
  await walk(ready.ingress);
  // Anywhere between two beats.
  await delay(1000 + Math.random() * 3000);
  const resumed = new Promise((resolve) => {
    onAttempt = () => resolve(Date.now());
  });
  const beganMs = Date.now();
  child.kill(signal);
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const goneMs = Date.now();
  const resumedMs = await resumed;
  onAttempt = () => {};
  const lapsedMs = standby.saidAtMs("lease-lapsed");
  const tookOverMs = standby.saidAtMs("took-over");
  await cancelAll((await standby.serving).ready.admin);
  return {
    totalMs: resumedMs - (signal === "SIGKILL" ? beganMs : goneMs),
    silentMs: lapsedMs - goneMs,
    copyMs: tookOverMs - lapsedMs,
    bootMs: resumedMs - tookOverMs,
  };
}

const seconds = (ms) => (ms / 1000).toFixed(2);

async function measure(store, megabytes, lease, url, port) {
  const root = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
  const bucket =
    store === "file"
      ? ["--bucket", `file://${path.join(root, "bucket")}`]
      : ["--bucket", "s3://bench/journal", "--bucket-endpoint", url, "--bucket-path-style"];
  let [writer, standby] = ["a", "b"].map((name) => new Station(name, root, bucket, lease));
  try {
    const { ready } = await writer.start();
    await register(ready.admin, `http://127.0.0.1:${port}`);
    await drive(ready.ingress, {
      handler: "echo",
      callers: FILL_CALLERS,
      isOver: () => writer.databaseBytes >= megabytes * MB,
      body: payload,
      onAnswer: () => {},
    });
    void standby.start(["--standby"]);
    for (const signal of ["SIGKILL", "SIGTERM"]) {
      const all = [];
      for (let round = 0; round < Number(options.rounds); round += 1) {
        all.push(await takeOver(writer, standby, signal));
        rmSync(writer.data, { recursive: true });
        void writer.start(["--standby"]);
        [writer, standby] = [standby, writer];
      }
      const of = (what) => all.map((each) => each[what]);
      const total = of("totalMs");
      const end = signal === "SIGKILL" ? "kill -9" : "SIGTERM";
      const parts = ["silentMs", "copyMs", "bootMs"].map((what) =>
        seconds(quantile(of(what), 0.5)),
      );
      const sum = `${seconds(quantile(total, 0.5))}, ${seconds(Math.max(...total))}`;
      const size = Math.round(writer.databaseBytes / MB);
      const row = [store, size, `${lease} s`, end, ...parts, sum];
      console.log(`| ${row.join(" | ")} |`);
    }
  } finally {
    // A standby that ends is no failure of the start.
    await stopAll();
    rmSync(root, { recursive: true, force: true });
  }
}

const endpoint = await serveEndpoint();
try {
  console.log(`node ${process.version}, durability bucket, ${options.rounds} rounds`);
  console.log(
    "| store | database MB | lease | end of the writer | until lapsed s | until took over s | until resumed s | all, s: median, worst |",
  );
  console.log("|---|---|---|---|---|---|---|---|");
  for (const store of options.stores.split(",")) {
    for (const megabytes of options.sizes.split(",").map(Number)) {
      for (const lease of options.leases.split(",").map(Number)) {
        const s3 = store === "s3" ? await start(["bench/store.mjs", options.latency]) : null;
        await measure(store, megabytes, lease, s3?.ready.urls[0], endpoint.address().port);
      }
    }
  }
} finally {
  await stopAll();
  process.exit();
}
