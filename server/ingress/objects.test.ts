import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import { exchange, parseAnswer, reasonOf } from "../http/raw-client.suite.ts";
import { makeRegistry } from "../machine/registry.ts";
import {
  accepted,
  completed,
  failure,
  finishing,
  type Fixture,
  ID_TEXT,
  NOW_MS,
  post,
  replying,
  start,
  value,
} from "./ingress.suite.ts";

const get = async (port: number, path: string, ...fields: string[]) => {
  const lines = [`GET ${path} HTTP/1.1`, "host: x", "connection: close", ...fields];
  return parseAnswer(await exchange(port, `${lines.join("\r\n")}\r\n\r\n`));
};

/** The targets that reached the machine, and their ids. */
function asked({ door }: Fixture): { target: unknown; id: string }[] {
  return door.of("invoke").map(({ target, id }) => ({ target, id: invocationIdToString(id) }));
}

// ---- objects -----------------------------------------------------------------------------------

test("an object is called under its key, on classic and explicit paths", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  for (const path of [
    "/Counter/k/add",
    "/Counter/k/add/",
    "//Counter/k/add",
    "/Counter/%6b/add",
    "/restate/call/Counter/k/add",
  ]) {
    const answer = await get(fixture.port, path);
    assert.deepEqual([answer.status, answer.body], [200, "7"], path);
  }
  for (const { target } of asked(fixture)) {
    assert.deepEqual(target, { service: "Counter", handler: "add", key: "k" });
  }
  assert.equal(new Set(asked(fixture).map(({ id }) => id)).size, 5);
});

test("calls of one key share its partition, those of different keys do not", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  for (const path of ["/Counter/a/add", "/Counter/a/get", "/Signup/a/status", "/Counter/b/add"]) {
    await get(fixture.port, path);
  }
  const partitions = fixture.door
    .of("invoke")
    .map(({ id }) => Buffer.from(id).subarray(0, 8).toString("hex"));
  assert.equal(new Set(partitions.slice(0, 3)).size, 1);
  assert.notEqual(partitions[0], partitions[3]);
});

test("an object is sent to, with a delay or without", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  for (const path of ["/Counter/k/add/send", "/restate/send/Counter/k/add"]) {
    const now = await get(fixture.port, path);
    assert.equal(now.status, 202, path);
    const later = await get(fixture.port, `${path}?delay=10s`);
    assert.match(later.body, /"executionTime":"2026-11-23T09:04:56.167000000Z"/);
  }
  assert.deepEqual(
    fixture.door.of("invoke").map(({ startAtMs }) => startAtMs),
    [0, NOW_MS + 10_000, 0, NOW_MS + 10_000],
  );
});

test("the registered type, not the shape of the path, says what a segment is", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  replying(fixture, accepted());
  // Of a plain service the last segment sends; of an object it may be a key's handler of that name.
  const sent = await get(fixture.port, "/Greeter/raw/send");
  assert.equal(sent.status, 202);
  finishing(fixture, () => value("7"));
  assert.equal((await get(fixture.port, "/Counter/add/send")).status, 200);
  assert.deepEqual(fixture.door.of("invoke").at(-1)?.target, {
    service: "Counter",
    handler: "send",
    key: "add",
  });
});

test("the empty key is a key", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  for (const path of ["/Counter//add", "/restate/call/Counter//add"]) {
    assert.equal((await get(fixture.port, path)).status, 200, path);
  }
  assert.deepEqual(
    fixture.door.of("invoke").map(({ target }) => target.key),
    ["", ""],
  );
});

test("any key can be reached when it is encoded, slashes and dots too", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  const keys = ["a/b", "..", ".", "../../etc/passwd", "a?b#c", "%", "é ü", "\u0000", "send", "👍"];
  for (const key of keys) {
    const encoded = encodeURIComponent(key);
    assert.equal((await get(fixture.port, `/Counter/${encoded}/add`)).status, 200, key);
  }
  // Dots in a path are segments like any other: nothing is resolved.
  assert.equal((await get(fixture.port, "/Counter/../add")).status, 200);
  assert.deepEqual(
    fixture.door.of("invoke").map(({ target }) => target.key),
    [...keys, ".."],
  );
});

test("every key that a client encodes arrives as it was", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "grapheme", maxLength: 40 }), async (key) => {
      const answer = await get(fixture.port, `/Counter/${encodeURIComponent(key)}/get`);
      assert.equal(answer.status, 200);
      assert.equal(fixture.door.of("invoke").at(-1)?.target.key, key);
    }),
    { numRuns: 60 },
  );
});

const REFUSALS: readonly (readonly [path: string, status: number, reason: string])[] = [
  ["/Counter/add", 400, "bad-path"],
  ["/Counter/k", 400, "bad-path"],
  ["/Counter/k/add/now", 400, "bad-path"],
  ["/Counter/k/add/send/x", 400, "bad-path"],
  ["/Counter/%FF/add", 400, "bad-path"],
  ["/Counter/%/add", 400, "bad-path"],
  ["/Counter/%ED%A0%80/add", 400, "bad-path"],
  ["/restate/call/Counter/add", 400, "bad-path"],
  ["/restate/send/Counter/k/add/send", 400, "bad-path"],
  ["/Counter/k/nope", 404, "unknown-handler"],
  ["/Counter/k/%61dd", 404, "unknown-handler"],
  ["/Signup/k", 400, "bad-path"],
  ["/Signup/k/nope", 404, "unknown-handler"],
  ["/restate/invocation/Counter/add/k/attach", 400, "bad-path"],
  ["/restate/invocation/Greeter/key/raw/k/attach", 400, "bad-path"],
  ["/restate/invocation/Signup/key/run/k/output", 400, "idempotency-key-on-run"],
  ["/restate/workflow/Counter/k/attach", 400, "no-workflow"],
];

test("what does not fit the type of its service is refused", async () => {
  const fixture = await start();
  for (const [path, status, reason] of REFUSALS) {
    const answer = await get(fixture.port, path);
    assert.deepEqual([answer.status, reasonOf(answer)], [status, reason], path);
  }
  assert.deepEqual(fixture.door.inputs, []);
});

test("an idempotency key counts within its object's key", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  const header = "idempotency-key: once";
  for (const key of ["a", "a", "b"]) await get(fixture.port, `/Counter/${key}/add`, header);
  await get(fixture.port, "/Signup/a/status", header);
  const [first, again, other, workflow] = asked(fixture).map(({ id }) => id);
  assert.equal(first, again);
  assert.equal(new Set([first, other, workflow]).size, 3);
  const names = { service: "Counter", key: "a", handler: "add", idempotencyKey: "once" };
  assert.equal(first, invocationIdToString(idempotentInvocationId(names)));
  const body = JSON.stringify({ target: "idempotentInvocation", ...names });
  const lookup = await post(`${fixture.url}/restate/lookup`, body);
  assert.deepEqual(await lookup.json(), { invocationId: first });
  replying(fixture, { kind: "not-found" });
  await get(fixture.port, "/restate/invocation/Counter/a/add/once/attach");
  assert.deepEqual(
    fixture.door.of("attach").map(({ id }) => invocationIdToString(id)),
    [first],
  );
});

test("an operator's override makes a service private, or public", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  const override = (service: string, ingressPrivate: boolean): void => {
    const overrides = new Map([[service, { ingressPrivate }]]);
    fixture.door.registry = makeRegistry({ ...fixture.door.registry, overrides });
  };
  override("Counter", true);
  const hidden = await get(fixture.port, "/Counter/k/add");
  assert.deepEqual([hidden.status, reasonOf(hidden)], [400, "not-public"]);
  override("Hidden", false);
  assert.equal((await get(fixture.port, "/Counter/k/add")).status, 200);
  assert.equal((await get(fixture.port, "/Hidden/run")).status, 200);
});

test("a handler that went between the checks and the machine is unknown", async () => {
  const fixture = await start();
  replying(fixture, { kind: "refused", reason: "unknown-target", message: "gone" });
  for (const path of ["/Counter/k/add", "/Counter/k/add/send"]) {
    const answer = await get(fixture.port, path);
    assert.deepEqual([answer.status, reasonOf(answer)], [404, "unknown-handler"], path);
  }
  replying(fixture, { kind: "refused", reason: "workflow", message: "never" });
  assert.equal((await get(fixture.port, "/Counter/k/add")).status, 500);
});

// ---- workflows ---------------------------------------------------------------------------------

const RUN = workflowInvocationId("Signup", "w/1");
const RUN_TEXT = invocationIdToString(RUN);

test("a workflow runs under the id of its key; its other handlers under ids of their own", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  for (const path of ["/Signup/w%2F1/run", "/restate/call/Signup/w%2F1/run"]) {
    const answer = await get(fixture.port, path);
    assert.equal(answer.headers.get("x-restate-id"), RUN_TEXT);
  }
  await get(fixture.port, "/Signup/w%2F1/status");
  const [first, second, shared] = asked(fixture).map(({ id }) => id);
  assert.deepEqual([first, second], [RUN_TEXT, RUN_TEXT]);
  assert.notEqual(shared, RUN_TEXT);
  assert.equal(fixture.door.of("invoke")[0]?.idempotencyKey, null);
});

test("a run that was called before is a conflict; it is not attached to", async () => {
  const fixture = await start();
  for (const reply of [accepted({ isNew: false }), completed(value("old"), "run")]) {
    replying(fixture, reply);
    const answer = await get(fixture.port, "/Signup/w/run");
    assert.equal(answer.status, 409);
    assert.equal(reasonOf(answer), "already-invoked");
    assert.equal(answer.headers.get("x-restate-error-source"), "invocation");
    assert.equal(answer.headers.get("x-restate-id"), ID_TEXT);
  }
  assert.equal(fixture.waiters.size, 0);
});

test("a run that was sent before is accepted as such, with its original time", async () => {
  const fixture = await start();
  replying(fixture, accepted({ isNew: false, startAtMs: NOW_MS }));
  const running = await get(fixture.port, "/Signup/w/run/send?delay=1h");
  assert.equal(running.status, 202);
  assert.deepEqual(JSON.parse(running.body), {
    invocationId: ID_TEXT,
    executionTime: "2026-11-23T09:04:46.167000000Z",
    status: "PreviouslyAccepted",
  });
  const old = completed(failure(500), "run");
  replying(fixture, old.kind === "completed" ? { ...old, startAtMs: NOW_MS } : old);
  const over = await get(fixture.port, "/Signup/w/run/send");
  assert.equal(over.status, 202);
  assert.match(over.body, /"executionTime":"2026-11-23T09:04:46.167000000Z"/);
});

test("a run may be delayed, and takes no idempotency key; shared handlers take one", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  const delayed = await get(fixture.port, "/Signup/w/run/send?delay=10s");
  assert.equal(delayed.status, 202);
  assert.equal(fixture.door.of("invoke")[0]?.startAtMs, NOW_MS + 10_000);
  for (const path of ["/Signup/w/run", "/Signup/w/run/send"]) {
    for (const key of ["k", ""]) {
      const answer = await get(fixture.port, path, `idempotency-key: ${key}`);
      assert.deepEqual([answer.status, reasonOf(answer)], [400, "idempotency-key-on-run"]);
    }
  }
  const shared = await get(fixture.port, "/Signup/w/status/send", "idempotency-key: k");
  assert.equal(shared.status, 202);
});

test("a workflow's result is found by path, by body, and by nobody who offers it any more", async () => {
  const fixture = await start();
  replying(fixture, completed(value("done"), "run"));
  for (const mode of ["attach", "output"]) {
    const answer = await get(fixture.port, `/restate/workflow/Signup/w%2F1/${mode}`);
    assert.deepEqual([answer.status, answer.body], [200, "done"]);
    const body = { target: "workflow", workflowName: "Signup", workflowKey: "w/1" };
    const posted = await post(`${fixture.url}/restate/${mode}`, JSON.stringify(body));
    assert.equal(await posted.text(), "done");
    const lookup = await post(`${fixture.url}/restate/lookup`, JSON.stringify(body));
    assert.deepEqual(await lookup.json(), { invocationId: RUN_TEXT });
  }
  assert.deepEqual(
    fixture.door.of("attach").map(({ id, wait }) => [id, wait]),
    [
      [RUN, true],
      [RUN, true],
      [RUN, false],
      [RUN, false],
    ],
  );
  replying(fixture, { kind: "not-found" });
  const attach = await get(fixture.port, "/restate/workflow/Gone/w/attach");
  assert.deepEqual([attach.status, reasonOf(attach)], [404, "unknown-invocation"]);
  assert.equal(attach.headers.get("x-restate-error-source"), "invocation");
  const output = await get(fixture.port, "/restate/workflow/Gone/w/output");
  assert.deepEqual([output.status, reasonOf(output)], [404, "unknown-invocation"]);
  assert.equal(output.headers.get("x-restate-error-source"), "ingress");
});

test("the output of a workflow that runs is not there yet", async () => {
  const fixture = await start();
  replying(fixture, { kind: "conflict", status: "running" });
  const answer = await get(fixture.port, "/restate/workflow/Signup/w/output");
  assert.deepEqual([answer.status, reasonOf(answer)], [470, "not-finished"]);
});
