/** The example behind the built server, as its README tells it. */
import assert from "node:assert/strict";
import { once } from "node:events";
import http2 from "node:http2";
import { after, before, describe, it } from "node:test";
import { createEndpointHandler } from "@holdfast/sdk";
import {
  get,
  persist,
  post,
  register,
  type RunningServer,
  startServer,
  temporaryDirectory,
} from "../../server/test/harness.ts";
import { checkoutServices } from "./checkout.ts";
import { InventoryDb } from "./inventory-db.ts";

const STOCK = 5;
/** Long enough for every test that pays. */
const PATIENT_MS = 60_000;

/** An endpoint in this process; payments may take `paymentTimeoutMs`. */
async function startEndpoint(db: InventoryDb, paymentTimeoutMs: number) {
  const services = checkoutServices(db, { paymentTimeoutMs });
  const endpoint = http2.createServer(createEndpointHandler({ services }));
  const sessions = new Set<http2.ServerHttp2Session>();
  endpoint.on("session", (session) => sessions.add(session));
  endpoint.listen(0, "127.0.0.1");
  await once(endpoint, "listening");
  const address = endpoint.address();
  assert.ok(address !== null && typeof address === "object");
  const close = async (): Promise<void> => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => endpoint.close(resolve));
  };
  return { uri: `http://127.0.0.1:${address.port}`, close };
}

describe("the checkout example", () => {
  const directory = temporaryDirectory();
  const db = new InventoryDb(":memory:");
  let server: RunningServer;
  const opened: { close(): Promise<void> }[] = [];

  before(async () => {
    db.stock("book", STOCK);
    server = await startServer(directory.path);
    await serve(PATIENT_MS);
  });

  after(async () => {
    await server.process.stop();
    for (const endpoint of opened) await endpoint.close();
    db.close();
    directory.remove();
  });

  /** New checkouts go to an endpoint with this patience. */
  async function serve(paymentTimeoutMs: number): Promise<void> {
    const endpoint = await startEndpoint(db, paymentTimeoutMs);
    opened.push(endpoint);
    await register(server.admin, endpoint.uri);
  }

  async function place(orderId: string, more: object = {}): Promise<void> {
    const order = { orderId, sku: "book", quantity: 1, amountCents: 1900, ...more };
    const key = { "idempotency-key": orderId };
    const answer = await post(`${server.ingress}/Checkout/place/send`, order, key);
    assert.equal(answer.status, 202, answer.text);
  }

  const awakeable = (orderId: string) =>
    persist(() => Promise.resolve(db.order(orderId)?.awakeableId));

  async function webhook(orderId: string, status: "paid" | "rejected"): Promise<void> {
    const url = `${server.ingress}/restate/awakeables/${await awakeable(orderId)}/resolve`;
    const answer = await post(url, { status, reference: `payment-of-${orderId}` });
    assert.equal(answer.status, 202, answer.text);
  }

  const result = (orderId: string) =>
    get(`${server.ingress}/restate/invocation/Checkout/place/${orderId}/attach`);

  it("ships what was paid, and gives a receipt", async () => {
    await place("paid");
    await webhook("paid", "paid");
    const answer = await result("paid");
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(JSON.parse(answer.text), {
      orderId: "paid",
      amountCents: 1900,
      paymentReference: "payment-of-paid",
      trackingCode: "parcel-paid",
    });
    assert.equal(db.order("paid")?.status, "shipped");
    assert.deepEqual(db.effects("paid"), [
      "reserve",
      "create-order",
      "mark-paid",
      "dispatch",
      "complete",
    ]);
  });

  it("does nothing twice when the order is placed twice", async () => {
    await place("twice");
    await place("twice");
    await webhook("twice", "paid");
    await webhook("twice", "rejected");
    assert.equal((await result("twice")).status, 200);
    await place("twice");
    assert.equal(db.effects("twice").length, 5);
    assert.deepEqual(db.duplicateEffects(), []);
  });

  it("puts the goods back when the payment is rejected", async () => {
    const available = db.available("book");
    await place("rejected");
    await webhook("rejected", "rejected");
    const answer = await result("rejected");
    assert.equal(answer.status, 402, answer.text);
    assert.match(answer.text, /not paid: the payment was rejected/);
    assert.equal(db.order("rejected")?.status, "cancelled");
    assert.equal(db.available("book"), available);
  });

  it("refuses what is out of stock and what is no order, without a trace", async () => {
    await place("too-many", { quantity: STOCK + 1 });
    assert.equal((await result("too-many")).status, 409);
    await place("none", { quantity: 0 });
    assert.equal((await result("none")).status, 400);
    assert.deepEqual(db.effects("none"), []);
  });

  it("ships after the server was killed while it waited for the payment", async () => {
    await place("killed");
    await awakeable("killed");
    await server.process.kill();
    await server.process.start();
    await webhook("killed", "paid");
    assert.equal((await result("killed")).status, 200);
    // Only the step that may not have been recorded yet when the server died.
    const unrecorded = db.duplicateEffects().filter((effect) => effect.kind !== "create-order");
    assert.deepEqual(unrecorded, []);
  });

  it("puts the goods back when nobody pays in time", async () => {
    await serve(200);
    const available = db.available("book");
    await place("forgotten");
    const answer = await result("forgotten");
    assert.equal(answer.status, 402, answer.text);
    assert.equal(db.order("forgotten")?.status, "cancelled");
    assert.equal(db.available("book"), available);
  });
});
