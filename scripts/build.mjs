// Builds the server into dist/holdfast.mjs, the SDK into sdk/dist, and each example into its own dist.
// Usage: node scripts/build.mjs [server] [sdk] [examples]   builds everything when none is named.
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";
import { BUNDLE, ROOT } from "./bundle.mjs";

// Some bundled packages are CommonJS and call `require` for Node's own modules; an ES module has none.
const SERVER_BANNER = `#!/usr/bin/env node
import { createRequire as holdfastCreateRequire } from "node:module";
const require = holdfastCreateRequire(import.meta.url);`;

/** One file with everything inside except the native addon. */
async function buildServer() {
  await build({
    ...BUNDLE,
    entryPoints: ["server/main.ts"],
    outfile: "dist/holdfast.mjs",
    external: ["better-sqlite3"],
    banner: { js: SERVER_BANNER },
    sourcemap: "linked",
    legalComments: "linked",
  });
  chmodSync(path.join(ROOT, "dist", "holdfast.mjs"), 0o755);
}

/** One module an entry of `exports`, with what they share in common chunks, and the declarations. */
async function buildSdk() {
  const folder = path.join(ROOT, "sdk");
  const { exports } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
  const sources = Object.values(exports)
    .filter((entry) => typeof entry === "object")
    .map((entry) => path.join("sdk", entry.default.replace("dist/", "").replace(/\.js$/, ".ts")));
  rmSync(path.join(folder, "dist"), { recursive: true, force: true });
  await build({
    ...BUNDLE,
    // Two entries may be one module.
    entryPoints: [...new Set(sources)],
    outdir: "sdk/dist",
    outbase: "sdk",
    outExtension: { ".js": ".js" },
    // A class such as TerminalError must be one and the same behind every entry.
    splitting: true,
    chunkNames: "shared-[hash]",
    packages: "external",
    sourcemap: "linked",
  });
  buildDeclarations(
    folder,
    sources.map((source) => path.relative("sdk", source).replace(/\.ts$/, ".d.ts")),
  );
}

/**
 * The declarations that the entries reach. The test kit is made of parts of the server too, which the compiler declares along with
 * it; none of them may show in what users see.
 */
function buildDeclarations(folder, entries) {
  const tsc = path.join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const run = spawnSync(process.execPath, [tsc, "-p", "sdk/tsconfig.json"], {
    cwd: ROOT,
    stdio: "inherit",
  });
  if (run.status !== 0) throw new Error("the declarations of the SDK could not be built");
  const made = path.join(folder, "dist", "types");
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    const text = readFileSync(path.join(made, "sdk", file), "utf8");
    for (const [, specifier] of text.matchAll(/(?:\bfrom |\bimport\()"(\.[^"]+)"/g)) {
      const target = path.join(path.dirname(file), specifier.replace(/\.[jt]s$/, ".d.ts"));
      if (target.startsWith("..")) throw new Error(`sdk/${file} shows ${target} to users`);
      visit(target);
    }
  };
  for (const entry of entries) visit(entry);
  for (const file of reached) {
    const target = path.join(folder, "dist", file);
    mkdirSync(path.dirname(target), { recursive: true });
    renameSync(path.join(made, "sdk", file), target);
  }
  rmSync(made, { recursive: true });
}

/** As a user's own build would: without the paths of tsconfig.json, so that the built SDK is what runs. */
async function buildExamples() {
  for (const name of readdirSync(path.join(ROOT, "examples"))) {
    await build({
      ...BUNDLE,
      entryPoints: [`examples/${name}/main.ts`],
      outdir: `examples/${name}/dist`,
      packages: "external",
      tsconfigRaw: {},
      sourcemap: "linked",
    });
  }
}

const parts = process.argv.slice(2);
try {
  if (parts.length === 0 || parts.includes("server")) await buildServer();
  if (parts.length === 0 || parts.includes("sdk")) await buildSdk();
  if (parts.length === 0 || parts.includes("examples")) await buildExamples();
} catch (error) {
  // esbuild and tsc have said what is wrong.
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
