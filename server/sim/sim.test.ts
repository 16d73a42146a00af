import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { simulate, type SimulatedDurability, type SimulationResult } from "./simulate.ts";

/** New histories a run; `npm run sim` goes on for as long as one likes. */
const SEEDS = 300;
const BUCKET_SEEDS = 100;

/** What the operator must have been answered at least once, or nothing of it was put to the test. */
const OPERATIONS = [
  "pause pending",
  "pause done",
  "pause conflict",
  "resume done",
  "resume conflict",
  "cancel done",
  "kill done",
  "purge done",
  "restart-as-new restarted",
  "mutate-state done",
  "mutate-state pending",
  "register-deployment done",
  "update-deployment done",
  "delete-deployment done",
  "delete-deployment refused",
  "override-service done",
  "signal done",
];

/** Every seed that ever found a defect. */
const KNOWN = readFileSync("server/sim/seeds.txt", "utf8")
  .split("\n")
  .flatMap((line) => /^server (\d+)/.exec(line)?.[1] ?? [])
  .map(Number);

async function check(seed: number, durability: SimulatedDurability): Promise<SimulationResult> {
  const result = await simulate(seed, durability);
  const kind = durability === "disk" ? "server" : "bucket";
  const repeat = `npm run sim -- --seed ${seed} --only ${kind}`;
  assert.deepEqual(result.broken, [], `${repeat}\n${result.trace}`);
  return result;
}

describe("the simulation", () => {
  it("gives the same history for the same seed", async () => {
    for (const seed of [1, 2, 3]) {
      const [first, second] = [await simulate(seed), await simulate(seed)];
      assert.equal(first.fingerprint, second.fingerprint);
    }
    assert.notEqual((await simulate(1)).fingerprint, (await simulate(2)).fingerprint);
  });

  it(`keeps every promise over ${SEEDS} crash schedules`, async () => {
    const base = Number(process.env["SIM_SEED"] ?? Date.now() % 1_000_000_000);
    let crashes = 0;
    let repeated = 0;
    const operations = new Set<string>();
    for (let seed = base; seed < base + SEEDS; seed += 1) {
      const result = await check(seed, "disk");
      crashes += result.crashes;
      repeated += result.repeated;
      for (const operation of result.operations.keys()) operations.add(operation);
    }
    // Otherwise nothing was put to the test.
    assert(crashes > SEEDS, `${crashes} crashes`);
    assert(repeated > 0, "no step was ever executed again");
    for (const operation of OPERATIONS) assert(operations.has(operation), `no ${operation}`);
  });

  it(`keeps them over ${BUCKET_SEEDS} losses of the machine and take-overs`, async () => {
    const base = Number(process.env["SIM_SEED"] ?? Date.now() % 1_000_000_000);
    let executions = 0;
    for (let seed = base; seed < base + BUCKET_SEEDS; seed += 1)
      executions += (await check(seed, "bucket")).executions;
    assert(executions > BUCKET_SEEDS, `${executions} executions`);
  });

  it("gives the same history for the same seed where the journal is a replica", async () => {
    for (const seed of [1, 2]) {
      const [first, second] = [await simulate(seed, "bucket"), await simulate(seed, "bucket")];
      assert.equal(first.fingerprint, second.fingerprint);
    }
  });

  it("keeps them for every seed that once found a defect", async () => {
    for (const seed of KNOWN) await check(seed, "disk");
  });
});
