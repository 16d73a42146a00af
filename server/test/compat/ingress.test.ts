/** The ingress as callers without a library meet it: paths, statuses, headers, delays, and what is refused. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Sdk, loadSdk, serve } from "../endpoint.ts";
import { at, eventually, Lab, OURS } from "./lab.suite.ts";
import { objectOf, serviceOf, workflowOf, World } from "./program.suite.ts";

let lab: Lab;
const world = new World();
before(async () => {
  lab = await Lab.start(["--max-request-size", "1MiB"]);
  const sdk = await loadSdk("restate");
  const services = [
    serviceOf(sdk, world, "Plain"),
    serviceOf(sdk, world, "Private", { ingressPrivate: true }),
    objectOf(sdk, world, "Keyed"),
    workflowOf(sdk, world, "Flow"),
    echoOf(sdk),
  ];
  await lab.register(await serve(sdk, services, "h2"));
});
after(async () => await lab.close());

/** Bytes in, bytes out, of a type of its own; and an answer that is empty. */
function echoOf(sdk: Sdk): unknown {
  const binary = { accept: "*/*", input: sdk.serde.binary, output: sdk.serde.binary } as object;
  const { handler } = sdk.handlers;
  return sdk.service({
    name: "Echo",
    handlers: {
      bytes: handler(binary, async (_ctx, input: Uint8Array) => await Promise.resolve(input)),
      nothing: async () => await Promise.resolve(),
    },
  });
}

type Row = readonly [
  status: number,
  method: string,
  path: string,
  headers?: object,
  body?: unknown,
];
const JSON_TYPE = { "content-type": "application/json" };

const REFUSED: readonly Row[] = [
  [404, "POST", "/Nobody/run"],
  [404, "POST", "/Plain/nothing"],
  [404, "POST", "/plain/run"],
  [404, "POST", "/restate/nothing/at/all"],
  [404, "GET", "/openapi/x"],
  [400, "POST", "/Plain"],
  [400, "POST", "/a/b/c/d/e/f/g/h"],
  [400, "POST", "/Plain/run/other"],
  [400, "POST", "/Keyed/k/run/other"],
  [400, "POST", "/restate/call/Plain/run/send"],
  [400, "POST", "/Keyed/%ff/run"],
  [400, "POST", "/Private/run", JSON_TYPE, []],
  [405, "PUT", "/Plain/run", JSON_TYPE, []],
  [405, "DELETE", "/Plain/run"],
  [405, "POST", "/restate/health"],
  [405, "GET", `/restate/awakeables/sign_1${"A".repeat(38)}/resolve`],
  [400, "POST", "/Plain/run", { "content-type": "text/plain" }, "[]"],
  [400, "POST", "/Plain/run", {}, new TextEncoder().encode("[]")],
  [400, "POST", "/Plain/run?delay=1s", JSON_TYPE, []],
  [400, "POST", "/Flow/k/run", { ...JSON_TYPE, "idempotency-key": "x" }, []],
  [400, "POST", "/Plain/run", { ...JSON_TYPE, "x-restate-limit-key": "a" }, []],
  [400, "GET", "/restate/invocation/inv_1nonsense/output"],
  [404, "GET", `/restate/invocation/inv_1${"0".repeat(33)}/attach`],
  [404, "GET", `/restate/invocation/inv_1${"0".repeat(33)}/output`],
  [404, "GET", "/restate/workflow/Flow/nobody/attach"],
  [404, "GET", "/restate/workflow/Nobody/k/output"],
  [404, "GET", "/restate/invocation/Plain/run/unknown-key/output"],
];

describe("the ingress refuses", { concurrency: true }, () => {
  for (const [status, method, path, headers = {}, body] of REFUSED) {
    it(`${method} ${path} ${JSON.stringify(headers)} with ${status}`, async () => {
      const answer = await lab.ask(path, {
        method,
        headers: headers as Record<string, string>,
        body,
      });
      assert.equal(answer.status, status, answer.text);
      assert.equal(at(answer.json, "code"), status);
      assert.match(String(at(answer.json, "message")), /\w/);
      const source = at(answer.json, "source");
      assert(source === "ingress" || source === "invocation");
      assert.equal(answer.headers.get("x-restate-error-source"), source);
    });
  }

  it("a body that is too large with 413", OURS, async () => {
    const answer = await lab.ask("/Plain/run", { body: ["x".repeat(1_100_000)] });
    assert.equal(answer.status, 413);
  });

  it("what is no JSON, or names no target, with 400", OURS, async () => {
    for (const how of ["attach", "output", "lookup"]) {
      for (const body of ["{", "{}", '{"target":"moon"}', '{"target":"invocation"}']) {
        assert.equal((await lab.ask(`/restate/${how}`, { body })).status, 400, body);
      }
    }
  });
});

const DELAYS: readonly (readonly [text: string, ms: number | null])[] = [
  ["PT60S", 60_000],
  ["PT0.5S", 500],
  ["PT1H30M", 5_400_000],
  ["P1D", 86_400_000],
  ["P1W", 604_800_000],
  ["10s", 10_000],
  ["60+sec", 60_000],
  ["60ms", 60],
  ["1m30s", 90_000],
  ["1h%205m", 3_900_000],
  ["1d", 86_400_000],
  ["2days", 172_800_000],
  ["1hour", 3_600_000],
  ["1.5s", 1500],
  ["0", 0],
  ["0s", 0],
  ["P1M", null],
  ["P1Y", null],
  ["5", null],
  ["1M", null],
  ["1H", null],
  ["-1s", null],
  ["", null],
  ["soon", null],
];

describe("a delay of", { concurrency: true }, () => {
  for (const [text, ms] of DELAYS) {
    it(`'${text}' is ${ms === null ? "refused" : `${ms} ms`}`, async () => {
      const startMs = Date.now();
      const answer = await lab.ask(`/Plain/run/send?delay=${text}`, { body: [] });
      assert.equal(answer.status, ms === null ? 400 : 202, answer.text);
      if (ms === null) return;
      const startsAt = String(at(answer.json, "executionTime"));
      assert.match(startsAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
      const offMs = Date.parse(startsAt) - startMs - ms;
      assert(offMs >= -2 && offMs < 5000, `${startsAt} is off by ${offMs} ms`);
    });
  }
});

describe("the ingress", { concurrency: true }, () => {
  it("takes calls and sends under the explicit paths, by GET as well", async () => {
    const paths = ["/restate/call/Plain/run", "/restate/call/Keyed/a%20b/run", "/Keyed/a%20b/look"];
    for (const path of paths) {
      assert.deepEqual((await lab.ask(path, { body: [["step", "x", 1]] })).json, [1], path);
    }
    for (const path of ["/restate/send/Plain/run", "/restate/send/Flow/w1/run?delay=10ms"]) {
      const answer = await lab.ask(path, { body: [["step", "x", 2]] });
      assert.equal(answer.status, 202, answer.text);
      assert.deepEqual((await lab.attach(String(at(answer.json, "invocationId")))).json, [2]);
    }
    assert.equal((await lab.ask("/Echo/nothing", { method: "GET" })).status, 200);
    assert.equal((await lab.ask("/Echo/nothing/send", { method: "GET" })).status, 202);
  });

  it("names the invocation, the type and the expiry of an answer", async () => {
    const headers = { "idempotency-key": "expiry" };
    const first = await lab.ask("/Plain/run", { headers, body: [] });
    assert.equal(first.headers.get("content-type"), "application/json");
    assert.match(first.headers.get("x-restate-id") ?? "", /^inv_1[0-9a-zA-Z]{33}$/);
    assert.equal(first.headers.get("idempotency-expires"), null);
    const again = await lab.ask("/Plain/run", { headers, body: [] });
    assert.equal(again.headers.get("x-restate-id"), first.headers.get("x-restate-id"));
    const expiresMs = Date.parse(again.headers.get("idempotency-expires") ?? "");
    assert(Math.abs(expiresMs - Date.now() - 86_400_000) < 60_000);
  });

  it("says of a send that is sent again when the first one starts", async () => {
    const headers = { "idempotency-key": "again" };
    const send = () => lab.ask("/Plain/run/send?delay=1h", { headers, body: [] });
    const [first, second] = [await send(), await send()];
    assert.equal(at(first.json, "status"), "Accepted");
    assert.equal(at(second.json, "status"), "PreviouslyAccepted");
    assert.equal(at(first.json, "executionTime"), at(second.json, "executionTime"));
  });

  it("passes bytes of any type through, and leaves out the type of nothing", async () => {
    const body = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
    const response = await fetch(`${lab.ingress}/Echo/bytes`, {
      method: "POST",
      headers: { "content-type": "image/png" },
      body,
    });
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), body);
    assert.equal(response.headers.get("content-type"), "application/octet-stream");
    const nothing = await lab.ask("/Echo/nothing");
    assert.deepEqual([nothing.text, nothing.headers.get("content-type")], ["", null]);
  });

  it("passes headers on, but not those of the connection and the idempotency key", async () => {
    const answer = await lab.ask("/Plain/run?a=1", {
      headers: { "x-one": "1", authorization: "secret", "idempotency-key": "h" },
      body: [["headers"]],
    });
    const headers = new Map(at(answer.json, 0) as [string, string][]);
    assert.equal(headers.get("x-one"), "1");
    assert.equal(headers.get("authorization"), "secret");
    assert.equal(headers.get("x-restate-ingress-path"), "/Plain/run?a=1");
    for (const name of ["connection", "host", "idempotency-key"]) assert(!headers.has(name), name);
  });

  it("gives the headers that a handler sets to what it calls, and no others", async () => {
    const results = await lab.run("/Plain/run", [
      "call",
      ["Plain", null, "run"],
      [["headers"]],
      { headers: { "x-mine": "yes" } },
    ]);
    assert.deepEqual(results, [[[["x-mine", "yes"]]]]);
  });

  it("lists services for health checks, private ones too", async () => {
    const answer = await lab.ask("/restate/health", { method: "GET" });
    assert.equal(answer.status, 200);
    const services = at(answer.json, "services") as string[];
    for (const name of ["Plain", "Private", "Keyed", "Flow"]) assert(services.includes(name), name);
  });

  it("answers pages of any origin", async () => {
    const headers = {
      origin: "https://app.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,idempotency-key",
    };
    const asked = await lab.ask("/Plain/run", { method: "OPTIONS", headers });
    assert.equal(asked.status, 200);
    assert.equal(asked.headers.get("access-control-allow-origin"), "https://app.example");
    assert.match(asked.headers.get("access-control-allow-headers") ?? "", /idempotency-key/i);
    const answer = await lab.ask("/Plain/run", { headers: { origin: headers.origin }, body: [] });
    assert.equal(answer.headers.get("access-control-allow-origin"), "https://app.example");
  });

  it(
    "keeps an idempotency key of any characters apart and reachable by its path",
    OURS,
    async () => {
      const key = "a/b ü?%";
      const headers = { "idempotency-key": "a/b %3F" };
      const answer = await lab.ask("/Plain/run", { headers, body: [["step", "odd", 3]] });
      assert.deepEqual(answer.json, [3]);
      const path = `/restate/invocation/Plain/run/${encodeURIComponent("a/b %3F")}/output`;
      assert.deepEqual((await lab.ask(path, { method: "GET" })).json, [3]);
      const other = `/restate/invocation/Plain/run/${encodeURIComponent(key)}/output`;
      assert.equal((await lab.ask(other, { method: "GET" })).status, 404);
    },
  );

  it("does not cancel the invocation of a caller who leaves", async () => {
    const stop = new AbortController();
    const gone = fetch(`${lab.ingress}/Plain/run`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify([
        ["gate", "leaves"],
        ["step", "left", 1],
      ]),
      signal: stop.signal,
    }).catch(() => "gone");
    await eventually(() => assert.equal(world.times("leaves"), 1));
    stop.abort();
    assert.equal(await gone, "gone");
    world.open("leaves");
    await eventually(() => assert.equal(world.times("left"), 1));
  });

  it("describes each service as OpenAPI, on the admin listener", async () => {
    const document = (await lab.tell("GET", "/services/Keyed/openapi")).json;
    assert.match(String(at(document, "openapi")), /^3\.1/);
    assert.equal(at(document, "info", "title"), "Keyed");
    const paths = at(document, "paths");
    assert(at(paths, "/restate/call/Keyed/{key}/run", "post") !== undefined, JSON.stringify(paths));
    assert(at(paths, "/restate/send/Keyed/{key}/look", "post") !== undefined);
    assert.equal((await lab.tell("GET", "/services/Nobody/openapi")).status, 404);
    assert.match(String(at((await lab.tell("GET", "/openapi")).json, "openapi")), /^3\.1/);
  });
});
