/**
 * The shop's own database: stock, orders, and a line for every side effect that was executed.
 *
 * `effects` is append-only and has no unique key, on purpose: a step that ran twice leaves two lines, and
 * `duplicateEffects` finds them. What the step changes is guarded by the order id instead, so that a second execution
 * (a step whose result was not recorded before a crash) does no harm.
 */
import Database from "better-sqlite3";

export type OrderStatus = "awaiting-payment" | "paid" | "shipped" | "cancelled";

export type EffectKind =
  | "reserve"
  | "create-order"
  | "mark-paid"
  | "release"
  | "dispatch"
  | "complete";

export interface OrderRow {
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
  readonly amountCents: number;
  readonly status: OrderStatus;
  /** What the payment provider's webhook resolves. */
  readonly awakeableId: string;
  readonly paymentReference: string | null;
  readonly cancelReason: string | null;
}

export type NewOrder = Pick<
  OrderRow,
  "orderId" | "sku" | "quantity" | "amountCents" | "awakeableId"
>;

export interface DuplicateEffect {
  readonly orderId: string;
  readonly kind: EffectKind;
  readonly executions: number;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS stock (
    sku TEXT PRIMARY KEY,
    available INTEGER NOT NULL CHECK (available >= 0)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS reservations (
    order_id TEXT PRIMARY KEY,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount_cents INTEGER NOT NULL,
    status TEXT NOT NULL,
    awakeable_id TEXT NOT NULL,
    payment_reference TEXT,
    cancel_reason TEXT
  ) STRICT;
  CREATE TABLE IF NOT EXISTS effects (
    id INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    order_id TEXT NOT NULL,
    kind TEXT NOT NULL
  ) STRICT;`;

export class InventoryDb {
  readonly #db: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;

  /** @param file a path, or ":memory:" */
  constructor(file: string) {
    this.#db = new Database(file);
    this.#db.exec(`PRAGMA journal_mode = WAL; ${SCHEMA}`);
    this.#statements = prepare(this.#db);
  }

  /** Puts goods on the shelf unless the article is known. */
  stock(sku: string, available: number): void {
    this.#statements.addStock.run(sku, available);
  }

  available(sku: string): number {
    return this.#statements.available.get(sku)?.available ?? 0;
  }

  /** Takes goods off the shelf for an order; false when there are not enough. */
  reserve(orderId: string, sku: string, quantity: number): boolean {
    return this.#effect(orderId, "reserve", () => {
      if (this.#statements.reservation.get(orderId) !== undefined) return true;
      if (this.#statements.take.run(quantity, sku, quantity).changes === 0) return false;
      this.#statements.addReservation.run(orderId, sku, quantity);
      return true;
    });
  }

  createOrder(order: NewOrder): void {
    this.#effect(order.orderId, "create-order", () => this.#statements.addOrder.run(order));
  }

  markPaid(orderId: string, paymentReference: string): void {
    this.#effect(orderId, "mark-paid", () => this.#statements.pay.run(paymentReference, orderId));
  }

  /** Cancels the order and puts its goods back. */
  release(orderId: string, reason: string): void {
    this.#effect(orderId, "release", () => {
      const held = this.#statements.reservation.get(orderId);
      if (held === undefined || held.released === 1) return;
      this.#statements.putBack.run(held.quantity, held.sku);
      this.#statements.endReservation.run(orderId);
      this.#statements.cancel.run(reason, orderId);
    });
  }

  /** Hands the parcel to the carrier; returns its tracking code. */
  dispatch(orderId: string): string {
    return this.#effect(orderId, "dispatch", () => `parcel-${orderId}`);
  }

  complete(orderId: string): void {
    this.#effect(orderId, "complete", () => this.#statements.complete.run(orderId));
  }

  order(orderId: string): OrderRow | undefined {
    return this.#statements.order.get(orderId);
  }

  /** The side effects of an order, in the order in which they were executed. */
  effects(orderId: string): EffectKind[] {
    return this.#statements.effects.all(orderId).map((row) => row.kind);
  }

  /** Every side effect that was executed more than once. */
  duplicateEffects(): DuplicateEffect[] {
    return this.#statements.duplicateEffects.all();
  }

  close(): void {
    this.#db.close();
  }

  /** Runs a change in one transaction with the line that says it was executed. */
  #effect<T>(orderId: string, kind: EffectKind, change: () => T): T {
    const run = this.#db.transaction(() => {
      this.#statements.addEffect.run(Date.now(), orderId, kind);
      return change();
    });
    return run.immediate();
  }
}

interface Reservation {
  readonly sku: string;
  readonly quantity: number;
  readonly released: 0 | 1;
}

/** Every statement, prepared once. */
function prepare(db: Database.Database) {
  return {
    addStock: db.prepare(
      "INSERT INTO stock (sku, available) VALUES (?, ?) ON CONFLICT (sku) DO NOTHING",
    ),
    available: db.prepare<[string], { available: number }>(
      "SELECT available FROM stock WHERE sku = ?",
    ),
    take: db.prepare("UPDATE stock SET available = available - ? WHERE sku = ? AND available >= ?"),
    putBack: db.prepare("UPDATE stock SET available = available + ? WHERE sku = ?"),
    reservation: db.prepare<[string], Reservation>(
      "SELECT sku, quantity, released FROM reservations WHERE order_id = ?",
    ),
    addReservation: db.prepare(
      "INSERT INTO reservations (order_id, sku, quantity) VALUES (?, ?, ?)",
    ),
    endReservation: db.prepare("UPDATE reservations SET released = 1 WHERE order_id = ?"),
    order: db.prepare<[string], OrderRow>(
      `SELECT order_id AS orderId, sku, quantity, amount_cents AS amountCents, status,
              awakeable_id AS awakeableId, payment_reference AS paymentReference,
              cancel_reason AS cancelReason
       FROM orders WHERE order_id = ?`,
    ),
    addOrder: db.prepare<[NewOrder]>(
      `INSERT INTO orders (order_id, sku, quantity, amount_cents, status, awakeable_id)
       VALUES (@orderId, @sku, @quantity, @amountCents, 'awaiting-payment', @awakeableId)
       ON CONFLICT (order_id) DO NOTHING`,
    ),
    pay: db.prepare("UPDATE orders SET status = 'paid', payment_reference = ? WHERE order_id = ?"),
    cancel: db.prepare(
      "UPDATE orders SET status = 'cancelled', cancel_reason = ? WHERE order_id = ?",
    ),
    complete: db.prepare("UPDATE orders SET status = 'shipped' WHERE order_id = ?"),
    addEffect: db.prepare("INSERT INTO effects (at_ms, order_id, kind) VALUES (?, ?, ?)"),
    effects: db.prepare<[string], { kind: EffectKind }>(
      "SELECT kind FROM effects WHERE order_id = ? ORDER BY id",
    ),
    duplicateEffects: db.prepare<[], DuplicateEffect>(
      `SELECT order_id AS orderId, kind, COUNT(*) AS executions FROM effects
       GROUP BY order_id, kind HAVING COUNT(*) > 1 ORDER BY order_id, kind`,
    ),
  };
}
