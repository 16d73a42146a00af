// Bundles every *.test.ts with esbuild and runs them with node's own test runner, one process a file.
// Usage: node scripts/test.mjs [part of a path …]   runs only the files whose path contains one of the parts.
// HOLDFAST_TEST_OUT names the folder for the bundles, so that two runs in one tree do not disturb each other.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { build } from "esbuild";
import { BUNDLE, ROOT } from "./bundle.mjs";

const OUT = process.env.HOLDFAST_TEST_OUT ?? ".test-build/all";
const FOLDERS = ["sdk", "server", "examples", "bench"];
/** Longer than any test takes on a busy machine: a test that hangs fails instead of holding everything up. */
const TEST_TIMEOUT_MS = 300_000;

function testFiles(parts) {
  const found = [];
  for (const folder of FOLDERS.filter((name) => existsSync(name))) {
    for (const name of readdirSync(folder, { recursive: true })) {
      const file = path.join(folder, name).replaceAll("\\", "/");
      if (!file.endsWith(".test.ts") || /(^|\/)(node_modules|dist)\//.test(file)) continue;
      if (parts.length === 0 || parts.some((part) => file.includes(part))) found.push(file);
    }
  }
  return found.toSorted((a, b) => (a < b ? -1 : 1));
}

process.chdir(ROOT);
const parts = process.argv.slice(2);
const files = testFiles(parts);
if (files.length === 0) {
  console.error(parts.length === 0 ? "no test file" : `no test file matches ${parts.join(", ")}`);
  process.exit(1);
}
rmSync(OUT, { recursive: true, force: true });
try {
  await build({
    ...BUNDLE,
    entryPoints: files,
    outdir: OUT,
    outbase: ".",
    splitting: true,
    packages: "external",
    sourcemap: "inline",
  });
} catch {
  // esbuild has printed what is wrong and where.
  process.exit(1);
}
const run = spawn(
  process.execPath,
  [
    "--enable-source-maps",
    "--test",
    "--test-reporter=spec",
    `--test-concurrency=${os.availableParallelism()}`,
    `--test-timeout=${TEST_TIMEOUT_MS}`,
    ...files.map((file) => path.join(OUT, file.replace(/\.ts$/, ".mjs"))),
  ],
  { stdio: "inherit", env: { ...process.env, NODE_NO_WARNINGS: "1" } },
);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => run.kill(signal));
run.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
