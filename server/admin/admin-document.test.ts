import assert from "node:assert/strict";
import { test } from "node:test";
import { adminRoutes } from "./admin.ts";
import { at, FakeWorld } from "./fake-world.suite.ts";
import { discovered, optionsOf, pinned, start } from "./fixture.suite.ts";
import { adminDocument } from "./admin-document.ts";

const document: unknown = JSON.parse(JSON.stringify(adminDocument("1.2.3")));

function routes(): string[] {
  const fixture = {
    url: "",
    port: 0,
    asked: [],
    errors: [],
    queries: [],
    offers: discovered(),
    failure: null,
    rows: pinned(),
    request: () => Promise.reject(new Error("nobody asks")),
  };
  return adminRoutes(optionsOf(new FakeWorld(), fixture)).map(({ method, path }) => {
    const template = path.replaceAll(/:(\w+)(?:\{[^}]*\})?/g, "{$1}");
    return `${method} ${template}`;
  });
}

function documented(): string[] {
  return Object.entries(at(document, "paths") ?? {}).flatMap(([path, item]) =>
    Object.keys(item ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
  );
}

/** Every value under a key, anywhere. */
function* valuesOf(value: unknown, key: string): Generator {
  if (typeof value !== "object" || value === null) return;
  for (const [name, part] of Object.entries(value)) {
    if (name === key) yield part;
    yield* valuesOf(part, key);
  }
}

test("the document has every route and no other", () => {
  assert.ok(routes().length > 40);
  assert.deepEqual(documented().toSorted(), routes().toSorted());
});

test("every reference of the document leads somewhere, and every schema is used", () => {
  const references = new Set([...valuesOf(document, "$ref")].map(String));
  for (const reference of references) {
    const target = at(document, ...reference.replace(/^#\//, "").split("/"));
    assert.notEqual(target, undefined, reference);
  }
  for (const name of Object.keys(at(document, "components", "schemas") ?? {})) {
    assert.ok(references.has(`#/components/schemas/${name}`), name);
  }
});

test("operations have ids of their own, path parameters and an answer", () => {
  const ids = new Set<unknown>();
  for (const [path, item] of Object.entries(at(document, "paths") ?? {})) {
    for (const [method, operation] of Object.entries(item ?? {})) {
      const where = `${method} ${path}`;
      const id = at(operation, "operationId");
      assert.ok(!ids.has(id), where);
      ids.add(id);
      assert.equal(typeof at(operation, "summary"), "string", where);
      const parameters = at(operation, "parameters") ?? [];
      assert.ok(Array.isArray(parameters), where);
      const inPath = parameters
        .filter((each: unknown) => at(each, "in") === "path")
        .map((each: unknown) => `{${String(at(each, "name"))}}`);
      assert.deepEqual(inPath.toSorted(), (path.match(/\{\w+\}/g) ?? []).toSorted(), where);
      const statuses = Object.keys(at(operation, "responses") ?? {});
      assert.ok(
        statuses.some((status) => /^(?:2|501)/.test(status)),
        where,
      );
    }
  }
});

test("the document is served with the version of the server", async () => {
  const { request } = await start();
  const answer = await request("GET", "/v4/openapi");
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, document);
  assert.equal(at(answer.json, "openapi"), "3.1.0");
  assert.equal(at(answer.json, "info", "version"), "1.2.3");
});
