// What every bundle of this repository has in common: tests, the server, programs run from source.
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** The oldest Node that runs what is built: `engines` in package.json. */
const TARGET = "node20.18";

/** Options for esbuild. `@holdfast/sdk` resolves to its sources through `paths` in tsconfig.json. */
export const BUNDLE = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "esm",
  platform: "node",
  target: TARGET,
  outExtension: { ".js": ".mjs" },
  loader: { ".sql": "text" },
  logLevel: "warning",
};
