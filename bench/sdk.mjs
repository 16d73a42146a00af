// What a call and a step cost in the handler's process, with our SDK and with the official one: one server, one endpoint each,
// the same load in turns. CPU is user + system time of the endpoint's process.
//   node bench/sdk.mjs [--rounds 7] [--seconds 3] [--callers 16] [--node PATH]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { cpuSeconds, drive, quantile, register, start, stopAll } from "./driver.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "3" },
    callers: { type: "string", default: "16" },
    node: { type: "string", default: process.execPath },
  },
});
const SDKS = ["holdfast", "restate"];
const STEPS = 5;

async function main() {
  const data = mkdtempSync(path.join(tmpdir(), "holdfast-bench-"));
  try {
    const flags = ["--ingress", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data];
    const quiet = ["--durability", "none", "--log-level", "warn"];
    const { ready } = await start(["dist/holdfast.mjs", "serve", ...flags, ...quiet]);
    const endpoints = {};
    for (const sdk of SDKS) {
      // As in production: the determinism guard is off.
      const env = {
        BENCH_SDK: sdk,
        BENCH_SERVICE: serviceOf(sdk),
        RESTATE_LOGGING: "ERROR",
        NODE_ENV: "production",
      };
      endpoints[sdk] = await start(["bench/endpoint.mjs"], { env, node: options.node });
      await register(ready.admin, `http://127.0.0.1:${endpoints[sdk].ready.port}`);
    }
    const costs = await rounds(ready.ingress, endpoints);
    report(costs);
  } finally {
    await stopAll();
    rmSync(data, { recursive: true, force: true });
  }
}

const serviceOf = (sdk) => `Bench_${sdk}`;

/** CPU of the endpoint in ms a call: by SDK and work, one for each round. */
async function rounds(ingress, endpoints) {
  const costs = { holdfast: { echo: [], steps: [] }, restate: { echo: [], steps: [] } };
  for (let round = -1; round < Number(options.rounds); round += 1) {
    for (const work of ["echo", "steps"]) {
      // Who goes first changes, so that neither always comes after a collection of garbage.
      for (const sdk of round % 2 === 0 ? SDKS : SDKS.toReversed()) {
        const cost = await measure(ingress, endpoints[sdk].child.pid, serviceOf(sdk), work);
        // The first round warms up.
        if (round >= 0) costs[sdk][work].push(cost);
      }
    }
  }
  return costs;
}

async function measure(ingress, pid, service, handler) {
  const before = cpuSeconds(pid);
  const untilMs = performance.now() + Number(options.seconds) * 1000;
  let calls = 0;
  await drive(ingress, {
    service,
    handler,
    callers: Number(options.callers),
    isOver: () => performance.now() >= untilMs,
    onAnswer: () => (calls += 1),
  });
  return ((cpuSeconds(pid) - before) / calls) * 1000;
}

function report({ holdfast, restate }) {
  console.log(
    `node ${options.node}, ${options.rounds} rounds, ${options.callers} callers, medians`,
  );
  console.log("| what | holdfast CPU ms | official CPU ms | ratio of each round | median ratio |");
  console.log("|---|---|---|---|---|");
  const row = (what, ours, theirs) => {
    const ratios = ours.map((cost, round) => cost / theirs[round]);
    const median = (values) => quantile(values, 0.5).toFixed(3);
    const each = ratios.map((ratio) => ratio.toFixed(2)).join(" ");
    console.log(`| ${what} | ${median(ours)} | ${median(theirs)} | ${each} | ${median(ratios)} |`);
  };
  const ofStep = ({ echo, steps }) => steps.map((cost, round) => (cost - echo[round]) / STEPS);
  row("echo call", holdfast.echo, restate.echo);
  row("call with five steps", holdfast.steps, restate.steps);
  row("one step", ofStep(holdfast), ofStep(restate));
}

await main();
