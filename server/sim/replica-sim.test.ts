import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type ReplicaResult, simulateReplica } from "./simulate-replica.ts";

/** New histories a run; `npm run sim` goes on for as long as one likes. */
const SEEDS = 180;

/** What must have happened at least once, or nothing of it was put to the test. */
const HAPPENINGS = [
  "killed",
  "power lost",
  "machine lost",
  "slept",
  "stopped",
  "outage",
  "restored",
  "looked",
  "looked back",
  "refused",
  "fenced",
  "swept",
];

/** Every seed that ever found a defect. */
const KNOWN = readFileSync("server/sim/seeds.txt", "utf8")
  .split("\n")
  .flatMap((line) => /^replica (\d+)/.exec(line)?.[1] ?? [])
  .map(Number);

async function check(seed: number): Promise<ReplicaResult> {
  const result = await simulateReplica(seed);
  const repeat = `npm run sim -- --seed ${seed} --only replica`;
  assert.deepEqual(result.broken, [], `${repeat}\n${result.trace}`);
  return result;
}

describe("the simulation of the replica", () => {
  it("gives the same history for the same seed", async () => {
    for (const seed of [1, 2, 3]) {
      const [first, second] = [await simulateReplica(seed), await simulateReplica(seed)];
      assert.equal(first.fingerprint, second.fingerprint);
    }
    const [one, other] = [await simulateReplica(1), await simulateReplica(2)];
    assert.notEqual(one.fingerprint, other.fingerprint);
  });

  it(`loses nothing and forks nothing over ${SEEDS} histories`, async () => {
    const base = Number(process.env["SIM_SEED"] ?? Date.now() % 1_000_000_000);
    const counts = new Map<string, number>();
    for (let seed = base; seed < base + SEEDS; seed += 1) {
      const result = await check(seed);
      for (const [what, count] of result.counts) counts.set(what, (counts.get(what) ?? 0) + count);
    }
    for (const what of HAPPENINGS) assert((counts.get(what) ?? 0) > 0, `nothing was ${what}`);
    const acknowledged = counts.get("acknowledged") ?? 0;
    assert(acknowledged > 10 * SEEDS, `${acknowledged} commits were acknowledged`);
  });

  it("keeps every promise for each seed that once found a defect", async () => {
    for (const seed of KNOWN) await check(seed);
  });
});
