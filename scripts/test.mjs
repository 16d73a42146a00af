// Bundles every *.test.ts with esbuild and runs them with node's own test runner, one process a file.
// Usage: node scripts/test.mjs [part of a path …]   runs only the files whose path contains one of the parts.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { build } from "esbuild";

const OUT = ".test-build";
const ROOTS = ["sdk", "server", "examples"];

async function testFiles(parts) {
  const found = [];
  for (const root of ROOTS) {
    for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      if (!entry.isFile() || !file.endsWith(".test.ts") || file.includes("node_modules")) continue;
      if (parts.length === 0 || parts.some((part) => file.includes(part))) found.push(file);
    }
  }
  return found.sort();
}

const files = await testFiles(process.argv.slice(2));
if (files.length === 0) {
  console.error(`no test file matches ${process.argv.slice(2).join(", ")}`);
  process.exit(1);
}
rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir: OUT,
  outbase: ".",
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  loader: { ".sql": "text" },
  logLevel: "warning",
});
const built = files.map((file) => path.join(OUT, file.replace(/\.ts$/, ".mjs")));
const run = spawn(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-concurrency=2", ...built],
  { stdio: "inherit", env: { ...process.env, NODE_NO_WARNINGS: "1" } },
);
run.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
