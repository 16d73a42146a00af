// The first thing the single executable does. Node gives it a `require` for its own modules only, so the SQLite driver, whose heart is
// native code that has to be a file, is put into a cache directory, and everything is required from there.
const fs = require("node:fs");
const Module = require("node:module");
const os = require("node:os");
const path = require("node:path");
const sea = require("node:sea");
const { pathToFileURL } = require("node:url");

/** As they lie below the cache directory. */
const FILES = {
  "index.js": "driver.cjs",
  "better_sqlite3.node": "better_sqlite3.node",
};

const assets = Object.entries(FILES).map(([file, asset]) => [
  file,
  Buffer.from(sea.getRawAsset(asset)),
]);

/** Where the driver may lie, the best place first. */
function places() {
  const { HOLDFAST_CACHE_DIR: own, XDG_CACHE_HOME: cache = "" } = process.env;
  if (own !== undefined && own !== "") return [own];
  const user = os.userInfo();
  return [
    path.join(cache === "" ? path.join(os.homedir(), ".cache") : cache, "holdfast"),
    path.join(os.tmpdir(), `holdfast-${user.uid}`),
  ];
}

/** Nobody else may put a driver there. */
function makePrivate(folder) {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = fs.lstatSync(folder);
  const isForeign = process.getuid !== undefined && uid !== process.getuid();
  if (isForeign || (mode & 0o022) !== 0) throw new Error(`${folder} can be written by others`);
}

/** Written beside and renamed, so that a start that is broken off leaves nothing half. */
function writeDriver(folder) {
  const unfinished = fs.mkdtempSync(`${folder}-`);
  for (const [file, bytes] of assets) {
    fs.writeFileSync(path.join(unfinished, file), bytes, { mode: 0o600 });
  }
  try {
    fs.renameSync(unfinished, folder);
  } catch {
    // Another process was first, or what lies there is damaged: then the next start finds it mended.
    if (isWhole(folder)) fs.rmSync(unfinished, { recursive: true });
    else {
      fs.rmSync(folder, { recursive: true, force: true });
      fs.renameSync(unfinished, folder);
    }
  }
}

function isWhole(folder) {
  try {
    return assets.every(([file, bytes]) => fs.readFileSync(path.join(folder, file)).equals(bytes));
  } catch {
    return false;
  }
}

function installIn(place) {
  makePrivate(place);
  const root = path.join(place, HOLDFAST_DRIVER_HASH);
  const folder = path.join(root, "node_modules", "better-sqlite3");
  fs.mkdirSync(path.dirname(folder), { recursive: true, mode: 0o700 });
  if (!isWhole(folder)) writeDriver(folder);
  return path.join(root, "holdfast.cjs");
}

function install() {
  const problems = [];
  for (const place of places()) {
    try {
      return installIn(place);
    } catch (error) {
      problems.push(error.message);
    }
  }
  process.stderr.write(
    `holdfast: there is no place for the SQLite driver (${problems.join("; ")}): set HOLDFAST_CACHE_DIR to a directory of its own\n`,
  );
  return process.exit(1);
}

const home = install();
// What the bundle is told of itself, in place of `import.meta.url`; `require` is the wrapper's parameter.
// oxlint-disable-next-line no-unused-vars -- the bundle behind this uses it
var holdfastUrl = pathToFileURL(home).href;
require = Module.createRequire(home);

// The server starts itself as `node - < program`; this executable is no `node`, and does the same.
if (process.argv.at(-1) === "-" && process.argv.includes("--input-type=commonjs")) {
  const flags = process.argv.filter((flag) => flag.startsWith("--max-old-space-size="));
  for (const flag of flags) require("node:v8").setFlagsFromString(flag);
  const program = new Module("[stdin]");
  // oxlint-disable-next-line no-underscore-dangle -- the one way to run a program out of a string
  program._compile(fs.readFileSync(0, "utf8"), home);
  return;
}
