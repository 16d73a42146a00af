// Puts everything that is needed to run the built server into a folder: the bundle, and what it cannot hold.
// Usage: node scripts/stage.mjs FOLDER
import { cpSync } from "node:fs";
import path from "node:path";
import { ROOT } from "./bundle.mjs";

// better-sqlite3 finds its addon through the other two; its sources, as large as the rest together, stay behind.
const NEEDED = [
  "dist/holdfast.mjs",
  "dist/holdfast.mjs.map",
  "dist/holdfast.mjs.LEGAL.txt",
  "LICENSE",
  "node_modules/better-sqlite3/package.json",
  "node_modules/better-sqlite3/LICENSE",
  "node_modules/better-sqlite3/lib",
  "node_modules/better-sqlite3/build/Release/better_sqlite3.node",
  "node_modules/bindings",
  "node_modules/file-uri-to-path",
];

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node scripts/stage.mjs FOLDER");
  process.exit(2);
}
for (const name of NEEDED) {
  cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
}
