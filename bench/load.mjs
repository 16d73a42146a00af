// Imports a TypeScript module of this repository from its sources: bundled below the repository, so that it finds node_modules.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { BUNDLE, ROOT } from "../scripts/bundle.mjs";

export async function loadTypeScript(file) {
  mkdirSync(path.join(ROOT, ".run"), { recursive: true });
  const out = mkdtempSync(path.join(ROOT, ".run", "bench-"));
  const outfile = path.join(out, "module.mjs");
  try {
    await build({ ...BUNDLE, entryPoints: [file], outfile, packages: "external" });
    return await import(pathToFileURL(outfile).href);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
