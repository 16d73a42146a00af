/**
 * The main promise, on the real process: many checkouts at once, server and endpoint killed with SIGKILL at random moments and
 * started again. Then: no acknowledged call is lost, the results are right, and no step ran again after its result was recorded.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { makeBucket, realStore } from "../replica/real-store.suite.ts";
import { executionsOf, orderIdsOf, stepsOf } from "./audit.ts";
import type { Sdk } from "./example.ts";
import { get, persist, post, register, startServer, temporaryDirectory } from "./harness.ts";
import { type Shop, startShop } from "./shop.ts";

const CHECKOUTS = 60;
const CRASHES = 10;

/** Small, seeded, good enough to spread kills over a run; the seed is printed with a failure. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const orderOf = (index: number) => ({
  orderId: `order-${index}`,
  sku: "book",
  quantity: 1,
  amountCents: 1000 + index,
});

/** Sends one checkout until it is acknowledged; returns its invocation id. */
async function place(ingress: string, index: number): Promise<string> {
  return await persist(async () => {
    const answer = await post(`${ingress}/Checkout/place/send`, orderOf(index), {
      "idempotency-key": `checkout-${index}`,
    });
    if (answer.status !== 202) return undefined;
    const { invocationId } = JSON.parse(answer.text) as { invocationId: string };
    return invocationId;
  });
}

/** What the payment provider does: finds the order's awakeable and resolves it, until that is acknowledged. */
async function pay(ingress: string, shop: Shop, index: number): Promise<void> {
  const awakeableId = await persist(async () => {
    const answer = await get(`${shop.orders}/orders/order-${index}/awakeable`);
    return answer.status === 200 ? answer.text : undefined;
  });
  await persist(async () => {
    const payment = { status: "paid", reference: `pay-${index}` };
    const answer = await post(`${ingress}/restate/awakeables/${awakeableId}/resolve`, payment);
    return answer.status === 202 ? true : undefined;
  });
}

async function result(ingress: string, invocationId: string): Promise<unknown> {
  return await persist(async () => {
    const answer = await get(`${ingress}/restate/invocation/${invocationId}/attach`);
    return answer.status === 200 ? (JSON.parse(answer.text) as unknown) : undefined;
  });
}

interface Losses {
  readonly sdk: Sdk;
  readonly seed: number;
  /** With durability `bucket`, the server's disk is lost, too, every other time. */
  readonly disk: boolean;
}

async function crashTest({ sdk, seed, disk }: Losses): Promise<void> {
  const random = randomFrom(seed);
  const directory = temporaryDirectory();
  const bucket = [...(await bucketFlags(directory.path)), "--durability", "bucket"];
  // So many snapshots that restores begin with various ones.
  const flags = disk ? [...bucket, "--snapshot-segments", "40"] : [];
  const server = await startServer(`${directory.path}/data`, flags);
  const shop = await startShop(sdk, directory.path);
  try {
    await register(server.admin, shop.endpoint);
    const checkouts = Array.from({ length: CHECKOUTS }, async (_, index) => {
      await pause(random() * 4000);
      const invocationId = await place(server.ingress, index);
      await pay(server.ingress, shop, index);
      return await result(server.ingress, invocationId);
    });
    let kills = 0;
    for (let crash = 0; crash < CRASHES; crash += 1) {
      await pause(100 + random() * 600);
      const victims = [[server.process], [shop.process], [server.process, shop.process]];
      for (const victim of victims[Math.floor(random() * 3)] ?? []) await victim.kill();
      if (disk && !server.process.alive) {
        if (kills % 2 === 0) rmSync(server.data, { recursive: true });
        kills += 1;
      }
      await pause(random() * 200);
      await Promise.all([revive(server.process), revive(shop.process)]);
    }
    if (disk) assert(kills > 0, "the disk was never lost");
    const results = await Promise.all(checkouts);
    for (const [index, receipt] of results.entries()) {
      assert.deepEqual(receipt, {
        orderId: `order-${index}`,
        amountCents: 1000 + index,
        paymentReference: `pay-${index}`,
        trackingCode: `parcel-order-${index}`,
      });
    }
    await server.process.stop();
    audit(server.data, shop.database);
  } finally {
    await Promise.all([server.process.kill(), shop.process.kill()]);
    shop.remove();
    directory.remove();
  }
}

/** A directory, or the store that this run is about. */
async function bucketFlags(directory: string): Promise<readonly string[]> {
  const real = realStore();
  if (real === null) return ["--bucket", `file://${directory}/bucket`];
  await makeBucket(real);
  const { endpoint } = real;
  const where = endpoint === null ? [] : ["--bucket-endpoint", endpoint, "--bucket-path-style"];
  return ["--bucket", real.url(), ...where];
}

async function revive(process: {
  readonly alive: boolean;
  start(): Promise<unknown>;
}): Promise<void> {
  if (!process.alive) await process.start();
}

/** Each step has one result, and was not executed after it had it. */
function audit(data: string, shopDatabase: string): void {
  const orders = orderIdsOf(data);
  const executions = executionsOf(shopDatabase);
  const steps = stepsOf(data);
  const names = ["reserve", "create order", "mark paid", "dispatch", "complete"];
  assert.equal(steps.length, CHECKOUTS * names.length);
  for (const step of steps) {
    const orderId = orders.get(step.invocation);
    const kind = step.name.replace(" ", "-");
    const mine = executions.filter((each) => each.orderId === orderId && each.kind === kind);
    assert.equal(step.results, 1, `${orderId} ${step.name} has one recorded result`);
    assert(mine.length >= 1, `${orderId} ${step.name} was executed`);
    const late = mine.filter((each) => each.atMs > (step.recordedAtMs ?? 0));
    assert.deepEqual(late, [], `${orderId} ${step.name} ran again after its result was recorded`);
  }
}

describe("a server and an endpoint that are killed at random", () => {
  for (const sdk of ["holdfast", "restate"] as const) {
    const seed = Number(process.env["CRASH_SEED"] ?? Date.now() % 1_000_000);
    it(`lose nothing and repeat nothing (${sdk} SDK, CRASH_SEED=${seed})`, async () => {
      await crashTest({ sdk, seed, disk: false });
    });
    it(`lose nothing with the disk, either, under durability bucket (${sdk} SDK, CRASH_SEED=${seed})`, async () => {
      await crashTest({ sdk, seed, disk: true });
    });
  }
});
