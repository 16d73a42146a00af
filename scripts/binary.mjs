// Builds the server into one executable file that needs no Node: dist/holdfast.
//   npm run build:binary [-- --node PATH] [--out FILE]
// `--node`: the Node that goes into it (default: the one that runs this). The driver must have been installed for the same version.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { BUNDLE, ROOT } from "./bundle.mjs";

const { values: options } = parseArgs({
  options: {
    node: { type: "string", default: process.execPath },
    out: { type: "string", default: path.join(ROOT, "dist", "holdfast") },
  },
});

/** Marks in every Node binary where the program goes (Node's documentation, "Single executable applications"). */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const require = createRequire(import.meta.url);
const ADDON = path.join(
  path.dirname(require.resolve("better-sqlite3/package.json")),
  "build/Release/better_sqlite3.node",
);

/** The driver looks for its addon in many places; here it lies beside it. */
const addonBeside = {
  name: "addon-beside",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^bindings$/ }, () => ({ path: "bindings", namespace: "addon" }));
    onLoad({ filter: /.*/, namespace: "addon" }, () => ({
      contents: 'module.exports = () => require("./better_sqlite3.node");',
      resolveDir: ROOT,
    }));
    onResolve({ filter: /\.node$/ }, (args) => ({ path: args.path, external: true }));
  },
};

async function bundleDriver(folder) {
  const outfile = path.join(folder, "driver.cjs");
  await build({
    ...BUNDLE,
    entryPoints: [require.resolve("better-sqlite3")],
    format: "cjs",
    outfile,
    plugins: [addonBeside],
    legalComments: "inline",
  });
  return outfile;
}

async function bundleServer(folder, driverHash) {
  const outfile = path.join(folder, "holdfast.cjs");
  const prelude = readFileSync(path.join(ROOT, "scripts/binary/prelude.cjs"), "utf8");
  await build({
    ...BUNDLE,
    entryPoints: ["server/main.ts"],
    format: "cjs",
    outfile,
    external: ["better-sqlite3"],
    banner: { js: prelude.replace("HOLDFAST_DRIVER_HASH", JSON.stringify(driverHash)) },
    define: { "import.meta.url": "holdfastUrl" },
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "inline",
  });
  return outfile;
}

function hashOf(...files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(readFileSync(file));
  return hash.digest("hex").slice(0, 16);
}

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", cwd: ROOT });
  if (status !== 0) throw new Error(`${command} failed: ${error?.message ?? stderr}`);
}

const folder = mkdtempSync(path.join(tmpdir(), "holdfast-binary-"));
try {
  const driver = await bundleDriver(folder);
  const main = await bundleServer(folder, hashOf(driver, ADDON));
  const blob = path.join(folder, "program.blob");
  const config = path.join(folder, "sea.json");
  writeFileSync(
    config,
    JSON.stringify({
      main,
      output: blob,
      disableExperimentalSEAWarning: true,
      useCodeCache: true,
      assets: { "driver.cjs": driver, "better_sqlite3.node": ADDON },
    }),
  );
  // The code cache is that of the V8 that makes it: the same binary that goes into the file.
  run(options.node, ["--experimental-sea-config", config]);
  copyFileSync(options.node, options.out);
  chmodSync(options.out, 0o755);
  // Symbols are a tenth of the file; where there is no strip they stay.
  spawnSync("strip", [options.out]);
  run(process.execPath, [
    require.resolve("postject/dist/cli.js"),
    options.out,
    "NODE_SEA_BLOB",
    blob,
    "--sentinel-fuse",
    FUSE,
  ]);
  const mib = Math.round(statSync(options.out).size / 1024 / 1024);
  console.log(`${path.relative(process.cwd(), options.out)}: ${mib} MiB`);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
