/** The rules in a real linter, on TypeScript. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { build } from "esbuild";
import plugin from "../eslint.ts";
import { LINT_CASES, SUGGESTIONS } from "./cases.suite.ts";

interface Diagnostic {
  readonly message: string;
  readonly code: string;
  readonly filename: string;
  readonly labels: readonly {
    readonly span: { readonly offset: number; readonly length: number };
  }[];
}

const OXLINT = path.join(
  path.dirname(createRequire(import.meta.url).resolve("oxlint/package.json")),
  "bin",
  "oxlint",
);

const folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-lint-"));
after(() => rmSync(folder, { recursive: true }));

function oxlint(...args: string[]): string {
  const run = spawnSync(process.execPath, [OXLINT, "-c", "oxlintrc.json", ...args, "."], {
    cwd: folder,
    encoding: "utf8",
  });
  assert.equal(run.stderr, "");
  return run.stdout;
}

/** All files in one run: starting the linter takes longer than linting. */
async function lint(): Promise<Diagnostic[]> {
  await build({
    entryPoints: ["sdk/eslint.ts"],
    bundle: true,
    format: "esm",
    platform: "neutral",
    outfile: path.join(folder, "plugin.mjs"),
  });
  const { rules } = plugin.configs.recommended;
  const config = {
    jsPlugins: [{ name: "holdfast", specifier: "./plugin.mjs" }],
    categories: { correctness: "off" },
    ignorePatterns: ["plugin.mjs"],
    rules,
  };
  writeFileSync(path.join(folder, "oxlintrc.json"), JSON.stringify(config));
  for (const [index, { code }] of LINT_CASES.entries()) {
    writeFileSync(path.join(folder, `case${index}.ts`), code);
  }
  const { diagnostics } = JSON.parse(oxlint("-f", "json")) as { diagnostics: Diagnostic[] };
  return diagnostics;
}

describe("the rules find", () => {
  const linted = lint();

  for (const [index, { title, code, found }] of LINT_CASES.entries()) {
    it(title, async () => {
      const own = (await linted).filter(({ filename }) => filename.endsWith(`case${index}.ts`));
      const spans = own.flatMap(({ code: rule, labels: [label] }) =>
        label === undefined ? [] : [{ rule, ...label.span }],
      );
      const sorted = spans.toSorted((a, b) => a.offset - b.offset);
      assert.deepEqual(
        sorted.map(({ rule, offset, length }) => [
          /\((.*)\)/.exec(rule)?.[1],
          code.slice(offset, offset + length),
        ]),
        found,
      );
    });
  }

  it("say what to do, with the name the context has", async () => {
    const messages = (await linted).map(({ message }) => message);
    assert.ok(messages.some((message) => message.includes("use await context.date.now()")));
    assert.ok(messages.some((message) => message.includes("call it in context.run")));
  });

  it("offer it, too", async () => {
    await linted;
    for (const [index, { code, fixed }] of SUGGESTIONS.entries()) {
      const file = path.join(folder, `suggestion${index}.ts`);
      writeFileSync(file, code);
      oxlint("--fix-suggestions");
      assert.equal(readFileSync(file, "utf8"), fixed);
      rmSync(file);
    }
  });
});
