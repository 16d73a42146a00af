import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_SETTINGS } from "../machine/settings.ts";
import { at, service } from "./fake-world.suite.ts";
import { type Fixture, start } from "./fixture.suite.ts";

test("a service shows what is in force, a handler what it sets itself", async () => {
  const fixture = await start();
  const json = { contentType: "application/json" };
  fixture.world.register(
    service(
      "Configured",
      [
        {
          name: "h",
          documentation: "handler doc",
          metadata: { hm: "1" },
          idempotencyRetention: 3_600_000,
          journalRetention: 300_000,
          inactivityTimeout: 7000,
          abortTimeout: 8000,
          enableLazyState: true,
          input: { ...json, required: false, jsonSchema: { type: "string" } },
          output: { ...json, setContentTypeIfEmpty: false },
        },
        { name: "plain" },
        { name: "closed", input: {}, output: {}, ingressPrivate: true, retryPolicyMaxAttempts: 3 },
      ],
      {
        documentation: "svc doc",
        metadata: { team: "x" },
        idempotencyRetention: 172_800_000,
        abortTimeout: 120_000,
        retryPolicyInitialInterval: 1000,
        retryPolicyExponentiationFactor: 3,
        retryPolicyMaxAttempts: 5,
        retryPolicyMaxInterval: 10_000,
        retryPolicyOnMaxAttempts: "KILL",
      },
    ),
  );
  const inherited = { public: true, retry_policy: { max_attempts: null } };
  const handlers = [
    {
      name: "h",
      documentation: "handler doc",
      metadata: { hm: "1" },
      idempotency_retention: "1h",
      journal_retention: "5m",
      inactivity_timeout: "7s",
      abort_timeout: "8s",
      enable_lazy_state: true,
      input_description: "application/json",
      output_description: "application/json",
      input_json_schema: { type: "string" },
      ...inherited,
    },
    {
      name: "plain",
      input_description: "*/*",
      output_description: "application/json",
      ...inherited,
    },
    {
      name: "closed",
      input_description: "none",
      output_description: "none",
      public: false,
      retry_policy: { max_attempts: 3 },
    },
  ];
  const expected = {
    name: "Configured",
    ty: "Service",
    handlers,
    documentation: "svc doc",
    metadata: { team: "x" },
    deployment_id: "dp_10000000000000000000001",
    revision: 1,
    public: true,
    idempotency_retention: "2d",
    journal_retention: "1d",
    inactivity_timeout: "1m",
    abort_timeout: "2m",
    enable_lazy_state: false,
    retry_policy: {
      initial_interval: "1s",
      exponentiation_factor: 3,
      max_attempts: 5,
      max_interval: "10s",
      on_max_attempts: "Kill",
    },
  };
  const one = await fixture.request("GET", "/services/Configured");
  assert.deepEqual(one.json, expected);
  const all = await fixture.request("GET", "/services");
  assert.deepEqual(all.json, { services: [expected] });
  const list = await fixture.request("GET", "/services/Configured/handlers");
  assert.deepEqual(list.json, { handlers });
  const single = await fixture.request("GET", "/services/Configured/handlers/h");
  assert.deepEqual(single.json, handlers[0]);
  for (const path of [
    "/services/Nobody",
    "/services/Nobody/handlers",
    "/services/Configured/handlers/no",
  ]) {
    assert.equal((await fixture.request("GET", path)).status, 404, path);
  }
});

test("objects and workflows show the types of their handlers", async () => {
  const fixture = await start();
  fixture.world.register(
    service("Counter", [{ name: "add" }, { name: "get", ty: "SHARED" }], { ty: "VIRTUAL_OBJECT" }),
    service("Signup", [{ name: "run", ty: "WORKFLOW" }, { name: "status" }], { ty: "WORKFLOW" }),
  );
  const { json } = await fixture.request("GET", "/services");
  const types = [0, 1].map((row) => [
    at(json, "services", row, "ty"),
    at(json, "services", row, "handlers", 0, "ty"),
    at(json, "services", row, "handlers", 1, "ty"),
    at(json, "services", row, "workflow_completion_retention"),
  ]);
  assert.deepEqual(types, [
    ["VirtualObject", "Exclusive", "Shared", undefined],
    ["Workflow", "Workflow", "Shared", "1d"],
  ]);
});

const DAY_MS = 24 * 60 * 60 * 1000;

test("the server's own settings stand where a service says nothing, and bound what it says", async () => {
  const settings = {
    ...DEFAULT_SETTINGS,
    journalRetentionMs: 60_000,
    idempotencyRetentionMs: 120_000,
    retentionMaxMs: 3_600_000,
    retryPolicy: { ...DEFAULT_SETTINGS.retryPolicy, maxAttempts: Number.POSITIVE_INFINITY },
  };
  const { world, request } = await start({ settings });
  world.register(service("Greeter", [{ name: "run" }], { idempotencyRetention: DAY_MS }));
  const { json } = await request("GET", "/services/Greeter");
  assert.equal(at(json, "journal_retention"), "1m");
  assert.equal(at(json, "idempotency_retention"), "1h");
  assert.equal(at(json, "info", 0, "code"), "RT0022");
  assert.equal(at(json, "info", 1), undefined);
  assert.equal(at(json, "retry_policy", "max_attempts"), undefined);
});

// ---- what operators set ------------------------------------------------------------------------

async function withGreeter(): Promise<Fixture> {
  const fixture = await start();
  fixture.world.register(
    service("Greeter", [{ name: "run" }], { abortTimeout: 5000 }),
    service("Counter", [{ name: "add" }], { ty: "VIRTUAL_OBJECT" }),
    service("Signup", [{ name: "run", ty: "WORKFLOW" }], { ty: "WORKFLOW" }),
  );
  return fixture;
}

/** As the command line sends it. */
const UNCHANGED = {
  public: null,
  idempotency_retention: null,
  workflow_completion_retention: null,
  journal_retention: null,
  inactivity_timeout: null,
  abort_timeout: null,
};

test("what an operator sets is in force and told apart, null changes nothing, default takes it back", async () => {
  const { world, request } = await withGreeter();
  const patch = (fields: object) =>
    request("PATCH", "/v4/services/Greeter", { ...UNCHANGED, ...fields });
  const first = await patch({ public: false, abort_timeout: "90s", idempotency_retention: "PT1H" });
  assert.equal(first.status, 200);
  const expected = { public: false, abort_timeout: "1m 30s", idempotency_retention: "1h" };
  assert.deepEqual(at(first.json, "overrides"), expected);
  for (const [name, value] of Object.entries(expected)) assert.equal(at(first.json, name), value);
  const second = await patch({ journal_retention: "0s" });
  assert.deepEqual(at(second.json, "overrides"), { ...expected, journal_retention: "0s" });
  assert.deepEqual(world.registry.overrides.get("Greeter"), {
    ingressPrivate: true,
    abortTimeout: 90_000,
    idempotencyRetention: 3_600_000,
    journalRetention: 0,
  });
  const handlers = await request("GET", "/services/Greeter/handlers");
  assert.equal(at(handlers.json, "handlers", 0, "public"), false);
  const back = await patch({
    public: "default",
    abort_timeout: "default",
    idempotency_retention: "default",
    journal_retention: "default",
  });
  assert.equal(at(back.json, "overrides"), undefined);
  assert.deepEqual([at(back.json, "public"), at(back.json, "abort_timeout")], [true, "5s"]);
  const nothing = await request("PATCH", "/services/Greeter", {});
  assert.equal(nothing.status, 200);
});

test("what is set holds over the next revision", async () => {
  const { world, request } = await withGreeter();
  await request("PATCH", "/services/Greeter", { public: false });
  world.register(service("Greeter", [{ name: "run" }]));
  const { json } = await request("GET", "/services/Greeter");
  assert.deepEqual([at(json, "revision"), at(json, "public")], [2, false]);
});

test("only a workflow has a retention of its completion", async () => {
  const { request } = await withGreeter();
  const set = { workflow_completion_retention: "2h" };
  const workflow = await request("PATCH", "/services/Signup", set);
  assert.deepEqual(
    [workflow.status, at(workflow.json, "workflow_completion_retention")],
    [200, "2h"],
  );
  assert.equal((await request("PATCH", "/services/Greeter", set)).status, 400);
});

test("a change that cannot be read changes nothing", async () => {
  const { world, request } = await withGreeter();
  const rows: readonly (readonly [object, number])[] = [
    [{ abort_timeout: 5 }, 422],
    [{ abort_timeout: "5" }, 422],
    [{ abort_timeout: "1 month" }, 422],
    [{ public: "yes" }, 422],
    [{ pulbic: false }, 422],
    [{ public: false, journal_retention: true }, 422],
  ];
  for (const [body, status] of rows) {
    assert.equal((await request("PATCH", "/services/Greeter", body)).status, status);
  }
  assert.equal((await request("PATCH", "/services/Nobody", { public: false })).status, 404);
  assert.deepEqual(world.inputs, []);
});

test("changes at the same time all count", async () => {
  const { request } = await withGreeter();
  await Promise.all([
    request("PATCH", "/services/Greeter", { public: false }),
    request("PATCH", "/services/Greeter", { abort_timeout: "1s" }),
    request("PATCH", "/services/Greeter", { inactivity_timeout: "2s" }),
  ]);
  const { json } = await request("GET", "/services/Greeter");
  const expected = { public: false, abort_timeout: "1s", inactivity_timeout: "2s" };
  assert.deepEqual(at(json, "overrides"), expected);
});

test("a service whose deployments all drain is still shown", async () => {
  const { world, request } = await withGreeter();
  for (const deployment of world.registry.deployments.values()) {
    const draining = { ...deployment, drainingSinceMs: 1 };
    world.submit({ type: "update-deployment", deployment: draining, replyTo: null });
  }
  assert.equal(world.registry.services.size, 0);
  assert.equal((await request("GET", "/services/Greeter")).status, 200);
  const services = at((await request("GET", "/services")).json, "services");
  assert.ok(Array.isArray(services));
  assert.equal(services.length, 3);
});

// ---- state -------------------------------------------------------------------------------------

test("the state of a key is replaced by strings or bytes", async () => {
  const { world, request } = await withGreeter();
  const answer = await request("POST", "/services/Counter/state", {
    object_key: "a b",
    version: "v1",
    new_state: { count: [53, 0, 255], é: '"x"' },
  });
  assert.deepEqual([answer.status, answer.text], [202, ""]);
  const [input] = world.inputsOf("mutate-state");
  assert.deepEqual(input?.instance, { service: "Counter", key: "a b" });
  assert.equal(input?.mutation.version, "v1");
  const entries = input?.mutation.entries.map(({ key, value }) => [
    Buffer.from(key).toString(),
    [...value],
  ]);
  assert.deepEqual(entries, [
    ["count", [53, 0, 255]],
    ["é", [34, 120, 34]],
  ]);
  const cleared = await request("POST", "/services/Signup/state", {
    object_key: "",
    version: null,
    new_state: {},
  });
  assert.equal(cleared.status, 202);
  assert.deepEqual(world.inputsOf("mutate-state")[1]?.mutation, { version: null, entries: [] });
});

test("a change of state that cannot be made is told why", async () => {
  const { world, request } = await withGreeter();
  const change = { object_key: "k", new_state: { a: "1" } };
  const rows: readonly (readonly [string, unknown, number])[] = [
    ["Greeter", change, 400],
    ["Nobody", change, 404],
    ["Counter", { ...change, scope: "s" }, 400],
    ["Counter", { new_state: {} }, 422],
    ["Counter", { object_key: "k" }, 422],
    ["Counter", { object_key: 1, new_state: {} }, 422],
    ["Counter", { object_key: "k", new_state: [] }, 422],
    ["Counter", { object_key: "k", new_state: { a: [256] } }, 422],
    ["Counter", { object_key: "k", new_state: { a: [0.5] } }, 422],
    ["Counter", { object_key: "k", new_state: { a: 1 } }, 422],
    ["Counter", { object_key: "k", version: 1, new_state: {} }, 422],
    ["Counter", { object_key: "k", new_state: {}, more: 1 }, 422],
  ];
  for (const [name, body, status] of rows) {
    const answer = await request("POST", `/services/${name}/state`, body);
    assert.equal(answer.status, status, JSON.stringify(body));
  }
  assert.deepEqual(world.inputs, []);
  world.reply = () => ({ kind: "pending" });
  assert.equal((await request("POST", "/services/Counter/state", change)).status, 202);
  world.reply = () => ({ kind: "refused", reason: "version-mismatch", message: "it is at v2" });
  const stale = await request("POST", "/services/Counter/state", { ...change, version: "v1" });
  assert.deepEqual([stale.status, at(stale.json, "message")], [412, "it is at v2"]);
});

test("what is left of a service that is gone may be cleared, not set", async () => {
  const { request } = await start();
  const clear = { object_key: "k", new_state: {} };
  assert.equal((await request("POST", "/services/Gone/state", clear)).status, 202);
});
