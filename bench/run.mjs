// Measures the built server: closed loop, everything on loopback.
//   node bench/run.mjs [--sdk restate|holdfast] [--seconds 5] [--callers 1,16,128] [--work echo,steps] [--durability disk]
// Prints one table row per workload: calls/s, p50, p99, CPU seconds per 1,000 calls of server and endpoint (user + system, all
// threads, from /proc), RSS of the server.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cpuSeconds, drive, quantile, register, rssMiB, start, stopAll } from "./driver.mjs";

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

async function measure(ready, pids, handler, callers) {
  const load = (untilMs, onAnswer) =>
    drive(ready.ingress, {
      handler,
      callers,
      isOver: () => performance.now() >= untilMs,
      onAnswer,
    });
  await load(performance.now() + 1000, () => {});
  const before = pids.map(cpuSeconds);
  const begin = performance.now();
  const latencies = [];
  const failed = await load(begin + Number(options.seconds) * 1000, (ms) => latencies.push(ms));
  const seconds = (performance.now() - begin) / 1000;
  const after = pids.map(cpuSeconds);
  const per1000 = after.map((cpu, index) => ((cpu - before[index]) / latencies.length) * 1000);
  return [
    handler,
    callers,
    Math.round(latencies.length / seconds),
    quantile(latencies, 0.5).toFixed(1),
    quantile(latencies, 0.99).toFixed(1),
    per1000[0].toFixed(3),
    per1000[1].toFixed(3),
    rssMiB(pids[0]),
    failed,
  ];
}

async function main() {
  const data = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
  try {
    const server = await start(
      [
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
      ],
      { node: options.node },
    );
    const endpoint = await start(["bench/endpoint.mjs"], {
      env: { BENCH_SDK: options.sdk, RESTATE_LOGGING: "ERROR" },
      node: options.node,
    });
    const { ready } = server;
    const pids = [server.child.pid, endpoint.child.pid];
    await register(ready.admin, `http://127.0.0.1:${endpoint.ready.port}`);
    console.log(`node ${process.version}, sdk ${options.sdk}, durability ${options.durability}`);
    console.log(
      "| work | callers | calls/s | p50 ms | p99 ms | server CPU s/1000 | handler CPU s/1000 | RSS MiB | failed |",
    );
    console.log("|---|---|---|---|---|---|---|---|---|");
    for (const handler of options.work.split(",")) {
      for (const callers of options.callers.split(",").map(Number)) {
        const row = await measure(ready, pids, handler, callers);
        console.log(`| ${row.join(" | ")} |`);
      }
    }
  } finally {
    await stopAll();
    rmSync(data, { recursive: true, force: true });
  }
}

await main();
