import assert from "node:assert/strict";
import { test } from "node:test";
import { at, service } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";
import { serviceDocument } from "./service-document.ts";

const JSON_TYPE = "application/json";

function document(of: ReturnType<typeof service>, revision = 1): unknown {
  return JSON.parse(JSON.stringify(serviceDocument(of, revision, "http://127.0.0.1:8080")));
}

const pathsOf = (of: unknown): string[] => Object.keys(at(of, "paths") ?? {}).toSorted();

test("a service has its calls, sends and results by idempotency key", () => {
  const shown = document(service("Greeter", [{ name: "greet", documentation: "hello" }]), 3);
  assert.equal(at(shown, "openapi"), "3.1.0");
  assert.deepEqual(at(shown, "info"), { title: "Greeter", version: "3" });
  assert.equal(at(shown, "servers", 0, "url"), "http://127.0.0.1:8080");
  assert.deepEqual(pathsOf(shown), [
    "/restate/call/Greeter/greet",
    "/restate/invocation/Greeter/greet/{idempotencyKey}/attach",
    "/restate/invocation/Greeter/greet/{idempotencyKey}/output",
    "/restate/send/Greeter/greet",
  ]);
  const ids = pathsOf(shown).map(
    (path) =>
      at(shown, "paths", path, "post", "operationId") ??
      at(shown, "paths", path, "get", "operationId"),
  );
  assert.deepEqual(ids, ["greet", "greetAttach", "greetOutput", "greetSend"]);
  const send = at(shown, "paths", "/restate/send/Greeter/greet", "post");
  assert.deepEqual(at(send, "tags"), ["Send"]);
  assert.deepEqual(Object.keys(at(send, "responses") ?? {}), ["200", "202", "default"]);
  const output = at(shown, "paths", pathsOf(shown)[2] ?? "", "get", "responses");
  assert.deepEqual(Object.keys(output ?? {}), ["200", "404", "470", "default"]);
});

test("objects have a key, and a workflow its run by key alone", () => {
  const counter = document(service("Counter", [{ name: "add" }], { ty: "VIRTUAL_OBJECT" }));
  assert.ok(pathsOf(counter).includes("/restate/call/Counter/{key}/add"));
  const call = at(counter, "paths", "/restate/call/Counter/{key}/add", "parameters", 0, "$ref");
  assert.equal(call, "#/components/parameters/key");
  const handlers = [{ name: "run", ty: "WORKFLOW" }, { name: "status" }] as const;
  assert.deepEqual(pathsOf(document(service("Signup", handlers, { ty: "WORKFLOW" }))), [
    "/restate/call/Signup/{key}/run",
    "/restate/call/Signup/{key}/status",
    "/restate/invocation/Signup/{key}/status/{idempotencyKey}/attach",
    "/restate/invocation/Signup/{key}/status/{idempotencyKey}/output",
    "/restate/send/Signup/{key}/run",
    "/restate/send/Signup/{key}/status",
    "/restate/workflow/Signup/{key}/attach",
    "/restate/workflow/Signup/{key}/output",
  ]);
});

test("input and output are what the handlers declare, their schemas whole", () => {
  const schema = { $ref: "#/$defs/name", $defs: { name: { type: "string" } } };
  const shown = document(
    service("Greeter", [
      {
        name: "greet",
        input: { contentType: JSON_TYPE, required: true, jsonSchema: schema },
        output: { contentType: JSON_TYPE, jsonSchema: { type: "number" } },
      },
      { name: "any" },
      { name: "nothing", input: {}, output: {} },
      { name: "bytes", input: { contentType: "image/*" }, output: { contentType: "image/png" } },
    ]),
  );
  const call = (name: string): unknown =>
    at(shown, "paths", `/restate/call/Greeter/${name}`, "post");
  assert.deepEqual(at(call("greet"), "requestBody"), {
    required: true,
    content: { [JSON_TYPE]: { schema: { $ref: "#/components/schemas/greetInput" } } },
  });
  assert.deepEqual(at(call("greet"), "responses", "200", "content"), {
    [JSON_TYPE]: { schema: { $ref: "#/components/schemas/greetOutput" } },
  });
  assert.deepEqual(at(shown, "components", "schemas", "greetInput"), {
    $ref: "#/components/schemas/greetInput/$defs/name",
    $defs: { name: { type: "string" } },
  });
  assert.deepEqual(at(call("any"), "requestBody"), { required: false, content: { "*/*": {} } });
  assert.deepEqual(at(call("any"), "responses", "200", "content"), { [JSON_TYPE]: {} });
  assert.equal(at(call("nothing"), "requestBody"), undefined);
  assert.equal(at(call("nothing"), "responses", "200", "content"), undefined);
  assert.deepEqual(at(call("bytes"), "requestBody", "content"), { "image/*": {} });
  assert.deepEqual(at(call("bytes"), "responses", "200", "content"), { "image/png": {} });
});

test("every reference of a document leads somewhere", () => {
  const handlers = [{ name: "run", ty: "WORKFLOW" }, { name: "status" }] as const;
  const shown = document(service("Signup", handlers, { ty: "WORKFLOW" }));
  const references = JSON.stringify(shown).match(/#\/components\/[^"]+/g) ?? [];
  assert.ok(references.length > 10);
  for (const reference of new Set(references)) {
    assert.notEqual(at(shown, ...reference.slice(2).split("/")), undefined, reference);
  }
});

test("the document of a service is served with its revision, of an unknown one not", async () => {
  const { world, request } = await start();
  world.register(service("Greeter", [{ name: "run" }]));
  world.register(service("Greeter", [{ name: "run" }]));
  const answer = await request("GET", "/v4/services/Greeter/openapi");
  assert.deepEqual([answer.status, at(answer.json, "info", "version")], [200, "2"]);
  assert.equal((await request("GET", "/services/Nobody/openapi")).status, 404);
});
