/** An example as a process, built on our SDK or, with nothing but its import changed, on the official one. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { freePort } from "./harness.ts";
import { TestProcess } from "./process.ts";

export type Sdk = "holdfast" | "restate";

/** Node 20 has no `Promise.withResolvers`, which the official SDK calls. */
const POLYFILL = `Promise.withResolvers ??= function () {
  let resolve, reject;
  const promise = new this((a, b) => { resolve = a; reject = b; });
  return { promise, resolve, reject };
};`;

export interface BuiltExample {
  /** The program. */
  readonly file: string;
  readonly remove: () => void;
}

export async function buildExample(name: string, sdk: Sdk): Promise<BuiltExample> {
  // Below the repository, so that the bundle finds node_modules.
  mkdirSync(".run", { recursive: true });
  const out = mkdtempSync(path.join(".run", `${name}-`));
  const file = path.join(out, "main.mjs");
  await build({
    entryPoints: [`examples/${name}/main.ts`],
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

export interface RunningExample {
  readonly process: TestProcess;
  readonly endpoint: string;
  /** What it serves to people. */
  readonly page: string;
}

/** Starts an example that has `--port` and `--page-port`, on ports that it keeps over restarts. */
export async function startExample(
  built: BuiltExample,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<RunningExample> {
  const [port, pagePort] = [await freePort(), await freePort()];
  const process = new TestProcess({
    args: [built.file, "--port", `${port}`, "--page-port", `${pagePort}`, ...flags],
    env,
  });
  await process.start();
  return {
    process,
    endpoint: `http://127.0.0.1:${port}`,
    page: `http://127.0.0.1:${pagePort}`,
  };
}
