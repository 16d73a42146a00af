/** The checkout example as an endpoint process, on our SDK or, with nothing but its import changed, on the official one. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { freePort } from "./harness.ts";
import { TestProcess } from "./process.ts";

export type Sdk = "holdfast" | "restate";

export interface Shop {
  readonly process: TestProcess;
  readonly endpoint: string;
  readonly orders: string;
  readonly database: string;
  /** Removes what was built for it. */
  remove(): void;
}

/** Node 20 has no `Promise.withResolvers`, which the official SDK calls. */
const POLYFILL = `Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};`;

export async function startShop(sdk: Sdk, directory: string): Promise<Shop> {
  const built = await buildShop(sdk);
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

async function buildShop(sdk: Sdk): Promise<{ file: string; remove: () => void }> {
  // Below the repository, so that the bundle finds node_modules.
  mkdirSync(".run", { recursive: true });
  const out = mkdtempSync(path.join(".run", "shop-"));
  const file = path.join(out, "main.mjs");
  await build({
    entryPoints: ["examples/checkout/main.ts"],
    outfile: file,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    logLevel: "warning",
    ...(sdk === "restate"
      ? { alias: { "@holdfast/sdk": "@restatedev/restate-sdk" }, banner: { js: POLYFILL } }
      : {}),
  });
  return { file, remove: () => rmSync(out, { recursive: true, force: true }) };
}
