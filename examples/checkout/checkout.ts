/**
 * A marketplace checkout as one ordinary function. Each `ctx.run` is recorded once it has succeeded, the wait for the payment
 * costs nothing while it lasts, and a crash at any line resumes at that line.
 */
import { type Context, service, TerminalError } from "@holdfast/sdk";
import type { InventoryDb } from "./inventory-db.ts";

export interface Order {
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
  readonly amountCents: number;
}

/** What the payment provider posts to the awakeable. */
export interface Payment {
  readonly status: "paid" | "rejected";
  /** The provider's own number of the payment. */
  readonly reference: string;
}

export interface Receipt {
  readonly orderId: string;
  readonly amountCents: number;
  readonly paymentReference: string;
  readonly trackingCode: string;
}

export interface CheckoutOptions {
  /** An order that is not paid by then is cancelled. */
  readonly paymentTimeoutMs: number;
}

/** `Checkout/place` and the service it calls, `Shipping/dispatch`. */
export function checkoutServices(db: InventoryDb, options: CheckoutOptions) {
  const shipping = service({
    name: "Shipping",
    handlers: {
      dispatch: async (ctx: Context, order: Order): Promise<string> =>
        ctx.run("dispatch", () => db.dispatch(order.orderId)),
    },
  });

  const checkout = service({
    name: "Checkout",
    handlers: {
      place: async (ctx: Context, order: Order): Promise<Receipt> => {
        checkOrder(order);
        const { orderId, sku, quantity, amountCents } = order;

        const reserved = await ctx.run("reserve", () => db.reserve(orderId, sku, quantity));
        if (!reserved) throw new TerminalError(`${sku} is out of stock`, { errorCode: 409 });

        const payment = ctx.awakeable<Payment>();
        await ctx.run("create order", () =>
          db.createOrder({ orderId, sku, quantity, amountCents, awakeableId: payment.id }),
        );

        let reference: string;
        try {
          reference = await paidBy(payment.promise.orTimeout(options.paymentTimeoutMs));
        } catch (error) {
          // Anything else than a final failure is a crash to be retried, not a reason to cancel.
          if (!(error instanceof TerminalError)) throw error;
          const reason = `not paid: ${error.message}`;
          await ctx.run("release", () => db.release(orderId, reason));
          throw new TerminalError(reason, { errorCode: 402 });
        }
        await ctx.run("mark paid", () => db.markPaid(orderId, reference));

        const trackingCode = await ctx.serviceClient(shipping).dispatch(order);
        await ctx.run("complete", () => db.complete(orderId));
        return { orderId, amountCents, paymentReference: reference, trackingCode };
      },
    },
  });

  return [checkout, shipping];
}

/** The provider's number of the payment, if it took the money. */
async function paidBy(answer: PromiseLike<Payment>): Promise<string> {
  const payment = await answer;
  if (payment.status !== "paid") throw new TerminalError("the payment was rejected");
  return payment.reference;
}

/** A mistake of the caller is final: trying again would not mend it. */
function checkOrder(order: Order): void {
  const { orderId, sku, quantity, amountCents } = order;
  const complete = typeof orderId === "string" && orderId !== "" && typeof sku === "string";
  const positive = [quantity, amountCents].every((value) => Number.isInteger(value) && value > 0);
  if (complete && positive) return;
  throw new TerminalError(
    "an order has orderId, sku, and whole positive quantity and amountCents",
    {
      errorCode: 400,
    },
  );
}
