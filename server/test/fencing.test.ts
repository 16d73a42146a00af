/** Two real servers on one replica: the one that slept finds that it is not the writer any more, and acknowledges nothing. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import {
  get,
  persist,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "./harness.ts";
import { startShop } from "./shop.ts";

const EXIT_FENCED = 3;

function checkout(ingress: string, index: number, signal?: AbortSignal): Promise<Response> {
  return fetch(`${ingress}/Checkout/place/send`, {
    method: "POST",
    headers: { "content-type": "application/json", "idempotency-key": `checkout-${index}` },
    body: JSON.stringify({ orderId: `o${index}`, sku: "book", quantity: 1, amountCents: 1000 }),
    signal: signal ?? AbortSignal.timeout(30_000),
  });
}

async function statusOf(answer: Promise<Response>): Promise<number | null> {
  return await answer.then(
    ({ status }) => status,
    () => null,
  );
}

/** Whether the server knows this checkout already. */
async function sentBefore(ingress: string, index: number): Promise<boolean> {
  const answer = await checkout(ingress, index);
  assert.equal(answer.status, 202);
  const { status } = (await answer.json()) as { status: string };
  return status === "PreviouslyAccepted";
}

async function exitOf({ process }: RunningServer): Promise<number | null> {
  const untilMs = Date.now() + 30_000;
  while (process.alive) {
    if (Date.now() > untilMs) throw new Error("it did not end");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return process.exitCode;
}

describe("two servers on one replica", () => {
  it("never both acknowledge: the one that slept ends", async () => {
    const directory = temporaryDirectory();
    const flags = ["--bucket", `file://${directory.path}/bucket`, "--durability", "bucket"];
    const first = await startServer(`${directory.path}/first`, flags);
    const shop = await startShop("holdfast", directory.path);
    let second: RunningServer | null = null;
    try {
      await register(first.admin, shop.endpoint);
      assert.equal((await checkout(first.ingress, 1)).status, 202);

      first.process.pause();
      const asleep = statusOf(checkout(first.ingress, 2));
      second = await startServer(`${directory.path}/second`, flags);
      // What the first one acknowledged is known to the second.
      assert.equal(await sentBefore(second.ingress, 1), true);

      first.process.continue();
      assert.notEqual(await asleep, 202);
      assert.equal(await exitOf(first), EXIT_FENCED);
      assert.match(
        first.process.errors,
        /"event":"fenced".*another server writes this replica now/,
      );
      assert.equal((await get(`${second.admin}/health`)).status, 200);

      // Its directory is behind: starting it again is refused, and says what to do.
      await assert.rejects(first.process.start(), /exited with 3[^]*has moved on[^]*--roll-back/);

      // Told so, it makes itself the newest state, and the other one ends.
      assert.equal((await checkout(second.ingress, 3)).status, 202);
      const third = await startServer(first.data, [...flags, "--roll-back"]);
      try {
        assert.equal((await checkout(third.ingress, 4)).status, 202);
        assert.notEqual(await statusOf(checkout(second.ingress, 5)), 202);
        assert.equal(await exitOf(second), EXIT_FENCED);
        await third.process.kill();
        const fourth = await startServer(`${directory.path}/fourth`, flags);
        const answers = [1, 3, 4].map(async (index) => await sentBefore(fourth.ingress, index));
        assert.deepEqual(await Promise.all(answers), [true, false, true]);
        await fourth.process.kill();
      } finally {
        await third.process.kill();
      }
    } finally {
      first.process.continue();
      await Promise.all([first.process.kill(), second?.process.kill(), shop.process.kill()]);
      shop.remove();
      directory.remove();
    }
  });

  it("refuse a directory that was never part of the replica", async () => {
    const directory = temporaryDirectory();
    const bucket = ["--bucket", `file://${directory.path}/bucket`];
    const first = await startServer(`${directory.path}/first`, bucket);
    const other = await startServer(`${directory.path}/other`);
    try {
      await other.process.stop();
      // From its first state on; before, servers have but claimed the history, and another may go on from that.
      const segments = `${directory.path}/bucket/segments`;
      await persist(async () => readdirSync(segments).length > 1 || undefined);
      await assert.rejects(
        startServer(`${directory.path}/other`, bucket),
        /exited with 3[^]*holds the replica of another directory/,
      );
    } finally {
      await Promise.all([first.process.kill(), other.process.kill()]);
      directory.remove();
    }
  });
});
