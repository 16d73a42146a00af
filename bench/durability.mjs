// What the replica costs: the same load on servers that differ in durability alone, one after another, round after round.
//   node bench/durability.mjs [--rounds 5] [--seconds 4] [--callers 1,16,128] [--work echo,steps] [--sdk holdfast]
// Prints medians over the rounds; the CPU of a server is compared with that of the first one in the same round.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cpuSeconds, drive, quantile, register, start, stopAll } from "./driver.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
    callers: { type: "string", default: "1,16,128" },
    work: { type: "string", default: "echo,steps" },
    sdk: { type: "string", default: "holdfast" },
    server: { type: "string", default: "dist/holdfast.mjs" },
  },
});

const CREDENTIALS = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
const WARM_UP_MS = 500;

/** Latency in milliseconds that is added to every request; null: no bucket. */
const SETTINGS = [
  { name: "disk, no bucket", durability: "disk", latencyMs: null },
  { name: "disk, bucket", durability: "disk", latencyMs: 0 },
  { name: "bucket, store + 0 ms", durability: "bucket", latencyMs: 0 },
  { name: "bucket, store + 20 ms", durability: "bucket", latencyMs: 20 },
  { name: "bucket, store + 50 ms", durability: "bucket", latencyMs: 50 },
];
const LATENCIES = [0, 20, 50];

async function startServer(setting, index, root, urls, endpointPort) {
  const url = setting.latencyMs === null ? null : urls[LATENCIES.indexOf(setting.latencyMs)];
  const bucket = [
    "--bucket",
    `s3://bench/${index}`,
    "--bucket-endpoint",
    url,
    "--bucket-path-style",
  ];
  const addresses = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const data = path.join(root, `${index}`);
  const flags = ["--data", data, "--durability", setting.durability, "--log-level", "warn"];
  const { child, ready } = await start(
    [options.server, "serve", ...addresses, ...flags, ...(url === null ? [] : bucket)],
    { env: CREDENTIALS },
  );
  await register(ready.admin, `http://127.0.0.1:${endpointPort}`);
  return { ...setting, pid: child.pid, ...ready };
}

/** Segments and their bytes so far. */
async function shippedBy(admin) {
  const text = await (await fetch(`${admin}/metrics`)).text();
  const read = (name) =>
    Number(new RegExp(`^holdfast_replica_${name} (.*)$`, "m").exec(text)?.[1] ?? 0);
  return { segments: read("segments_total"), bytes: read("segment_bytes_total") };
}

async function measure({ ingress, admin, pid }, handler, callers) {
  const load = (untilMs, onAnswer) =>
    drive(ingress, { handler, callers, isOver: () => performance.now() >= untilMs, onAnswer });
  await load(performance.now() + WARM_UP_MS, () => {});
  const before = await shippedBy(admin);
  const cpu = cpuSeconds(pid);
  const beganMs = performance.now();
  const latencies = [];
  const failed = await load(beganMs + Number(options.seconds) * 1000, (ms) => latencies.push(ms));
  if (failed > 0) throw new Error(`${failed} calls failed`);
  const tookMs = performance.now() - beganMs;
  const used = cpuSeconds(pid) - cpu;
  const after = await shippedBy(admin);
  return {
    rate: (latencies.length / tookMs) * 1000,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpu: (used / latencies.length) * 1000,
    puts: ((after.segments - before.segments) / tookMs) * 1000,
    bytes: (after.bytes - before.bytes) / latencies.length,
  };
}

const median = (values) => quantile(values, 0.5);

async function compare(servers, handler, callers) {
  const results = servers.map(() => []);
  for (let round = 0; round < Number(options.rounds); round += 1) {
    for (const [index, server] of servers.entries()) {
      results[index].push(await measure(server, handler, callers));
    }
  }
  for (const [index, { name }] of servers.entries()) {
    const of = (what) => results[index].map((each) => each[what]);
    const ratios = results[index].map(({ cpu }, round) => cpu / results[0][round].cpu);
    const row = [
      handler,
      callers,
      name,
      Math.round(median(of("rate"))),
      median(of("p50")).toFixed(1),
      median(of("p99")).toFixed(1),
      median(of("cpu")).toFixed(2),
      index === 0 ? "1" : median(ratios).toFixed(2),
      median(of("puts")).toFixed(0),
      (median(of("bytes")) / 1000).toFixed(1),
    ];
    console.log(`| ${row.join(" | ")} |`);
  }
}

const root = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
try {
  const store = await start(["bench/store.mjs", ...LATENCIES.map(String)]);
  const endpoint = await start(["bench/endpoint.mjs"], {
    env: { BENCH_SDK: options.sdk, RESTATE_LOGGING: "ERROR" },
  });
  const servers = [];
  for (const [index, setting] of SETTINGS.entries()) {
    servers.push(await startServer(setting, index, root, store.ready.urls, endpoint.ready.port));
  }
  console.log(
    `node ${process.version}, sdk ${options.sdk}, ${options.rounds} rounds of ${options.seconds} s`,
  );
  console.log(
    "| work | callers | durability | calls/s | p50 ms | p99 ms | server CPU s/1000 | ratio | PUTs/s | kB/call |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|---|");
  for (const handler of options.work.split(",")) {
    for (const callers of options.callers.split(",").map(Number)) {
      await compare(servers, handler, callers);
    }
  }
} finally {
  await stopAll();
  rmSync(root, { recursive: true, force: true });
}
