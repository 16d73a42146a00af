/**
 * The process: serves the services to Holdfast, and a page about each order to the shop's customers.
 * Prints one JSON line on stdout when it is ready.
 */
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import type { Server } from "node:net";
import { parseArgs } from "node:util";
import { createEndpointHandler } from "@holdfast/sdk";
import { checkoutServices } from "./checkout.ts";
import { InventoryDb } from "./inventory-db.ts";

const HOST = "127.0.0.1";

const { values: flags } = parseArgs({
  options: {
    port: { type: "string", default: process.env["CHECKOUT_PORT"] ?? "9080" },
    "orders-port": { type: "string", default: process.env["CHECKOUT_ORDERS_PORT"] ?? "9081" },
    db: { type: "string", default: process.env["CHECKOUT_DB"] ?? "checkout.db" },
    "payment-timeout": { type: "string", default: "15m" },
  },
});

/** `90s`, `15m` or `2h`, in milliseconds. */
function durationMs(text: string): number {
  const match = /^(\d+)(s|m|h)$/.exec(text);
  if (match === null) throw new Error(`--payment-timeout ${text}: expected such as 90s, 15m or 2h`);
  return Number(match[1]) * (match[2] === "s" ? 1000 : match[2] === "m" ? 60_000 : 3_600_000);
}

/** `GET /orders/ID` as JSON; `GET /orders/ID/awakeable` as bare text, for a shell. */
function answerAboutOrders(db: InventoryDb): http.RequestListener {
  return (request, response) => {
    const match = /^\/orders\/([\w.-]+)(\/awakeable)?$/.exec(request.url ?? "");
    const order = match?.[1] === undefined ? undefined : db.order(match[1]);
    if (order === undefined) {
      response.writeHead(404, { "content-type": "text/plain" }).end("no such order (yet)\n");
    } else if (match?.[2] !== undefined) {
      response.writeHead(200, { "content-type": "text/plain" }).end(order.awakeableId);
    } else {
      const body = { ...order, effects: db.effects(order.orderId) };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`${JSON.stringify(body, undefined, 2)}\n`);
    }
  };
}

async function listen(server: Server, port: string): Promise<string> {
  server.listen(Number(port), HOST);
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no TCP port");
  return `http://${HOST}:${address.port}`;
}

const db = new InventoryDb(flags.db);
db.stock("book", 1000);
const services = checkoutServices(db, { paymentTimeoutMs: durationMs(flags["payment-timeout"]) });
const endpoint = http2.createServer(createEndpointHandler({ services }));
const orders = http.createServer(answerAboutOrders(db));

// No drain: Holdfast resumes what stops in the middle.
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
// Started by another program over IPC, it does not outlive it.
process.on("disconnect", () => process.exit(0));

const ready = {
  event: "ready",
  endpoint: await listen(endpoint, flags.port),
  orders: await listen(orders, flags["orders-port"]),
  pid: process.pid,
};
process.stdout.write(`${JSON.stringify(ready)}\n`);
