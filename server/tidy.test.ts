/**
 * The law of the house as a test: who may import whom, which packages stand in which room, how long a file may be, and what
 * must not be written. Each rule is a function from sources to violations, and is shown to find a planted one.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";

/** Path from the root of the repository, with slashes, to text. */
type Sources = ReadonlyMap<string, string>;

interface Room {
  /** The other rooms it may import from. */
  readonly rooms: readonly string[];
  /** Packages and modules of Node it may import; `node:` alone is any module of Node, `*` anything. */
  readonly external: readonly string[];
}

const FILE_LINES_MAX = 400;

const GROUND = ["sdk/protocol", "server/base"];
const CORE = ["server/processor", "server/machine", "server/journal", ...GROUND];

/** A room that is not listed may not exist: a new one is a decision about floors. */
const ROOMS: Readonly<Record<string, Room>> = {
  "sdk/protocol": { rooms: [], external: [] },
  "sdk/define": { rooms: ["sdk/protocol"], external: [] },
  "sdk/replay": { rooms: ["sdk/protocol"], external: [] },
  "sdk/context": { rooms: ["sdk/replay", "sdk/define", "sdk/protocol"], external: [] },
  "sdk/endpoint": {
    rooms: ["sdk/context", "sdk/replay", "sdk/define", "sdk/protocol"],
    external: ["node:"],
  },
  "sdk/lint": { rooms: ["sdk/define"], external: [] },
  // The server's core runs in the process of a test; its outer shells (HTTP listeners, SQLite, the bucket) do not.
  "sdk/testing": {
    rooms: [
      "sdk/endpoint",
      "sdk/ingress-client",
      "sdk/context",
      "sdk/replay",
      "sdk/define",
      "server/store",
      "server/invoker",
      "server/ingress",
      "server/admin",
      "server/http",
      ...CORE,
    ],
    external: ["node:"],
  },
  "sdk/ingress-client": { rooms: ["sdk/define", "sdk/protocol"], external: [] },
  sdk: { rooms: ["sdk/*"], external: ["node:"] },

  "server/base": { rooms: ["sdk/protocol"], external: ["node:crypto"] },
  "server/journal": { rooms: GROUND, external: [] },
  "server/machine": { rooms: ["server/journal", ...GROUND], external: [] },
  "server/processor": { rooms: ["server/machine", "server/journal", ...GROUND], external: [] },
  "server/http": {
    rooms: ["server/base"],
    external: ["node:http", "node:https", "node:http2", "node:net", "node:stream"],
  },

  "server/store": { rooms: CORE, external: ["better-sqlite3", "node:"] },
  "server/invoker": {
    rooms: CORE,
    external: ["undici", "@aws-sdk/client-lambda", "@aws-sdk/credential-providers", "node:"],
  },
  "server/ingress": { rooms: ["server/http", ...CORE], external: ["node:http"] },
  "server/admin": { rooms: ["server/http", ...CORE], external: ["hono", "@hono/node-server"] },
  "server/timers": { rooms: CORE, external: [] },
  "server/query": { rooms: CORE, external: ["apache-arrow", "better-sqlite3", "node:"] },
  "server/telemetry": { rooms: CORE, external: ["prom-client", "@opentelemetry", "node:crypto"] },
  "server/replica": { rooms: CORE, external: ["@aws-sdk/client-s3", "better-sqlite3", "node:"] },

  // The composition root and the process; nobody imports these.
  server: { rooms: ["server/*", "sdk/protocol"], external: ["commander", "node:"] },
  // Test only: the whole house from outside, the SDK included.
  "server/sim": {
    rooms: ["server/*", "server", "sdk/*", "sdk"],
    external: ["node:", "@holdfast/sdk"],
  },
  "server/test": {
    rooms: ["server/*", "server", "sdk/*", "sdk"],
    external: ["*"],
  },
};

/** Where time and chance are arguments. */
const DETERMINISTIC = ["sdk/protocol", "sdk/replay", "server/journal", "server/machine"];
const TIME_AND_CHANCE = ["Date.now(", "new Date()", "Math.random(", "randomUUID("];

/** The one reader of the wall clock below the shells. */
const CLOCK = "server/base/clock.ts";
const CLOCKLESS = [...DETERMINISTIC, "server/base", "server/processor", "server/sim"];

/** Files that are started, not imported. `exports` of the SDK's package.json adds its own. */
const ENTRIES = ["server/main.ts", "server/sim/main.ts", "server/test/soak/soak.ts"];

const isTest = (file: string) => file.endsWith(".test.ts");
const isTestOnly = (file: string) =>
  isTest(file) || file.endsWith(".suite.ts") || /^server\/(sim|test)\//.test(file);

/** The longest listed room that holds the file. */
function roomOf(file: string): string {
  for (let folder = path.posix.dirname(file); folder !== "."; folder = path.posix.dirname(folder)) {
    if (
      ROOMS[folder] !== undefined &&
      (folder.includes("/") || path.posix.dirname(file) === folder)
    )
      return folder;
  }
  return path.posix.dirname(file);
}

/** What a file imports, as written. The formatter puts every import at the start of a line. */
function importsOf(text: string): string[] {
  const patterns = [
    /^(?:import|export)\s[^;'"`]*?\bfrom\s*["']([^"']+)["']/gm,
    /^import\s*["']([^"']+)["']/gm,
    /\bimport\(\s*["']([^"']+)["']/g,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map((match) => match[1] ?? "").filter((name) => name !== ""),
  );
}

const isRelative = (specifier: string) => specifier.startsWith(".");

/** A question mark asks for the module in another form, such as its bundle as text. */
function resolve(file: string, specifier: string): string {
  return path.posix.join(path.posix.dirname(file), specifier.split("?")[0] ?? "");
}

const allows = (list: readonly string[], name: string) =>
  list.some((each) => each === name || (each.endsWith("/*") && name.startsWith(each.slice(0, -1))));

const allowsExternal = (list: readonly string[], name: string) =>
  list.some((each) => {
    if (each === "*" || each === name) return true;
    return name.startsWith(each.endsWith(":") ? each : `${each}/`);
  });

/** Imports that run up, run between siblings, or bring a package into a room where it has no business. */
function floorViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const own = roomOf(file);
    const room = ROOMS[own];
    if (file.startsWith("examples/") || isTest(file) || file.endsWith(".suite.ts")) return [];
    if (room === undefined) return [`${file}: the room ${own} is not in the table`];
    return importsOf(text).flatMap((specifier) => {
      if (!isRelative(specifier)) {
        if (allowsExternal(room.external, specifier)) return [];
        return [`${file}: ${own} may not import the package ${specifier}`];
      }
      const target = roomOf(resolve(file, specifier));
      if (target === own || allows(room.rooms, target)) return [];
      return [`${file}: ${own} may not import ${target} (${specifier})`];
    });
  });
}

/** Examples import the SDK exactly as a user would. */
function exampleViolations(sources: Sources): string[] {
  return [...sources]
    .filter(([file]) => file.startsWith("examples/"))
    .flatMap(([file, text]) =>
      importsOf(text)
        .filter((specifier) => isRelative(specifier))
        .filter((specifier) => !isTest(file) && !inExample(file, resolve(file, specifier)))
        .map((specifier) => `${file}: an example may not import ${specifier}`),
    );
}

function inExample(file: string, target: string): boolean {
  const [, name] = file.split("/");
  return target.startsWith(`examples/${name}/`);
}

function lengthViolations(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const lines = text.split("\n").length - 1;
    if (lines <= FILE_LINES_MAX || isTest(file) || file.endsWith(".suite.ts")) return [];
    return [`${file}: ${lines} lines, at most ${FILE_LINES_MAX}`];
  });
}

/** Time and chance where they are arguments; barrels; a test that keeps others from running. */
function bannedText(sources: Sources): string[] {
  return [...sources].flatMap(([file, text]) => {
    const found: string[] = [];
    const room = roomOf(file);
    const ban = (banned: readonly string[], why: string) => {
      for (const each of banned) if (text.includes(each)) found.push(`${file}: ${each} ${why}`);
    };
    if (DETERMINISTIC.includes(room) && !isTest(file))
      ban(TIME_AND_CHANCE, "comes in as an argument");
    else if (CLOCKLESS.includes(room) && !isTest(file) && file !== CLOCK) {
      ban(["Date.now(", "new Date()"], `is read in ${CLOCK} only`);
    }
    if (/^export\s+\*/m.test(text)) found.push(`${file}: export * hides what is exported`);
    if (isTest(file)) {
      const held = /\b(?:it|test|describe|suite)\.(?:only|skip|todo)\(|\bonly: true\b/.exec(text);
      if (held !== null) found.push(`${file}: ${held[0]} keeps tests from running`);
    }
    return found;
  });
}

/** Stable codes that a user can meet, and that the list of errors does not explain. */
function unexplainedCodes(sources: Sources, errors: string): string[] {
  const explained = new Set([...errors.matchAll(/^### (\S+)/gm)].map(([, code]) => code));
  return [...sources].flatMap(([file, text]) => {
    if (!file.startsWith("server/") || isTestOnly(file)) return [];
    const patterns = [/"((?:RT|META)\d{4})"/g, /\breason: "([a-z-]+)",\n\s+message/g];
    return patterns
      .flatMap((pattern) => [...text.matchAll(pattern)].map(([, code]) => code ?? ""))
      .filter((code) => !explained.has(code))
      .map((code) => `${file}: ${code} is not in docs/errors.md`);
  });
}

/** Files that nothing reaches from an entry or from the tests of another file. */
function deadFiles(sources: Sources, entries: readonly string[]): string[] {
  const reached = new Set<string>();
  const visit = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const specifier of importsOf(sources.get(file) ?? "")) {
      const target = resolve(file, specifier);
      // A file that only its own test knows is dead.
      if (isRelative(specifier) && target !== file.replace(/\.test\.ts$/, ".ts")) visit(target);
    }
  };
  const roots = [...sources.keys()].filter(
    (file) => isTest(file) || /^examples\/[^/]+\/main\.ts$/.test(file) || entries.includes(file),
  );
  for (const root of roots) visit(root);
  return [...sources.keys()]
    .filter((file) => !reached.has(file))
    .map((file) => `${file}: nothing imports it`);
}

/** What `server/` ships must not lean on what only tests use. */
function testOnlyImports(sources: Sources): string[] {
  return [...sources]
    .filter(([file]) => !isTestOnly(file))
    .flatMap(([file, text]) =>
      importsOf(text)
        .filter((specifier) => isRelative(specifier) && isTestOnly(resolve(file, specifier)))
        .map((specifier) => `${file}: ${specifier} is for tests`),
    );
}

function readSources(): Sources {
  const sources = new Map<string, string>();
  for (const folder of ["sdk", "server", "examples"]) {
    for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
      const file = path.posix.join(folder, name.replaceAll("\\", "/"));
      if (!file.endsWith(".ts") || file.endsWith(".d.ts")) continue;
      if (/\/(node_modules|dist)\//.test(file)) continue;
      sources.set(file, readFileSync(file, "utf8"));
    }
  }
  return sources;
}

/** The sources behind `exports` of the SDK's package.json. */
function sdkEntries(): string[] {
  const text = readFileSync("sdk/package.json", "utf8");
  return [...text.matchAll(/"default": "\.\/dist\/([\w-]+)\.js"/g)].map(
    (match) => `sdk/${match[1]}.ts`,
  );
}

const planted = (files: Record<string, string>): Sources => new Map(Object.entries(files));

describe("the law of the house", () => {
  const sources = readSources();
  // Its rules and planted violations are text that the rules look for.
  const others = new Map([...sources].filter(([file]) => file !== "server/tidy.test.ts"));

  it("sees the whole house", () => {
    assert.ok(sources.size > 50, `${sources.size} files`);
    assert.ok(sdkEntries().includes("sdk/index.ts"));
  });

  it("holds on every floor", () => assert.deepEqual(floorViolations(others), []));
  it("holds in the examples", () => assert.deepEqual(exampleViolations(others), []));
  it("keeps files short", () => assert.deepEqual(lengthViolations(others), []));
  it("keeps banned text out", () => assert.deepEqual(bannedText(others), []));
  it("keeps what tests use out of what is shipped", () =>
    assert.deepEqual(testOnlyImports(others), []));
  it("explains every code that a user can meet", () =>
    assert.deepEqual(unexplainedCodes(others, readFileSync("docs/errors.md", "utf8")), []));
  it("has no file that nothing imports", () =>
    assert.deepEqual(deadFiles(sources, [...ENTRIES, ...sdkEntries()]), []));
});

describe("the law of the house finds", () => {
  it("an import that runs up", () => {
    const up = planted({ "server/machine/a.ts": 'import { x } from "../store/b.ts";\n' });
    assert.deepEqual(floorViolations(up), [
      "server/machine/a.ts: server/machine may not import server/store (../store/b.ts)",
    ]);
  });

  it("an import of a sibling, also of its types, over several lines", () => {
    const sibling = planted({
      "server/ingress/a.ts": 'import type {\n  X,\n  Y,\n} from "../invoker/b.ts";\n',
    });
    assert.equal(floorViolations(sibling).length, 1);
  });

  it("a part of the SDK above its protocol in the server, which tests may use", () => {
    const text = 'import { x } from "../../sdk/replay/b.ts";\n';
    assert.equal(floorViolations(planted({ "server/invoker/a.ts": text })).length, 1);
    assert.equal(floorViolations(planted({ "server/sim/a.ts": text })).length, 0);
  });

  it("the composition root imported from below", () => {
    const root = planted({ "server/admin/a.ts": 'import { boot } from "../boot.ts";\n' });
    assert.equal(floorViolations(root).length, 1);
  });

  it("an import in the middle of a file", () => {
    const lazy = planted({ "server/journal/a.ts": 'const x = await import("../store/b.ts");\n' });
    assert.equal(floorViolations(lazy).length, 1);
  });

  it("a re-export from a floor above", () => {
    const again = planted({ "server/base/a.ts": 'export { x } from "../machine/b.ts";\n' });
    assert.equal(floorViolations(again).length, 1);
  });

  it("a package where it has no business", () => {
    const where = (file: string, name: string) =>
      floorViolations(planted({ [file]: `import x from "${name}";\n` })).length;
    assert.equal(where("server/machine/a.ts", "node:fs"), 1);
    assert.equal(where("server/ingress/a.ts", "better-sqlite3"), 1);
    assert.equal(where("server/admin/a.ts", "hono/cors"), 0);
    assert.equal(where("server/store/a.ts", "node:fs/promises"), 0);
    assert.equal(where("sdk/protocol/a.ts", "protobufjs"), 1);
  });

  it("a room that is not in the table", () => {
    assert.equal(floorViolations(planted({ "server/helpers/a.ts": "" })).length, 1);
    assert.equal(floorViolations(planted({ "server/store/migrations/a.ts": "" })).length, 0);
  });

  it("an example that reaches past the package", () => {
    const inside = planted({ "examples/a/main.ts": 'import { x } from "../../sdk/index.ts";\n' });
    assert.equal(exampleViolations(inside).length, 1);
  });

  it("a file that is too long, unless it is a test", () => {
    const long = "x;\n".repeat(FILE_LINES_MAX + 1);
    assert.equal(lengthViolations(planted({ "server/base/a.ts": long })).length, 1);
    assert.equal(lengthViolations(planted({ "server/base/a.test.ts": long })).length, 0);
    assert.equal(lengthViolations(planted({ "server/base/a.ts": long.slice(3) })).length, 0);
  });

  it("the clock and chance in the core", () => {
    for (const text of TIME_AND_CHANCE) {
      assert.equal(bannedText(planted({ "server/machine/a.ts": `f(${text}` })).length, 1, text);
    }
    assert.equal(bannedText(planted({ "server/processor/a.ts": "Date.now()" })).length, 1);
    assert.equal(bannedText(planted({ [CLOCK]: "Date.now()" })).length, 0);
    assert.equal(bannedText(planted({ "server/ingress/a.ts": "Date.now()" })).length, 0);
  });

  it("a barrel, and a test that keeps others from running", () => {
    assert.equal(bannedText(planted({ "sdk/index.ts": 'export * from "./a.ts";\n' })).length, 1);
    for (const text of ['it.only("x", f)', 'describe.skip("x", f)', 'it("x", { only: true }, f)']) {
      assert.equal(bannedText(planted({ "server/base/a.test.ts": text })).length, 1, text);
    }
  });

  it("a file that only its own test imports, and an island", () => {
    const dead = planted({
      "server/main.ts": 'import { a } from "./a.ts";\n',
      "server/a.ts": "",
      "server/b.ts": 'import { c } from "./c.ts";\n',
      "server/c.ts": 'import { b } from "./b.ts";\n',
      "server/d.ts": "",
      "server/d.test.ts": 'import { d } from "./d.ts";\n',
      "server/e.ts": "",
      "server/f.test.ts": 'import { e } from "./e.ts";\n',
    });
    assert.deepEqual(deadFiles(dead, ENTRIES), [
      "server/b.ts: nothing imports it",
      "server/c.ts: nothing imports it",
      "server/d.ts: nothing imports it",
    ]);
  });

  it("a code without an explanation", () => {
    const text = 'const a = { errorCode: "RT0099", b: { reason: "too-late",\n message } };';
    const found = unexplainedCodes(planted({ "server/ingress/a.ts": text }), "### RT0001 Abort\n");
    assert.equal(found.length, 2);
    assert.equal(
      unexplainedCodes(planted({ "server/ingress/a.ts": text }), "### RT0099\n### too-late\n")
        .length,
      0,
    );
  });

  it("test equipment in what is shipped", () => {
    const text = 'import { x } from "../test/harness.ts";\n';
    assert.equal(testOnlyImports(planted({ "server/store/a.ts": text })).length, 1);
    assert.equal(testOnlyImports(planted({ "server/store/a.test.ts": text })).length, 0);
  });
});
