import assert from "node:assert/strict";
import { after, test } from "node:test";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import { Listener } from "../http/listener.ts";
import { exchange, parseAnswer, RawClient } from "../http/raw-client.suite.ts";
import { FakeDoor, service, testDeployment } from "../ingress/fake-door.suite.ts";
import { emptySummary, type Entry, foldEntry } from "../journal/summary.ts";
import type { Reply } from "../machine/effect.ts";
import type { Invocation } from "../machine/invocation.ts";
import { type AdminOptions, createAdmin } from "./admin.ts";
import type { DiscoveryRequest, Discovered } from "./registrar.ts";

const NOW_MS = Date.parse("2026-11-23T09:04:46.167Z");
const NOW_TEXT = "2026-11-23T09:04:46.167000000Z";
const ID = Uint8Array.from({ length: 24 }, (_, index) => index + 1);
const ID_TEXT = invocationIdToString(ID);
const URI = "http://127.0.0.1:9080/";

const open: Listener[] = [];
after(() => Promise.all(open.map((listener) => listener.drain(0))));

interface Fixture {
  readonly door: FakeDoor;
  readonly url: string;
  readonly port: number;
  readonly asked: DiscoveryRequest[];
  readonly errors: unknown[];
  /** What the endpoint offers. */
  offers: Discovered;
  /** What its discovery fails with. */
  failure: Error | null;
  readonly request: (method: string, path: string, body?: unknown) => Promise<Answer>;
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON document; null without one. */
  readonly json: unknown;
}

function discovered(...names: readonly string[]): Discovered {
  const services = names.map((name) => service(name, [{ name: "run" }]));
  const { id: _id, createdAtMs: _createdAtMs, ...rest } = testDeployment(services);
  return rest;
}

async function start(options: Partial<AdminOptions> = {}): Promise<Fixture> {
  const door = new FakeDoor();
  door.reply = () => ({ kind: "done" });
  const fixture: Fixture = {
    door,
    url: "",
    port: 0,
    asked: [],
    errors: [],
    offers: discovered("Greeter"),
    failure: null,
    request: (method, path, body) => send(fixture.url + path, method, body),
  };
  const handle = createAdmin({
    door,
    clock: { nowMs: () => NOW_MS },
    discover: async (request) => {
      fixture.asked.push(request);
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (fixture.failure !== null) throw fixture.failure;
      const { uri, additionalHeaders, metadata } = request;
      return { ...fixture.offers, uri, additionalHeaders, metadata };
    },
    targetProblem: (url) =>
      url.hostname === "169.254.169.254" ? "this is a metadata service" : null,
    defaults: { inactivityTimeoutMs: 60_000, abortTimeoutMs: 600_000 },
    version: "1.2.3",
    ingressUrl: "http://127.0.0.1:8080",
    token: null,
    onError: (error) => fixture.errors.push(error),
    ...options,
  });
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "admin",
    handle: (request, response) => void handle(request, response),
    onError: (error) => fixture.errors.push(error),
  });
  open.push(listener);
  return Object.assign(fixture, { url: listener.url, port: listener.port });
}

async function send(url: string, method: string, body?: unknown, headers = {}): Promise<Answer> {
  const json = { "content-type": "application/json" };
  const response = await fetch(
    url,
    body === undefined
      ? { method, headers }
      : {
          method,
          headers: { ...json, ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        },
  );
  const text = await response.text();
  const isJson = response.headers.get("content-type") === "application/json";
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson ? JSON.parse(text) : null,
  };
}

/** A field of a JSON document, by path. */
function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const step of path) {
    value = Object.entries(value ?? {}).find(([name]) => name === String(step))?.[1];
  }
  return value;
}

const register = (fixture: Fixture, more: object = {}): Promise<Answer> =>
  fixture.request("POST", "/deployments", { uri: URI, ...more });

// ---- the server itself -------------------------------------------------------------------------

test("health and version are told under every prefix", async () => {
  const { request } = await start();
  for (const prefix of ["", "/v2", "/v3", "/v4"]) {
    const health = await request("GET", `${prefix}/health`);
    assert.deepEqual([health.status, health.text], [200, ""]);
    const version = await request("GET", `${prefix}/version`);
    assert.equal(at(version.json, "version"), "1.2.3");
    assert.equal(at(version.json, "min_admin_api_version"), 2);
    assert.equal(at(version.json, "max_admin_api_version"), 4);
    assert.equal(at(version.json, "ingress_endpoint"), "http://127.0.0.1:8080");
    assert.equal(at(version.json, "features", "vqueues"), false);
  }
});

test("unknown paths, versions and methods are refused in JSON", async () => {
  const { request } = await start();
  const rows = [
    ["GET", "/nothing", 404],
    ["GET", "/", 404],
    ["GET", "/v5/health", 404],
    ["GET", "/v1/health", 400],
    ["DELETE", "/deployments", 405],
    ["PUT", "/v3/deployments", 405],
    ["POST", "/version", 405],
    ["PATCH", `/invocations/${ID_TEXT}`, 405],
  ] as const;
  for (const [method, path, status] of rows) {
    const answer = await request(method, path);
    assert.equal(answer.status, status, path);
    assert.equal(typeof at(answer.json, "message"), "string", path);
    assert.equal(at(answer.json, "restate_code"), null, path);
  }
  const wrong = await request("PUT", "/deployments");
  assert.equal(wrong.headers.get("allow"), "POST, GET, HEAD");
});

test("with a token, everything but health asks for it", async () => {
  const { url } = await start({ token: "s3cret-token" });
  const withToken = (authorization: string): Promise<Answer> =>
    send(`${url}/services`, "GET", undefined, { authorization });
  for (const path of ["/services", "/version", "/nothing", "/v3/deployments", "/health/x", "/"]) {
    const answer = await send(url + path, "GET");
    assert.equal(answer.status, 401, path);
    assert.equal(answer.headers.get("www-authenticate"), "Bearer");
  }
  for (const path of ["/health", "/v3/health"])
    assert.equal((await send(url + path, "GET")).status, 200);
  for (const wrong of ["", "Bearer", "Bearer x", "Bearer s3cret-token2", "Basic s3cret-token"]) {
    assert.equal((await withToken(wrong)).status, 401, wrong);
  }
  assert.equal((await withToken("Bearer s3cret-token")).status, 200);
  assert.equal((await withToken("bearer s3cret-token")).status, 200);
});

test("without a token, a name that a web page could have made up is refused", async () => {
  const { port } = await start();
  const under = async (host: string, path = "/services"): Promise<number> => {
    const bytes = `GET ${path} HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`;
    return parseAnswer(await exchange(port, bytes)).status;
  };
  for (const host of ["localhost:9070", "127.0.0.1", "[::1]:9070", "holdfast.localhost"]) {
    assert.equal(await under(host), 200, host);
  }
  for (const host of ["evil.example", "localhost.evil.example:9070", "127.0.0.1.evil.example"]) {
    assert.equal(await under(host), 403, host);
  }
  assert.equal(await under("lb.example", "/health"), 200);
  assert.equal(await under("a b"), 400);
});

test("a body that is too large, no JSON, or of the wrong shape is refused", async () => {
  const fixture = await start();
  const { request, url } = fixture;
  const rows: readonly (readonly [unknown, number])[] = [
    ["{", 400],
    ["", 400],
    ["[]", 422],
    ["null", 422],
    [{}, 422],
    [{ uri: 1 }, 422],
    [{ uri: URI, force: "yes" }, 422],
    [{ uri: URI, additional_headers: ["a"] }, 422],
    [{ uri: URI, additional_headers: { a: 1 } }, 422],
    [{ uri: URI, metadata: "x" }, 422],
    [{ uri: URI, dryrun: true }, 422],
    [{ uri: "127.0.0.1:9080" }, 400],
    [{ uri: "/relative" }, 400],
    [{ uri: "ftp://host/" }, 400],
    [{ uri: "http://user:secret@host/" }, 400],
    [{ uri: `http://host/${"a".repeat(3000)}` }, 400],
    [{ uri: "http://169.254.169.254/latest" }, 400],
    [{ uri: URI, additional_headers: { "bad name": "x" } }, 400],
    [{ uri: URI, additional_headers: { "x-a": "caf\u00e9" } }, 400],
    [{ uri: URI, additional_headers: { "x-a": "a\r\nx-b: c" } }, 400],
    [{ uri: URI, additional_headers: { "Content-Type": "x" } }, 400],
    [{ arn: "arn:aws:lambda:eu:1:function:f:1" }, 400],
    [{ uri: URI, metadata: { long: "x".repeat(2_000_000) } }, 413],
  ];
  for (const [body, status] of rows) {
    const answer = await request("POST", "/deployments", body);
    const row = JSON.stringify(body).slice(0, 80);
    assert.equal(answer.status, status, row);
    assert.equal(typeof at(answer.json, "message"), "string", row);
    assert.ok(!answer.text.includes("secret"), row);
  }
  const plain = await send(`${url}/deployments`, "POST", "{}", { "content-type": "text/plain" });
  assert.equal(plain.status, 415);
  const endless = await RawClient.open(fixture.port);
  const head =
    "POST /deployments HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
  endless.send(`${head}transfer-encoding: chunked\r\n\r\n`);
  for (let each = 0; each < 40; each += 1) endless.send(`10000\r\n${" ".repeat(65_536)}\r\n`);
  await endless.until("is larger than");
  endless.socket.destroy();
  assert.deepEqual([fixture.asked, fixture.errors, fixture.door.inputs], [[], [], []]);
});

// ---- registration ------------------------------------------------------------------------------

test("a new address is discovered and becomes a deployment of its own", async () => {
  const fixture = await start();
  const answer = await fixture.request("POST", "/v3/deployments", {
    uri: "http://127.0.0.1:9080/mount?x=1#part",
    additional_headers: { "X-Token": "t" },
    use_http_11: true,
    metadata: { team: "a" },
    breaking: null,
    force: null,
    dry_run: null,
  });
  assert.equal(answer.status, 201);
  const id = at(answer.json, "id");
  assert.match(String(id), /^dp_1[0-9a-zA-Z]{22}$/);
  assert.equal(answer.headers.get("location"), `deployments/${String(id)}`);
  const uri = "http://127.0.0.1:9080/mount/?x=1";
  assert.deepEqual(fixture.asked, [
    { uri, useHttp11: true, additionalHeaders: { "x-token": "t" }, metadata: { team: "a" } },
  ]);
  assert.equal(at(answer.json, "services", 0, "name"), "Greeter");
  assert.equal(at(answer.json, "services", 0, "revision"), 1);
  assert.equal(at(answer.json, "min_protocol_version"), 5);
  assert.equal(at(answer.json, "sdk_version"), "test/1.0.0");
  const [input] = fixture.door.of("register-deployment");
  assert.deepEqual(input?.deployment, {
    ...fixture.offers,
    id,
    uri,
    additionalHeaders: { "x-token": "t" },
    metadata: { team: "a" },
    createdAtMs: NOW_MS,
  });
});

test("registering again changes nothing and asks nobody", async () => {
  const fixture = await start();
  const first = await register(fixture, { uri: "http://127.0.0.1:9080" });
  const again = await register(fixture);
  assert.deepEqual([first.status, again.status], [201, 200]);
  assert.equal(at(again.json, "id"), at(first.json, "id"));
  assert.equal(fixture.asked.length, 1);
  assert.equal(fixture.door.of("register-deployment").length, 1);
});

test("a forced registration discovers again and overwrites in place", async () => {
  const fixture = await start();
  const first = await register(fixture);
  fixture.offers = discovered("Greeter", "Mailer");
  const forced = await register(fixture, { force: true, additional_headers: { a: "1" } });
  assert.equal(forced.status, 200);
  assert.equal(at(forced.json, "id"), at(first.json, "id"));
  assert.equal(at(forced.json, "services", 0, "revision"), 2);
  assert.equal(at(forced.json, "services", 1, "revision"), 1);
  assert.equal(fixture.door.registry.deployments.size, 1);
  assert.equal((await register(fixture, { uri: "http://other/", force: true })).status, 201);
});

test("a new address of a known service takes over with the next revision", async () => {
  const fixture = await start();
  const first = await register(fixture);
  const second = await register(fixture, { uri: "http://127.0.0.1:9081" });
  assert.equal(second.status, 201);
  assert.notEqual(at(second.json, "id"), at(first.json, "id"));
  assert.equal(at(second.json, "services", 0, "revision"), 2);
  const current = await fixture.request("GET", "/services/Greeter");
  assert.equal(at(current.json, "deployment_id"), at(second.json, "id"));
  const list = await fixture.request("GET", "/deployments");
  const revisions = [0, 1].map((row) =>
    at(list.json, "deployments", row, "services", 0, "revision"),
  );
  assert.deepEqual(revisions, [1, 2]);
});

test("one address with other headers is another deployment, which a forced registration must name", async () => {
  const fixture = await start();
  const rows = [
    {},
    { additional_headers: { tenant: "a" } },
    { additional_headers: { tenant: "b" } },
  ];
  for (const more of rows) assert.equal((await register(fixture, more)).status, 201);
  for (const more of rows) assert.equal((await register(fixture, more)).status, 200);
  const named = await register(fixture, { additional_headers: { tenant: "b" }, force: true });
  assert.equal(named.status, 200);
  const unnamed = await register(fixture, { additional_headers: { tenant: "c" }, force: true });
  assert.equal(unnamed.status, 409);
  assert.equal(at(unnamed.json, "restate_code"), "META0017");
});

test("the type of a service changes only where that is asked for", async () => {
  const fixture = await start();
  await register(fixture);
  fixture.offers = { ...fixture.offers, services: [service("Greeter", [], { ty: "WORKFLOW" })] };
  const refused = await register(fixture, { uri: "http://127.0.0.1:9081" });
  assert.equal(refused.status, 409);
  assert.equal(at(refused.json, "restate_code"), "META0006");
  assert.equal(fixture.door.registry.deployments.size, 1);
  const dry = await register(fixture, { uri: "http://127.0.0.1:9081", dry_run: true });
  assert.equal(dry.status, 409);
  const allowed = await register(fixture, { uri: "http://127.0.0.1:9081", breaking: true });
  assert.equal(allowed.status, 201);
  fixture.offers = discovered("Greeter");
  assert.equal((await register(fixture, { force: true })).status, 200);
});

test("a dry run tells what would be and stores nothing", async () => {
  const fixture = await start();
  const dry = await register(fixture, { dry_run: true });
  assert.equal(dry.status, 201);
  assert.equal(at(dry.json, "services", 0, "revision"), 1);
  assert.deepEqual(fixture.door.inputs, []);
  const real = await register(fixture);
  assert.notEqual(at(real.json, "id"), at(dry.json, "id"));
  const known = await register(fixture, { dry_run: true });
  assert.deepEqual([known.status, at(known.json, "id")], [200, at(real.json, "id")]);
  const forced = await register(fixture, { dry_run: true, force: true });
  assert.deepEqual([forced.status, at(forced.json, "services", 0, "revision")], [200, 2]);
  assert.equal(fixture.door.of("register-deployment").length, 1);
});

test("an endpoint that cannot be discovered is told with its code, a defect without details", async () => {
  const fixture = await start();
  fixture.failure = Object.assign(new Error("cannot be reached"), { code: "META0003" });
  const unreachable = await register(fixture);
  assert.equal(unreachable.status, 500);
  assert.deepEqual(unreachable.json, { message: "cannot be reached", restate_code: "META0003" });
  assert.deepEqual(fixture.errors, []);
  fixture.failure = Object.assign(new Error("inner detail"), { code: "ERR_DEFECT" });
  const defect = await register(fixture);
  assert.equal(defect.status, 500);
  assert.ok(!defect.text.includes("inner detail"));
  assert.deepEqual(fixture.errors, [fixture.failure]);
  fixture.failure = null;
  assert.equal((await register(fixture)).status, 201);
});

test("registrations of one address at the same time make one deployment", async () => {
  const fixture = await start();
  const answers = await Promise.all([1, 2, 3, 4].map(() => register(fixture)));
  assert.deepEqual(
    answers.map(({ status }) => status).toSorted((a, b) => a - b),
    [200, 200, 200, 201],
  );
  assert.equal(new Set(answers.map(({ json }) => at(json, "id"))).size, 1);
  assert.equal(fixture.door.of("register-deployment").length, 1);
});

test("a service that an overwritten deployment no longer offers is gone, the others are shown", async () => {
  const fixture = await start();
  fixture.offers = discovered("Greeter", "Mailer");
  await register(fixture);
  fixture.offers = discovered("Greeter");
  await register(fixture, { force: true });
  const { json } = await fixture.request("GET", "/services");
  assert.equal(at(json, "services", 0, "name"), "Greeter");
  assert.equal(at(json, "services", 1), undefined);
  assert.equal((await fixture.request("GET", "/services/Mailer")).status, 404);
});

test("deployments are bounded in number", async () => {
  const fixture = await start({ deploymentsMax: 1 });
  assert.equal((await register(fixture)).status, 201);
  assert.equal((await register(fixture, { uri: "http://other" })).status, 400);
  assert.equal((await register(fixture, { force: true })).status, 200);
});

test("what the machine cannot apply is a defect of the server", async () => {
  const fixture = await start();
  fixture.door.reply = () => ({ kind: "failed", message: "inner detail" });
  const answer = await register(fixture);
  assert.equal(answer.status, 500);
  assert.ok(!answer.text.includes("inner detail"));
  assert.equal(fixture.errors.length, 1);
});

// ---- what is registered ------------------------------------------------------------------------

test("a deployment is shown with its services in full", async () => {
  const fixture = await start();
  const registered = await register(fixture, { metadata: { team: "a" } });
  const id = String(at(registered.json, "id"));
  const answer = await fixture.request("GET", `/deployments/${id}`);
  assert.deepEqual(answer.json, {
    id,
    uri: URI,
    protocol_type: "BidiStream",
    http_version: "HTTP/2.0",
    metadata: { team: "a" },
    created_at: NOW_TEXT,
    min_protocol_version: 5,
    max_protocol_version: 6,
    sdk_version: "test/1.0.0",
    services: at(registered.json, "services"),
  });
  const unknown = await fixture.request("GET", "/deployments/dp_1unknown");
  assert.equal(unknown.status, 404);
});

test("a service shows what is in force, a handler what it sets itself", async () => {
  const fixture = await start();
  const json = { contentType: "application/json" };
  fixture.door.register(
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
  fixture.door.register(
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

test("a setting without effect is warned of", async () => {
  const fixture = await start();
  const services = [service("Slow", [{ name: "run", inactivityTimeout: 1000 }])];
  fixture.offers = { ...fixture.offers, services, protocolMode: "REQUEST_RESPONSE" };
  const answer = await register(fixture);
  assert.equal(at(answer.json, "info", 0, "code"), "RT0021");
});

// ---- invocations -------------------------------------------------------------------------------

const COMMANDS: readonly Message[] = [
  {
    type: MessageType.InputCommand,
    headers: [{ key: "authorization", value: "secret" }],
    value: Buffer.from("secret payload"),
    name: "",
  },
  { type: MessageType.RunCommand, resultCompletionId: 1, name: "charge" },
  {
    type: MessageType.RunCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "value", value: Buffer.from("secret result") },
  },
  { type: MessageType.SleepCommand, wakeUpTimeMs: NOW_MS, resultCompletionId: 2, name: "" },
  {
    type: MessageType.CallCommand,
    service: "Mailer",
    handler: "send",
    key: "",
    parameter: Buffer.from("secret argument"),
    headers: [],
    invocationIdCompletionId: 3,
    resultCompletionId: 4,
    name: "mail",
  },
  {
    type: MessageType.Signal,
    id: { kind: "signal-index", index: 17 },
    result: { kind: "failure", failure: { code: 500, message: "rejected" } },
  },
];

const entries: Entry[] = COMMANDS.map((message, index) => ({
  index,
  type: message.type,
  body: encodeBody(message),
}));

function invocation(fields: Partial<Invocation> = {}): Invocation {
  const journal = emptySummary();
  for (const { type, body } of entries) foldEntry(journal, type, body);
  return {
    seq: 1,
    id: ID,
    target: { service: "Greeter", handler: "run", key: null },
    idempotencyKey: null,
    caller: null,
    createdAtMs: NOW_MS,
    retentionMs: 1000,
    modifiedAtMs: NOW_MS,
    epoch: 0,
    state: { status: "running" },
    pin: { deploymentId: "dp_1x", protocolVersion: 6 },
    retryCount: 0,
    retryCountSinceLastStoredEntry: 0,
    lastFailure: null,
    journal,
    ...fields,
  };
}

async function show(fields: Partial<Invocation>): Promise<unknown> {
  const fixture = await start();
  fixture.door.invocations = [invocation(fields)];
  fixture.door.journal = entries;
  const answer = await fixture.request("GET", `/invocations/${ID_TEXT}`);
  assert.equal(answer.status, 200);
  assert.ok(!answer.text.includes("secret"));
  return answer.json;
}

test("an invocation is shown with what it is and where it runs", async () => {
  const shown = await show({ idempotencyKey: "k" });
  assert.deepEqual(shown, {
    id: ID_TEXT,
    status: "running",
    explanation: "an attempt is running or about to start",
    target: "Greeter/run",
    target_service_name: "Greeter",
    target_handler_name: "run",
    idempotency_key: "k",
    created_at: NOW_TEXT,
    modified_at: NOW_TEXT,
    pinned_deployment_id: "dp_1x",
    pinned_service_protocol_version: 6,
    retry_count: 0,
    journal_size: 6,
    journal_commands_size: 4,
  });
});

test("a suspended invocation names everything it waits for", async () => {
  const awaiting = { completions: [2, 4, 9], signals: [1, 17], namedSignals: ["approved"] };
  const shown = await show({ state: { status: "suspended", awaiting } });
  assert.deepEqual(at(shown, "waiting_for"), [
    {
      kind: "completion",
      completion_id: 2,
      command: "SleepCommand",
      command_index: 2,
      wake_up_at: NOW_TEXT,
    },
    {
      kind: "completion",
      completion_id: 4,
      command: "CallCommand",
      command_index: 3,
      name: "mail",
      target: "Mailer/send",
      invocation_id_completion_id: 3,
    },
    { kind: "completion", completion_id: 9 },
    { kind: "cancellation" },
    { kind: "awakeable", awakeable_id: awakeableIdToString(ID, 17) },
    { kind: "signal", name: "approved" },
  ]);
});

test("an invocation that does not go on says why and when", async () => {
  const lastFailure = {
    code: 500,
    errorCode: "RT0010",
    message: "connection refused",
    atMs: NOW_MS,
    relatedCommandIndex: 1,
    relatedCommandName: "charge",
    relatedCommandType: MessageType.RunCommand,
  };
  const failed = { retryCount: 3, lastFailure };
  const backingOff = await show({ ...failed, state: { status: "backing-off", retryAtMs: NOW_MS } });
  assert.equal(at(backingOff, "next_retry_at"), NOW_TEXT);
  assert.equal(at(backingOff, "retry_count"), 3);
  assert.deepEqual(at(backingOff, "last_failure"), {
    code: 500,
    error_code: "RT0010",
    message: "connection refused",
    at: NOW_TEXT,
    related_command_index: 1,
    related_command_name: "charge",
    related_command_type: "RunCommand",
  });
  assert.match(String(at(backingOff, "explanation")), /RT0010 connection refused/);
  const paused = await show({ ...failed, state: { status: "paused" } });
  assert.match(String(at(paused, "explanation")), /3 failed attempts.*RT0010.*resume/);
  const again = await show({ ...failed, state: { status: "running" } });
  assert.match(String(at(again, "explanation")), /after 3 failed: RT0010/);
  const scheduled = await show({ state: { status: "scheduled", startAtMs: NOW_MS } });
  assert.equal(at(scheduled, "scheduled_start_at"), NOW_TEXT);
  const completed = { status: "completed", completedAtMs: NOW_MS, outputIndex: 5 } as const;
  const done = await show({ state: completed });
  assert.equal(at(done, "completed_at"), NOW_TEXT);
  assert.equal(at(done, "expires_at"), "2026-11-23T09:04:47.167000000Z");
});

test("the journal is listed without payloads, page by page", async () => {
  const fixture = await start();
  fixture.door.invocations = [invocation()];
  fixture.door.journal = [
    ...entries.slice(0, 5),
    { index: 5, type: 0x7fff, body: Buffer.from([255]) },
  ];
  const { request } = fixture;
  const all = await request("GET", `/invocations/${ID_TEXT}/journal`);
  assert.ok(!all.text.includes("secret"));
  const shown = at(all.json, "entries");
  assert.ok(Array.isArray(shown));
  assert.equal(at(all.json, "next"), null);
  const withoutBytes = shown.map((entry: unknown) =>
    Object.fromEntries(Object.entries(entry ?? {}).filter(([name]) => name !== "bytes")),
  );
  assert.deepEqual(withoutBytes, [
    { index: 0, kind: "command", type: "InputCommand", name: "" },
    { index: 1, kind: "command", type: "RunCommand", name: "charge", completion_id: 1 },
    { index: 2, kind: "notification", type: "RunCompletion", completion_id: 1, result: "value" },
    {
      index: 3,
      kind: "command",
      type: "SleepCommand",
      name: "",
      completion_id: 2,
      wake_up_at: NOW_TEXT,
    },
    {
      index: 4,
      kind: "command",
      type: "CallCommand",
      name: "mail",
      completion_id: 4,
      target: "Mailer/send",
      invocation_id_completion_id: 3,
    },
    { index: 5, kind: "command", type: "0x7fff", undecodable: true },
  ]);
  const page = await request("GET", `/invocations/${ID_TEXT}/journal?from=1&limit=2`);
  assert.equal(at(page.json, "next"), 3);
  assert.equal(at(page.json, "entries", 1, "index"), 2);
  const beyond = await request("GET", `/invocations/${ID_TEXT}/journal?from=99`);
  assert.deepEqual(beyond.json, { entries: [], next: null });
  for (const query of ["from=-1", "limit=0", "limit=1001", "limit=x", "from=", "from=1e3"]) {
    const refused = await request("GET", `/invocations/${ID_TEXT}/journal?${query}`);
    assert.equal(refused.status, 400, query);
  }
});

test("a failed signal is listed with its failure", async () => {
  const fixture = await start();
  fixture.door.invocations = [invocation()];
  fixture.door.journal = entries;
  const { json } = await fixture.request("GET", `/invocations/${ID_TEXT}/journal?from=5`);
  assert.equal(at(json, "entries", 0, "signal_index"), 17);
  assert.deepEqual(at(json, "entries", 0, "failure"), { code: 500, message: "rejected" });
});

test("an invocation is let go on, or it is told why not", async () => {
  const fixture = await start();
  const rows: readonly (readonly [Reply, number])[] = [
    [{ kind: "done" }, 200],
    [{ kind: "not-found" }, 404],
    [{ kind: "conflict", status: "completed" }, 409],
    [{ kind: "conflict", status: "scheduled" }, 425],
  ];
  for (const [reply, status] of rows) {
    fixture.door.reply = () => reply;
    const answer = await fixture.request("PATCH", `/v4/invocations/${ID_TEXT}/resume`);
    assert.equal(answer.status, status);
    assert.equal(answer.json === null, status === 200);
  }
  assert.deepEqual(
    fixture.door.of("resume").map(({ id }) => id),
    [ID, ID, ID, ID],
  );
  const keep = await fixture.request("PATCH", `/invocations/${ID_TEXT}/resume?deployment=keep`);
  assert.equal(keep.status, 425);
  const moved = await fixture.request("PATCH", `/invocations/${ID_TEXT}/resume?deployment=latest`);
  assert.equal(moved.status, 400);
});

test("an invocation that is unknown, or named by no id, is told so", async () => {
  const { request } = await start();
  for (const path of ["", "/journal"]) {
    assert.equal((await request("GET", `/invocations/${ID_TEXT}${path}`)).status, 404);
    assert.equal((await request("GET", `/invocations/inv_1nonsense${path}`)).status, 400);
  }
  assert.equal((await request("PATCH", "/invocations/nonsense/resume")).status, 400);
});
