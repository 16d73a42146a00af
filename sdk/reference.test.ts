import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as client from "./client.ts";
import * as eslint from "./eslint.ts";
import * as fetched from "./fetch.ts";
import * as index from "./index.ts";
import * as lambda from "./lambda.ts";
import * as testing from "./testing.ts";

const FOLDER = "docs/api";

test("the reference knows every name that can be imported; npm run docs:api makes it anew", () => {
  const pages = readdirSync(FOLDER, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".md"),
  );
  const text = pages.map((name) => readFileSync(`${FOLDER}/${name}`, "utf8")).join("\n");
  const headings = new Set(
    [...text.matchAll(/^#+ (?:~~)?([\w]+)(?:\(\))?(?:~~)?$/gm)].map((match) => match[1]),
  );
  const names = [index, client, fetched, lambda, eslint, testing].flatMap((entry) =>
    Object.keys(entry),
  );
  assert.ok(names.length > 50);
  assert.deepEqual(
    names.filter((name) => !headings.has(name)),
    [],
  );
});
