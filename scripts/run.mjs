// Runs a TypeScript program of this repository from its sources: bundles it, then starts it with Node.
// Usage: node scripts/run.mjs FILE.ts [arguments …]
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { BUNDLE, ROOT } from "./bundle.mjs";

const [entry, ...args] = process.argv.slice(2);
if (entry === undefined) {
  console.error("usage: node scripts/run.mjs FILE.ts [arguments …]");
  process.exit(2);
}
// Inside the repository, so that the bundle finds node_modules; a folder of its own, so that runs do not meet.
mkdirSync(path.join(ROOT, ".run"), { recursive: true });
const out = mkdtempSync(path.join(ROOT, ".run", "run-"));
process.on("exit", () => rmSync(out, { recursive: true, force: true }));
try {
  await build({
    ...BUNDLE,
    entryPoints: { main: path.resolve(entry) },
    outdir: out,
    splitting: true,
    packages: "external",
    sourcemap: "inline",
  });
} catch {
  process.exit(1);
}
const run = spawn(
  process.execPath,
  [...process.execArgv, "--enable-source-maps", path.join(out, "main.mjs"), ...args],
  { stdio: "inherit" },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => run.kill(signal));
run.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
