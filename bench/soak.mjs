// The replica's promises on the real process, for as long as one likes: load, kill -9 of server and endpoint, a store with bad days,
// lost machines, servers that sleep and are succeeded. Exit code 1 when a promise was broken; disks and logs are then kept.
//   node bench/soak.mjs [--minutes 10] [--seed N] [--durability bucket|disk] [--shoppers 12] [--verbose]
//                       [--server dist/holdfast.mjs] [--s3 s3://bucket/prefix --s3-endpoint URL]
// Without --s3 the store is one in memory; with it, credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
import { parseArgs } from "node:util";
import { loadTypeScript } from "./load.mjs";

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: `${Date.now() % 1_000_000}` },
    durability: { type: "string", default: "bucket" },
    shoppers: { type: "string", default: "12" },
    server: { type: "string", default: "dist/holdfast.mjs" },
    s3: { type: "string" },
    "s3-endpoint": { type: "string" },
    verbose: { type: "boolean", default: false },
  },
});

const seconds = (ms) => (ms / 1000).toFixed(2);

function quantiles(values) {
  if (values.length === 0) return "none";
  const sorted = values.toSorted((a, b) => a - b);
  const at = (part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return `median ${seconds(at(0.5))} s, longest ${seconds(at(1))} s (${sorted.length})`;
}

function counts(record) {
  const all = Object.entries(record).map(([name, count]) => `${name} ${count}`);
  return all.length === 0 ? "none" : all.join(", ");
}

function print(report) {
  const { orders, steps, events, losses, starts, requests, refusedStarts } = report;
  console.log(`orders       ${orders}, with ${steps} recorded steps`);
  console.log(`events       ${counts(events)}`);
  console.log(`requests     ${counts(requests)}`);
  const again = starts.filter(({ restored }) => !restored).map(({ tookMs }) => tookMs);
  const restored = starts.filter(({ restored: is }) => is).map(({ tookMs }) => tookMs);
  console.log(`restart      ${quantiles(again)}`);
  console.log(`restore      ${quantiles(restored)}`);
  for (const [what, count] of Object.entries(refusedStarts)) {
    console.log(`no start     ${count} × ${what}`);
  }
  for (const isHealthy of [true, false]) {
    const some = losses.filter((loss) => loss.isHealthy === isHealthy);
    const when = isHealthy ? "store well" : "store not well";
    const worst = Math.max(0, ...some.map(({ lostMs }) => lostMs));
    const things = some.reduce((sum, { lostCount }) => sum + lostCount, 0);
    const withLoss = some.filter(({ lostCount }) => lostCount > 0).length;
    console.log(
      `lost (RPO)   ${when}: ${some.length} machines, ${withLoss} with losses, ${things} things, at most ${worst} ms old`,
    );
  }
  if (report.repeatedByLoss > 0) {
    console.log(`repeated     ${report.repeatedByLoss} steps whose record was lost with a machine`);
  }
}

const seed = Number(options.seed);
console.log(`durability ${options.durability}, ${options.minutes} minutes, seed ${seed}`);
const { soak } = await loadTypeScript("server/test/soak/soak.ts");
const report = await soak({
  durability: options.durability,
  seed,
  durationMs: Number(options.minutes) * 60_000,
  program: options.server,
  shoppers: Number(options.shoppers),
  store:
    options.s3 === undefined ? null : { url: options.s3, endpoint: options["s3-endpoint"] ?? "" },
  isKept: true,
  say: options.verbose ? (text) => console.log(`${new Date().toISOString()} ${text}`) : undefined,
});
print(report);
if (report.broken.length === 0) {
  console.log("every promise was kept");
} else {
  console.log(`BROKEN PROMISES (seed ${seed}; disks and logs are in ${report.kept}):`);
  for (const each of report.broken.slice(0, 50)) console.log(`  ${each}`);
  process.exitCode = 1;
}
