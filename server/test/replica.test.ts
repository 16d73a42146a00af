/** The promises of the replica on the real process, shortly; `npm run soak` is the long way. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { get, persist } from "./harness.ts";
import { Chaos } from "./soak/chaos.ts";
import { ordersOf } from "./soak/journal.ts";
import { Ledger } from "./soak/ledger.ts";
import { Shoppers } from "./soak/shoppers.ts";
import { randomFrom, soak } from "./soak/soak.ts";
import { Town } from "./soak/town.ts";

const PATIENCE_MS = 60_000;
const SEGMENT_INTERVAL_MS = 200;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const seed = Number(process.env["SOAK_SEED"] ?? Date.now() % 1_000_000);

describe("a server with durability bucket", () => {
  it(`keeps what it acknowledged, whatever is killed or lost (SOAK_SEED=${seed})`, async () => {
    const report = await soak({ durability: "bucket", seed, durationMs: 10_000, shoppers: 6 });
    assert.deepEqual(report.broken, []);
    assert.ok(report.orders > 0 && report.steps >= report.orders * 5);
  });
});

describe("a server with durability disk and a bucket", () => {
  const towns: Town[] = [];
  afterEach(async () => {
    for (const town of towns.splice(0)) {
      await town.close();
      town.remove();
    }
  });

  it("serves on while the bucket is away, says so, catches up, and loses nothing of that with the machine", async () => {
    const random = randomFrom(seed);
    const town = await Town.build({
      durability: "disk",
      program: "dist/holdfast.mjs",
      random,
      flags: ["--segment-interval", `${SEGMENT_INTERVAL_MS}ms`],
      store: null,
    });
    towns.push(town);
    const ledger = new Ledger();
    const chaos = new Chaos({
      town,
      ledger,
      random,
      durability: "disk",
      segmentIntervalMs: SEGMENT_INTERVAL_MS,
      say: () => {},
    });
    const street = {
      ingress: () => town.machine.ingress,
      orders: town.shop.orders,
      gate: chaos.gate,
    };
    const shoppers = new Shoppers({ street, ledger, random, shoppers: 4 });
    const served = (count: number) =>
      persist(() => Promise.resolve(shoppers.completed >= count || undefined), PATIENCE_MS);
    const metric = async (name: string): Promise<number> => {
      const { text } = await get(`${town.machine.admin}/metrics`);
      return Number(new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1]);
    };

    shoppers.start();
    await served(5);
    town.s3.set({ state: "gone" });
    const atOutage = shoppers.completed;
    const troubled = await persist(async () => {
      const health = await town.machine.health();
      return health?.replica?.state === "unreachable" ? health : undefined;
    });
    assert.equal(troubled.status, "degraded");
    await served(atOutage + 20);
    await pause(500);
    const behind = await town.machine.health();
    assert.ok((behind?.replica?.lag_ms ?? 0) > 500, JSON.stringify(behind));
    assert.ok((behind?.replica?.unshipped_bytes ?? 0) > 0, JSON.stringify(behind));
    assert.ok((await metric("holdfast_replica_lag_seconds")) > 0.5);
    assert.ok((await metric("holdfast_replica_unshipped_bytes")) > 0);
    assert.ok((await metric('holdfast_replica_bucket_errors_total{kind="unavailable"}')) > 0);

    town.s3.set({});
    await shoppers.finish(PATIENCE_MS);
    await town.caughtUp(PATIENCE_MS);
    const known = ordersOf(town.machine.data);
    await chaos.machineLost();
    assert.deepEqual(ledger.broken, []);
    assert.deepEqual(
      chaos.losses.map(({ lostCount }) => lostCount),
      [0],
    );
    assert.deepEqual(ordersOf(town.machine.data), known);
  });
});
