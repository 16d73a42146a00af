// Measures the built server: closed loop, everything on loopback.
//   node bench/run.mjs [--sdk restate|holdfast] [--seconds 5] [--callers 1,16,128] [--work echo,steps] [--durability disk]
// Prints one table row per workload: calls/s, p50, p99, CPU seconds per 1,000 calls of server and endpoint (user + system, all
// threads, from /proc), RSS of the server.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { Pool } from "undici";

const { values: options } = parseArgs({
  options: {
    sdk: { type: "string", default: "restate" },
    seconds: { type: "string", default: "5" },
    callers: { type: "string", default: "1,16,128" },
    work: { type: "string", default: "echo,steps" },
    durability: { type: "string", default: "disk" },
    node: { type: "string", default: process.execPath },
    profile: { type: "boolean", default: false },
  },
});

const TICKS_PER_SECOND = 100;
const children = [];

function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout.on("data", (chunk) => {
      text += chunk;
      const end = text.indexOf("\n");
      if (end >= 0) resolve(JSON.parse(text.slice(0, end)));
    });
    child.on("exit", (code) => reject(new Error(`exited with ${code} before it was ready`)));
  });
}

function start(args, env) {
  const child = spawn(options.node, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  children.push(child);
  return child;
}

function cpuSeconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function rssMiB(pid) {
  const line = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(line?.[1] ?? 0) / 1024);
}

async function drive(url, handler, callers, untilMs, latencies) {
  const pool = new Pool(url, { connections: callers, pipelining: 1 });
  let failed = 0;
  const body = JSON.stringify({ name: "Bob", text: "x".repeat(200) });
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < untilMs) {
        const begin = performance.now();
        const answer = await pool.request({
          path: `/Bench/${handler}`,
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
        });
        await answer.body.arrayBuffer();
        if (answer.statusCode !== 200) failed += 1;
        latencies.push(performance.now() - begin);
      }
    }),
  );
  await pool.close();
  return failed;
}

async function measure(ready, pids, handler, callers) {
  await drive(ready.ingress, handler, callers, performance.now() + 1000, []);
  const before = pids.map(cpuSeconds);
  const begin = performance.now();
  const latencies = [];
  const failed = await drive(
    ready.ingress,
    handler,
    callers,
    begin + Number(options.seconds) * 1000,
    latencies,
  );
  const seconds = (performance.now() - begin) / 1000;
  const after = pids.map(cpuSeconds);
  latencies.sort((a, b) => a - b);
  const at = (part) => latencies[Math.floor(latencies.length * part)].toFixed(1);
  const per1000 = after.map((cpu, index) => ((cpu - before[index]) / latencies.length) * 1000);
  return [
    handler,
    callers,
    Math.round(latencies.length / seconds),
    at(0.5),
    at(0.99),
    per1000[0].toFixed(3),
    per1000[1].toFixed(3),
    rssMiB(pids[0]),
    failed,
  ];
}

async function main() {
  const data = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
  try {
    const server = start([
      ...(options.profile ? ["--cpu-prof", "--cpu-prof-dir=.bench"] : []),
      "dist/holdfast.mjs",
      "serve",
      "--ingress",
      "127.0.0.1:0",
      "--admin",
      "127.0.0.1:0",
      "--data",
      data,
      "--durability",
      options.durability,
      "--log-level",
      "warn",
    ]);
    const endpoint = start(["bench/endpoint.mjs"], {
      BENCH_SDK: options.sdk,
      RESTATE_LOGGING: "ERROR",
    });
    const [ready, { port }] = await Promise.all([firstLine(server), firstLine(endpoint)]);
    const registered = await fetch(`${ready.admin}/deployments`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ uri: `http://127.0.0.1:${port}` }),
    });
    if (!registered.ok) throw new Error(await registered.text());
    console.log(`node ${process.version}, sdk ${options.sdk}, durability ${options.durability}`);
    console.log(
      "| work | callers | calls/s | p50 ms | p99 ms | server CPU s/1000 | handler CPU s/1000 | RSS MiB | failed |",
    );
    console.log("|---|---|---|---|---|---|---|---|---|");
    for (const handler of options.work.split(",")) {
      for (const callers of options.callers.split(",").map(Number)) {
        const row = await measure(ready, [server.pid, endpoint.pid], handler, callers);
        console.log(`| ${row.join(" | ")} |`);
      }
    }
  } finally {
    for (const child of children.filter(({ exitCode }) => exitCode === null)) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await gone;
    }
    rmSync(data, { recursive: true, force: true });
  }
}

await main();
