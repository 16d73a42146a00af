// `npm start` and `npm run example`: installs what is missing, builds, and starts the checkout or another example.
// Usage: npm start [-- flags of holdfast serve]   npm run example -- NAME [flags of holdfast serve]
import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const SCRIPTS = path.dirname(fileURLToPath(import.meta.url));

for (const script of ["ensure-install.mjs", "build.mjs"]) {
  const { status } = spawnSync(process.execPath, [path.join(SCRIPTS, script)], {
    stdio: "inherit",
  });
  if (status !== 0) process.exit(status ?? 1);
}
await import("./demo.mjs");
