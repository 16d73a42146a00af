// Makes docs/api from the docstrings of the SDK: one page for each of its entry points.
//   npm run docs:api
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Application } from "typedoc";

const HERE = path.dirname(fileURLToPath(import.meta.url));
const ROOT = path.join(HERE, "..", "..");
const OUT = path.join(ROOT, "docs", "api");
const SDK = path.join(ROOT, "sdk");

/** The sources behind `exports`: `./dist/client.js` comes from `client.ts`. */
function entryPoints() {
  const { exports } = JSON.parse(readFileSync(path.join(SDK, "package.json"), "utf8"));
  const sources = Object.values(exports).map((entry) =>
    path.join(SDK, entry.default.replace("./dist/", "").replace(/\.js$/, ".ts")),
  );
  // Some entries are two names of one.
  return [...new Set(sources)];
}

const app = await Application.bootstrapWithPlugins({
  plugin: ["typedoc-plugin-markdown"],
  tsconfig: path.join(HERE, "tsconfig.json"),
  entryPoints: entryPoints(),
  out: OUT,
  name: "API of @holdfast/sdk",
  readme: "none",
  router: "module",
  hideBreadcrumbs: true,
  hidePageHeader: true,
  disableSources: true,
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  hideGroupHeadings: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  typeDeclarationFormat: "table",
  typeAliasPropertiesFormat: "table",
  expandObjects: false,
  // Types that are only part of others are shown where they are used.
  validation: { notExported: false, invalidLink: true, notDocumented: false },
});
const project = await app.convert();
if (project === undefined) process.exit(1);
rmSync(OUT, { recursive: true, force: true });
await app.generateOutputs(project);
if (app.logger.hasErrors()) process.exit(1);
for (const name of readdirSync(OUT, { recursive: true })) {
  const file = path.join(OUT, name);
  if (!name.endsWith(".md")) continue;
  writeFileSync(file, readFileSync(file, "utf8").replace(/\n{3,}/g, "\n\n"));
}
