/** `npm run sim -- [--seed N] [--count N]`: histories one after the other, with the end of the first that breaks a promise. */
import { parseArgs } from "node:util";
import { systemClock } from "../base/clock.ts";
import { simulate } from "./simulate.ts";

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string", default: String(systemClock.nowMs() % 1_000_000_000) },
    count: { type: "string", default: "1" },
  },
});

const first = Number(flags.seed);
for (let seed = first; seed < first + Number(flags.count); seed += 1) {
  const result = await simulate(seed);
  const { crashes, executions, repeated, fingerprint } = result;
  console.log(
    `seed ${seed}: ${crashes} crashes, ${executions} executions, ${repeated} repeated, ${fingerprint}`,
  );
  if (result.broken.length > 0) {
    console.log(`${result.trace}\n\nbroken:\n  ${result.broken.join("\n  ")}`);
    process.exitCode = 1;
    break;
  }
}
