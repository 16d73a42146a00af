// Everything that can be said about the code without running it: format, lint with types, types.
// Runs all of them, so that one report names everything there is to mend.
import { spawnSync } from "node:child_process";
import { ROOT } from "./bundle.mjs";

// Explicit folders: the type-aware linter must not find its way into node_modules.
const CHECKS = [
  ["format", "oxfmt", "--check", "."],
  ["lint", "oxlint", "sdk", "server", "examples", "bench", "scripts"],
  ["types", "tsc", "-p", "."],
];

const failed = CHECKS.filter(([name, ...command]) => {
  const startMs = performance.now();
  const run = spawnSync("npx", ["--no-install", ...command], {
    cwd: ROOT,
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${run.status === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)`);
  return run.status !== 0;
});
process.exitCode = failed.length === 0 ? 0 : 1;
