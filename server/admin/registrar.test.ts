import assert from "node:assert/strict";
import { test } from "node:test";
import { at, NOW_MS, service, testDeployment } from "./fake-world.suite.ts";
import { discovered, register, start, URI } from "./fixture.suite.ts";

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
    {
      uri,
      lambda: null,
      useHttp11: true,
      additionalHeaders: { "x-token": "t" },
      metadata: { team: "a" },
    },
  ]);
  assert.equal(at(answer.json, "services", 0, "name"), "Greeter");
  assert.equal(at(answer.json, "services", 0, "revision"), 1);
  assert.equal(at(answer.json, "min_protocol_version"), 5);
  assert.equal(at(answer.json, "sdk_version"), "test/1.0.0");
  const [input] = fixture.world.inputsOf("register-deployment");
  assert.deepEqual(input?.deployment, {
    ...fixture.offers,
    id,
    uri,
    additionalHeaders: { "x-token": "t" },
    metadata: { team: "a" },
    createdAtMs: NOW_MS,
    drainingSinceMs: null,
  });
});

test("registering again changes nothing and asks nobody", async () => {
  const fixture = await start();
  const first = await register(fixture, { uri: "http://127.0.0.1:9080" });
  const again = await register(fixture);
  assert.deepEqual([first.status, again.status], [201, 200]);
  assert.equal(at(again.json, "id"), at(first.json, "id"));
  assert.equal(fixture.asked.length, 1);
  assert.equal(fixture.world.inputsOf("register-deployment").length, 1);
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
  assert.equal(fixture.world.registry.deployments.size, 1);
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

test("one address is one deployment whatever its headers, but for those that route", async () => {
  const fixture = await start({ routingHeaders: ["Tenant"] });
  const tenant = (name: string, more: object = {}): object => ({
    additional_headers: { tenant: name, ...more },
  });
  const first = await register(fixture);
  const a = await register(fixture, tenant("a"));
  const b = await register(fixture, tenant("b"));
  assert.deepEqual([first.status, a.status, b.status], [201, 201, 201]);
  const again = await register(fixture, tenant("b", { "x-token": "new" }));
  assert.deepEqual([again.status, at(again.json, "id")], [200, at(b.json, "id")]);
  assert.match(String(at(again.json, "info", 0, "message")), /keeps the additional headers/);
  const forced = await register(fixture, { ...tenant("b", { "x-token": "new" }), force: true });
  assert.deepEqual([forced.status, at(forced.json, "id")], [200, at(b.json, "id")]);
  assert.equal(at(forced.json, "info"), undefined);
  const stored = fixture.world.registry.deployments.get(String(at(b.json, "id")));
  assert.deepEqual(stored?.additionalHeaders, { tenant: "b", "x-token": "new" });
});

test("a forced registration that several deployments could be meant by is refused", async () => {
  const fixture = await start();
  const headers = [{ a: "1" }, { a: "2" }];
  for (const [index, additionalHeaders] of headers.entries()) {
    const id = `dp_1000000000000000000000${index}`;
    const deployment = testDeployment(fixture.offers.services, { id, additionalHeaders });
    fixture.world.submit({ type: "register-deployment", deployment, replyTo: null });
  }
  const named = await register(fixture, { additional_headers: { a: "2" }, force: true });
  assert.deepEqual([named.status, at(named.json, "id")], [200, "dp_10000000000000000000001"]);
  const unnamed = await register(fixture, { force: true });
  assert.equal(unnamed.status, 409);
  assert.equal(at(unnamed.json, "restate_code"), "META0017");
});

test("version 2 overwrites unless told not to, and refuses what is known then", async () => {
  const fixture = await start();
  const post = (more: object = {}) =>
    fixture.request("POST", "/v2/deployments", { uri: URI, ...more });
  const first = await post();
  const overwritten = await post();
  assert.deepEqual([first.status, overwritten.status], [201, 201]);
  assert.equal(at(overwritten.json, "id"), at(first.json, "id"));
  assert.equal(at(overwritten.json, "services", 0, "revision"), 2);
  const refused = await post({ force: false });
  assert.equal(refused.status, 409);
  assert.equal(at(refused.json, "restate_code"), "META0004");
});

test("the type of a service changes only where that is asked for", async () => {
  const fixture = await start();
  await register(fixture);
  fixture.offers = { ...fixture.offers, services: [service("Greeter", [], { ty: "WORKFLOW" })] };
  const refused = await register(fixture, { uri: "http://127.0.0.1:9081" });
  assert.equal(refused.status, 409);
  assert.equal(at(refused.json, "restate_code"), "META0006");
  assert.equal(fixture.world.registry.deployments.size, 1);
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
  assert.deepEqual(fixture.world.inputs, []);
  const real = await register(fixture);
  assert.notEqual(at(real.json, "id"), at(dry.json, "id"));
  const known = await register(fixture, { dry_run: true });
  assert.deepEqual([known.status, at(known.json, "id")], [200, at(real.json, "id")]);
  const forced = await register(fixture, { dry_run: true, force: true });
  assert.deepEqual([forced.status, at(forced.json, "services", 0, "revision")], [200, 2]);
  assert.equal(fixture.world.inputsOf("register-deployment").length, 1);
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
  assert.equal(fixture.world.inputsOf("register-deployment").length, 1);
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
  fixture.world.reply = () => ({ kind: "failed", message: "inner detail" });
  const answer = await register(fixture);
  assert.equal(answer.status, 500);
  assert.ok(!answer.text.includes("inner detail"));
  assert.equal(fixture.errors.length, 1);
});
