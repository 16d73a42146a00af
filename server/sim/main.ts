/**
 * `npm run sim -- [--seed N] [--count N] [--only server|bucket|replica]`: histories one after the other, with the end of the first that breaks a
 * promise.
 */
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { simulate } from "./simulate.ts";
import { simulateReplica } from "./simulate-replica.ts";

/** - server: durability `disk`; bucket: the same server under durability `bucket`; replica: machines that write one, without the server */
const KINDS = ["server", "bucket", "replica"] as const;

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string", default: String(systemClock.nowMs() % 1_000_000_000) },
    count: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});

const first = Number(flags.seed);
const kinds = KINDS.filter((kind) => flags.only === "" || flags.only === kind);
for (let seed = first; seed < first + Number(flags.count) && (await keepsAll(seed)); seed += 1);

async function keepsAll(seed: number): Promise<boolean> {
  for (const kind of kinds) {
    const { broken, trace, line } = await run(kind, seed);
    console.log(`${kind} ${seed}: ${line}`);
    if (broken.length === 0) continue;
    console.log(`${trace}\n\nbroken:\n  ${broken.join("\n  ")}`);
    console.log(`again: npm run sim -- --seed ${seed} --only ${kind}`);
    process.exitCode = 1;
    return false;
  }
  return true;
}

async function run(kind: (typeof KINDS)[number], seed: number) {
  if (kind !== "replica") {
    const result = await simulate(seed, kind === "bucket" ? "bucket" : "disk");
    const { broken, trace, crashes, executions, repeated, fingerprint } = result;
    const counts = `${crashes} crashes, ${executions} executions, ${repeated} repeated`;
    return { broken, trace, line: `${counts}, ${fingerprint}` };
  }
  const { broken, trace, counts, fingerprint } = await simulateReplica(seed);
  const counted = [...counts].map(([what, count]) => `${count} ${what}`).join(", ");
  return { broken, trace, line: `${counted}, ${fingerprint}` };
}
