import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { InventoryDb } from "./inventory-db.ts";

describe("the shop's database", () => {
  let db: InventoryDb;

  beforeEach(() => {
    db = new InventoryDb(":memory:");
    db.stock("book", 3);
  });

  afterEach(() => {
    db.close();
  });

  const order = (orderId: string) => ({
    orderId,
    sku: "book",
    quantity: 2,
    amountCents: 1900,
    awakeableId: `sign_1${orderId}`,
  });

  it("takes goods off the shelf and refuses what is not there", () => {
    assert.equal(db.reserve("a", "book", 2), true);
    assert.equal(db.reserve("b", "book", 2), false);
    assert.equal(db.available("book"), 1);
    assert.equal(db.reserve("b", "pen", 1), false);
  });

  it("counts a step that ran twice, and does its work once", () => {
    db.reserve("a", "book", 2);
    assert.deepEqual(db.duplicateEffects(), []);
    assert.equal(db.reserve("a", "book", 2), true);
    assert.equal(db.available("book"), 1);
    assert.deepEqual(db.duplicateEffects(), [{ orderId: "a", kind: "reserve", executions: 2 }]);
  });

  it("follows an order to its parcel", () => {
    db.reserve("a", "book", 2);
    db.createOrder(order("a"));
    assert.equal(db.order("a")?.status, "awaiting-payment");
    assert.equal(db.order("a")?.awakeableId, "sign_1a");
    db.markPaid("a", "payment-1");
    assert.equal(db.order("a")?.status, "paid");
    db.dispatch("a");
    db.complete("a");
    assert.deepEqual(
      [db.order("a")?.status, db.order("a")?.paymentReference],
      ["shipped", "payment-1"],
    );
    assert.deepEqual(db.effects("a"), [
      "reserve",
      "create-order",
      "mark-paid",
      "dispatch",
      "complete",
    ]);
  });

  it("puts the goods back once, however often the order is released", () => {
    db.reserve("a", "book", 2);
    db.createOrder(order("a"));
    db.release("a", "not paid");
    db.release("a", "not paid");
    assert.equal(db.available("book"), 3);
    assert.deepEqual(
      [db.order("a")?.status, db.order("a")?.cancelReason],
      ["cancelled", "not paid"],
    );
    assert.deepEqual(db.duplicateEffects(), [{ orderId: "a", kind: "release", executions: 2 }]);
  });

  it("does not know what was never ordered", () => {
    assert.equal(db.order("x"), undefined);
    assert.deepEqual(db.effects("x"), []);
  });
});
