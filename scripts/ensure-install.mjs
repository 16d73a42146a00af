// Installs the dependencies when they are missing, older than package-lock.json, or built for another Node.
// Plain Node, no dependencies: this runs before there is a node_modules.
import { spawnSync } from "node:child_process";
import { existsSync, statSync, utimesSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const LOCK = path.join(ROOT, "package-lock.json");
/** npm writes this file at the end of an installation. */
const MARK = path.join(ROOT, "node_modules", ".package-lock.json");

const OLDEST_NODE = [20, 18];

const ADVICE = `
What usually helps:
  - npm must reach its registry: check the network, a proxy (npm config get proxy) or a mirror (npm config get registry).
  - better-sqlite3 brings a compiled part. Where no ready one can be downloaded for this Node, it is compiled:
      Debian, Ubuntu   apt-get install python3 make g++
      Fedora           dnf install python3 make gcc-c++
      Alpine           apk add python3 make g++
      macOS            xcode-select --install
      Windows          Visual Studio Build Tools with "Desktop development with C++"
  - Node.js 20.18 or newer is needed; this is ${process.version}.
Then run the same command again.`;

/** Says what went wrong and what to do, and ends the process. */
function giveUp(what) {
  console.error(`\n${what}\n${ADVICE}`);
  process.exit(1);
}

function npm(...args) {
  // The tools of the build are development dependencies: they are wanted also with NODE_ENV=production.
  const flags = ["--include=dev", "--no-audit", "--no-fund"];
  const run = spawnSync("npm", [...args, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", 2, 2],
    shell: process.platform === "win32",
  });
  if (run.error !== undefined) giveUp(`npm could not be started: ${run.error.message}`);
  if (run.status !== 0) giveUp(`npm ${args.join(" ")} failed.`);
}

/** Why the native part of better-sqlite3 does not load here; undefined when it does. */
function addonProblem() {
  const probe = `new (require("better-sqlite3"))(":memory:").close()`;
  // In a process of its own, because an addon for another Node may bring this one down.
  const run = spawnSync(process.execPath, ["-e", probe], { cwd: ROOT, encoding: "utf8" });
  if (run.status === 0) return undefined;
  if (run.stderr.includes("NODE_MODULE_VERSION")) return "it was built for another Node.js";
  const lines = run.stderr.split("\n");
  return lines.find((line) => line.includes("Error:"))?.trim() ?? `signal ${run.signal}`;
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  giveUp(`Node.js ${process.versions.node} is too old.`);
}
if (!existsSync(MARK)) {
  console.error(
    "Installing dependencies (once; a minute or two where better-sqlite3 is compiled).",
  );
  npm("ci");
} else if (statSync(MARK).mtimeMs < statSync(LOCK).mtimeMs) {
  console.error("package-lock.json is newer than node_modules: updating dependencies.");
  npm("install");
  // npm leaves the file alone when nothing had to change.
  utimesSync(MARK, new Date(), new Date());
}
const problem = addonProblem();
if (problem !== undefined) {
  console.error(`Building better-sqlite3 for Node.js ${process.version} (${problem}).`);
  npm("rebuild", "better-sqlite3");
  const left = addonProblem();
  if (left !== undefined) giveUp(`better-sqlite3 does not load: ${left}`);
}
