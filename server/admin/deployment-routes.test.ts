import assert from "node:assert/strict";
import { test } from "node:test";
import { at, NOW_TEXT, service } from "./fake-world.suite.ts";
import {
  type Answer,
  discovered,
  type Fixture,
  offering,
  pinned,
  register,
  start,
  URI,
} from "./fixture.suite.ts";

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
    status: "active",
    active_invocations: 0,
    services: at(registered.json, "services"),
  });
  const unknown = await fixture.request("GET", "/deployments/dp_1unknown");
  assert.equal(unknown.status, 404);
});

test("a setting without effect is warned of", async () => {
  const fixture = await start();
  const services = [service("Slow", [{ name: "run", inactivityTimeout: 1000 }])];
  fixture.offers = { ...fixture.offers, services, protocolMode: "REQUEST_RESPONSE" };
  const answer = await register(fixture);
  assert.equal(at(answer.json, "info", 0, "code"), "RT0021");
});

// ---- who needs it ------------------------------------------------------------------------------

const OTHER = "http://127.0.0.1:9081/";

/** Two deployments of the same service; the second takes the new invocations. */
async function twoRevisions(): Promise<
  Fixture & { readonly older: string; readonly newer: string }
> {
  const fixture = await start();
  const older = String(at((await register(fixture)).json, "id"));
  const newer = String(at((await register(fixture, { uri: OTHER })).json, "id"));
  return Object.assign(fixture, { older, newer });
}

async function statusOf(fixture: Fixture, id: string): Promise<unknown[]> {
  const one = (await fixture.request("GET", `/deployments/${id}`)).json;
  const all = at((await fixture.request("GET", "/deployments")).json, "deployments");
  assert.ok(Array.isArray(all));
  const listed: unknown = all.find((each: unknown) => at(each, "id") === id);
  for (const field of ["status", "active_invocations"]) {
    assert.equal(at(listed, field), at(one, field));
  }
  return [at(one, "status"), at(one, "active_invocations")];
}

test("a deployment is active, draining or drained, with the invocations that need it", async () => {
  const fixture = await twoRevisions();
  const { older, newer } = fixture;
  const pin = { deploymentId: older, protocolVersion: 6 };
  fixture.world.add(1, { pin });
  fixture.rows = pinned([older, 2], [newer, 5]);
  assert.deepEqual(await statusOf(fixture, newer), ["active", 5]);
  assert.deepEqual(await statusOf(fixture, older), ["draining", 2]);
  fixture.rows = { ok: false, status: 503, message: "busy" };
  assert.deepEqual(await statusOf(fixture, newer), ["active", null]);
  assert.deepEqual(await statusOf(fixture, older), ["draining", null]);
  fixture.world.add(1, { pin, state: { status: "completed", completedAtMs: 0, outputIndex: 0 } });
  fixture.rows = pinned([newer, 5]);
  assert.deepEqual(await statusOf(fixture, older), ["drained", 0]);
  const [sql, format] = fixture.queries[0] ?? [];
  assert.equal(format, "json");
  assert.match(sql ?? "", /FROM sys_invocation_status/);
});

test("draining sends new invocations to the revision before, undraining brings them back", async () => {
  const fixture = await twoRevisions();
  const { older, newer } = fixture;
  const latest = () => fixture.world.registry.services.get("Greeter")?.deploymentId;
  const drained = await fixture.request("POST", `/deployments/${newer}/drain`);
  assert.equal(drained.status, 200);
  assert.equal(at(drained.json, "draining_since"), NOW_TEXT);
  assert.equal(at(drained.json, "status"), "drained");
  assert.equal(latest(), older);
  assert.equal((await fixture.request("POST", `/deployments/${newer}/drain`)).status, 200);
  assert.equal(fixture.world.inputsOf("update-deployment").length, 1);
  const known = await register(fixture, { uri: OTHER });
  assert.match(String(at(known.json, "info", 0, "message")), /is draining.*undrain/);
  const back = await fixture.request("POST", `/deployments/${newer}/undrain`);
  assert.deepEqual([back.status, at(back.json, "draining_since")], [200, undefined]);
  assert.equal(latest(), newer);
});

test("the only deployment of a service drains only when that is forced", async () => {
  const fixture = await start();
  const id = String(at((await register(fixture)).json, "id"));
  const refused = await fixture.request("POST", `/deployments/${id}/drain`);
  assert.equal(refused.status, 409);
  assert.match(String(at(refused.json, "message")), /Greeter/);
  const forced = await fixture.request("POST", `/deployments/${id}/drain?force=true`);
  assert.equal(forced.status, 200);
  assert.equal(fixture.world.registry.services.size, 0);
});

test("a deployment goes when nothing needs it, or by force", async () => {
  const fixture = await twoRevisions();
  const { older, newer, world } = fixture;
  const remove = (id: string, query = ""): Promise<Answer> =>
    fixture.request("DELETE", `/deployments/${id}${query}`);
  const latest = await remove(newer);
  assert.equal(latest.status, 409);
  assert.match(String(at(latest.json, "message")), /Greeter.*drain/);
  world.add(1, { pin: { deploymentId: older, protocolVersion: 6 } });
  fixture.rows = pinned([older, 3]);
  const inUse = await remove(older);
  assert.equal(inUse.status, 409);
  assert.match(String(at(inUse.json, "message")), /^3 invocations still need/);
  fixture.rows = { ok: false, status: 503, message: "busy" };
  assert.match(String(at((await remove(older)).json, "message")), /^invocations still need/);
  world.invocations.clear();
  const attempt = { seq: 1, epoch: 0, sdkVersion: null, startedAtMs: 0, awaitingOn: null };
  world.attempts.set(1, { ...attempt, deploymentId: older });
  assert.equal((await remove(older)).status, 409);
  world.attempts.clear();
  assert.deepEqual(world.inputsOf("delete-deployment"), []);
  const gone = await remove(older);
  assert.deepEqual([gone.status, gone.text], [202, ""]);
  assert.equal((await remove(newer, "?force=true")).status, 202);
  assert.deepEqual(
    world.inputsOf("delete-deployment").map(({ id, force }) => [id, force]),
    [
      [older, false],
      [newer, true],
    ],
  );
  assert.equal(world.registry.deployments.size, 0);
});

test("a count that takes too long is left out", async () => {
  const fixture = await start({ query: () => new Promise(() => {}) });
  const id = String(at((await register(fixture)).json, "id"));
  const shown = await fixture.request("GET", `/deployments/${id}`);
  assert.deepEqual([shown.status, at(shown.json, "active_invocations")], [200, null]);
});

test("what the machine refuses to forget stays", async () => {
  const fixture = await twoRevisions();
  const message = "new invocations go to it";
  fixture.world.reply = () => ({ kind: "refused", reason: "deployment-in-use", message });
  const answer = await fixture.request("DELETE", `/deployments/${fixture.older}`);
  assert.deepEqual([answer.status, at(answer.json, "message")], [409, message]);
});

test("a deployment that is unknown is told so", async () => {
  const { request } = await start();
  const rows = [
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["DELETE", "?force=true"],
    ["POST", "/drain"],
    ["POST", "/undrain"],
  ] as const;
  for (const [method, rest] of rows) {
    const body = method === "PATCH" ? { uri: URI } : undefined;
    const answer = await request(method, `/deployments/dp_1unknown${rest}`, body);
    assert.equal(answer.status, 404, `${method} ${rest}`);
  }
  assert.equal((await request("DELETE", "/deployments/dp_1x?force=maybe")).status, 400);
});

// ---- changes in place --------------------------------------------------------------------------

test("a deployment is discovered again in place and keeps what it was", async () => {
  const fixture = await start();
  const registered = await register(fixture, {
    additional_headers: { a: "1" },
    metadata: { team: "a" },
  });
  const id = String(at(registered.json, "id"));
  const path = `/deployments/${id}`;
  fixture.asked.length = 0;
  const nothing = await fixture.request("PATCH", path, {});
  assert.equal(nothing.status, 200);
  assert.deepEqual(fixture.asked, []);
  fixture.offers = discovered("Greeter", "Mailer");
  const moved = await fixture.request("PATCH", path, {
    uri: "http://127.0.0.1:9082",
    additional_headers: { b: "2" },
  });
  assert.equal(moved.status, 200);
  assert.deepEqual(fixture.asked, [
    {
      uri: "http://127.0.0.1:9082/",
      lambda: null,
      useHttp11: false,
      additionalHeaders: { b: "2" },
      metadata: { team: "a" },
    },
  ]);
  assert.equal(at(moved.json, "uri"), "http://127.0.0.1:9082/");
  assert.deepEqual(at(moved.json, "additional_headers"), { b: "2" });
  assert.equal(at(moved.json, "services", 1, "name"), "Mailer");
  assert.equal(at(moved.json, "created_at"), NOW_TEXT);
  const again = await fixture.request("PUT", `/v2${path}`, { use_http_11: true });
  assert.equal(again.status, 200);
  assert.deepEqual(fixture.asked[1], {
    uri: "http://127.0.0.1:9082/",
    lambda: null,
    useHttp11: true,
    additionalHeaders: { b: "2" },
    metadata: { team: "a" },
  });
});

test("a dry run of a change stores nothing", async () => {
  const fixture = await start();
  const id = String(at((await register(fixture)).json, "id"));
  fixture.offers = discovered("Greeter", "Mailer");
  const dry = await fixture.request("PATCH", `/deployments/${id}`, { dry_run: true });
  assert.equal(dry.status, 200);
  assert.equal(at(dry.json, "services", 1, "revision"), 1);
  assert.deepEqual(fixture.world.inputsOf("update-deployment"), []);
});

test("a change that running invocations would not survive is refused, unless it is to overwrite", async () => {
  const counter = (ty: "EXCLUSIVE" | "SHARED") =>
    service("Counter", [{ name: "add", ty }], { ty: "VIRTUAL_OBJECT" });
  const old = [service("Greeter", [{ name: "run" }, { name: "stop" }]), counter("EXCLUSIVE")];
  const [greeter, object] = old;
  assert.ok(greeter !== undefined && object !== undefined);
  const fixture = await start();
  fixture.offers = offering(...old);
  const id = String(at((await register(fixture)).json, "id"));
  const patch = (more: object = {}): Promise<Answer> =>
    fixture.request("PATCH", `/deployments/${id}`, { uri: URI, ...more });
  const rows = [
    [offering(greeter), /the service Counter is missing/],
    [offering(service("Greeter", [{ name: "run" }]), object), /Greeter\/stop is missing/],
    [offering(greeter, counter("SHARED")), /Counter\/add is of another type/],
    [offering({ ...greeter, ty: "WORKFLOW" }, object), /Greeter was SERVICE and is WORKFLOW/],
    [{ ...offering(...old), maxProtocolVersion: 7 }, /5 to 6 and are 5 to 7/],
  ] as const;
  for (const [offers, problem] of rows) {
    fixture.offers = offers;
    const refused = await patch();
    assert.equal(refused.status, 409);
    assert.equal(at(refused.json, "restate_code"), "META0016");
    assert.match(String(at(refused.json, "message")), problem);
  }
  assert.deepEqual(fixture.world.inputsOf("update-deployment"), []);
  assert.equal((await patch({ overwrite: true })).status, 200);
  fixture.offers = { ...offering(...old, service("More", [])), maxProtocolVersion: 7 };
  assert.equal((await patch()).status, 200);
});

test("a change whose endpoint cannot be used or whose body is wrong is refused", async () => {
  const fixture = await start();
  const id = String(at((await register(fixture)).json, "id"));
  const patch = (body: object): Promise<Answer> =>
    fixture.request("PATCH", `/deployments/${id}`, body);
  assert.equal((await patch({ uri: "nowhere" })).status, 400);
  assert.equal((await patch({ uri: "http://169.254.169.254/" })).status, 400);
  assert.equal((await patch({ arn: "arn:aws:lambda:x" })).status, 400);
  assert.equal((await patch({ overwrite: "yes" })).status, 422);
  assert.equal((await patch({ force: true })).status, 422);
  fixture.failure = Object.assign(new Error("cannot be reached"), { code: "META0003" });
  const unreachable = await patch({ uri: OTHER });
  assert.deepEqual([unreachable.status, at(unreachable.json, "restate_code")], [500, "META0003"]);
});
