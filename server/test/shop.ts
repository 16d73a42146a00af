/** The checkout example as an endpoint process. */
import path from "node:path";
import { buildExample, type Sdk } from "./example.ts";
import { freePort } from "./harness.ts";
import { TestProcess } from "./process.ts";

export interface Shop {
  readonly process: TestProcess;
  readonly endpoint: string;
  readonly orders: string;
  readonly database: string;
  /** Removes what was built for it. */
  remove(): void;
}

export async function startShop(sdk: Sdk, directory: string): Promise<Shop> {
  const built = await buildExample("checkout", sdk);
  const [port, ordersPort] = [await freePort(), await freePort()];
  const database = path.join(directory, `shop-${sdk}.db`);
  const process = new TestProcess({
    args: [built.file, "--port", `${port}`, "--orders-port", `${ordersPort}`, "--db", database],
  });
  await process.start();
  return {
    process,
    endpoint: `http://127.0.0.1:${port}`,
    orders: `http://127.0.0.1:${ordersPort}`,
    database,
    remove: built.remove,
  };
}
