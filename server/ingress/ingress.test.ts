import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { emptySummary } from "../journal/summary.ts";
import type { Reply } from "../machine/effect.ts";
import type { Invocation } from "../machine/invocation.ts";
import { idempotentInvocationId } from "../base/ids.ts";
import {
  eventually,
  exchange,
  parseAnswer,
  RawClient,
  reasonOf,
} from "../http/raw-client.suite.ts";
import { service, testDeployment } from "./fake-door.suite.ts";
import {
  accepted,
  completed,
  EXPIRES_MS,
  failure,
  finishing,
  ID,
  ID_TEXT,
  NOW_MS,
  post,
  replying,
  start,
  value,
} from "./ingress.suite.ts";

// ---- calls -------------------------------------------------------------------------------------

test("a call answers with the handler's bytes, its id and the declared content type", async () => {
  const fixture = await start();
  finishing(fixture, (input) =>
    input.type === "invoke" ? { kind: "value", value: input.parameter } : failure(500),
  );
  const response = await post(`${fixture.url}/Greeter/greet`, '{"name":"Ada"}');
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '{"name":"Ada"}');
  assert.equal(response.headers.get("content-type"), "application/json");
  assert.equal(response.headers.get("idempotency-expires"), null);
  const [input] = fixture.door.of("invoke");
  assert.ok(input !== undefined);
  assert.equal(response.headers.get("x-restate-id"), invocationIdToString(input.id));
  assert.deepEqual(input.target, { service: "Greeter", handler: "greet", key: null });
  assert.equal(input.idempotencyKey, null);
  assert.equal(input.startAtMs, 0);
  assert.equal(input.caller, null);
});

test("GET, POST and the explicit path call alike, and two calls are two invocations", async () => {
  const fixture = await start();
  finishing(fixture, () => value("7"));
  for (const path of ["/Greeter/raw", "/restate/call/Greeter/raw", "//Greeter/raw/"]) {
    const got = await fetch(fixture.url + path);
    assert.deepEqual([got.status, await got.text()], [200, "7"], path);
    const posted = await fetch(fixture.url + path, { method: "POST" });
    assert.deepEqual([posted.status, await posted.text()], [200, "7"], path);
  }
  const ids = fixture.door.of("invoke").map((input) => invocationIdToString(input.id));
  assert.equal(new Set(ids).size, 6);
});

test("an empty answer has a content type only where the handler wants it", async () => {
  const fixture = await start();
  finishing(fixture, () => value(""));
  const types: (string | null)[] = [];
  for (const handler of ["raw", "text"]) {
    const response = await fetch(`${fixture.url}/Greeter/${handler}`);
    types.push(response.headers.get("content-type"));
    assert.equal(response.headers.get("content-length"), "0");
  }
  assert.deepEqual(types, [null, "text/plain"]);
});

test("headers reach the handler in order, repeated ones too, without those of the connection", async () => {
  const fixture = await start();
  finishing(fixture, () => value(""));
  const fields = [
    "Host: x",
    "X-One: 1",
    "Authorization: Bearer t",
    "x-two: a",
    "X-Two: b",
    "x-restate-ingress-path: forged",
    "idempotency-key: k",
    "idempotency-expires: 1",
    "proxy-authorization: Basic x",
    "x-hop: 1",
    "cookie: c=1",
    "TE: trailers",
    "Connection: close, X-Hop",
  ];
  await exchange(fixture.port, `GET /Greeter/raw?a=b HTTP/1.1\r\n${fields.join("\r\n")}\r\n\r\n`);
  const [input] = fixture.door.of("invoke");
  assert.deepEqual(input?.headers, [
    { key: "x-one", value: "1" },
    { key: "authorization", value: "Bearer t" },
    { key: "x-two", value: "a" },
    { key: "x-two", value: "b" },
    { key: "cookie", value: "c=1" },
    { key: "x-restate-ingress-path", value: "/Greeter/raw?a=b" },
  ]);
});

test("an idempotency key, the empty one too, names the invocation", async () => {
  const fixture = await start();
  finishing(fixture, () => value("1"));
  for (const key of ["k1", "k1", "k2", ""]) {
    await fetch(`${fixture.url}/Greeter/raw`, { headers: { "idempotency-key": key } });
  }
  const inputs = fixture.door.of("invoke");
  assert.deepEqual(
    inputs.map((input) => input.idempotencyKey),
    ["k1", "k1", "k2", ""],
  );
  const [first, again, other] = inputs.map((input) => invocationIdToString(input.id));
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("a repeated call gets the stored answer, and is told how long it is kept", async () => {
  const fixture = await start();
  replying(fixture, completed(value('"hi"')));
  const response = await post(`${fixture.url}/Greeter/greet`, "1");
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '"hi"');
  assert.equal(response.headers.get("idempotency-expires"), "2026-11-24T08:04:56.140+00:00");
  assert.equal(response.headers.get("x-restate-id"), ID_TEXT);
  assert.equal(fixture.waiters.size, 0);
});

test("a terminal failure is the handler's answer; a code that is no error status answers 500", async () => {
  const fixture = await start();
  const statuses: Readonly<Record<number, number>> = {
    400: 400,
    404: 404,
    409: 409,
    499: 499,
    500: 500,
    599: 599,
    200: 500,
    302: 500,
    100: 500,
    1: 500,
    600: 500,
    999: 500,
    65535: 500,
  };
  for (const [text, status] of Object.entries(statuses)) {
    const code = Number(text);
    finishing(fixture, () => failure(code, "sold out"));
    const response = await fetch(`${fixture.url}/Greeter/raw`);
    assert.equal(response.status, status, text);
    assert.equal(response.headers.get("x-restate-error-source"), "invocation");
    assert.match(response.headers.get("x-restate-id") ?? "", /^inv_1/);
    assert.equal(response.headers.get("content-type"), "application/json");
    assert.deepEqual(await response.json(), {
      code,
      message: "sold out",
      source: "invocation",
      reason: "terminal-error",
    });
  }
});

test("metadata of a terminal failure is passed on", async () => {
  const fixture = await start();
  const metadata = [{ key: "retry", value: "no" }];
  finishing(fixture, () => ({ kind: "failure", failure: { code: 400, message: "", metadata } }));
  const document: unknown = await (await fetch(`${fixture.url}/Greeter/raw`)).json();
  assert.ok(typeof document === "object" && document !== null && "metadata" in document);
  assert.deepEqual(document.metadata, { retry: "no" });
});

test("a caller that leaves ends its waiting, not the invocation", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  const client = await RawClient.open(fixture.port);
  client.send("GET /Greeter/raw HTTP/1.1\r\nhost: x\r\n\r\n");
  await eventually(() => fixture.waiters.size === 1, "the call waits");
  client.socket.destroy();
  await eventually(() => fixture.waiters.size === 0, "nobody waits");
  assert.deepEqual(
    fixture.door.inputs.map((input) => input.type),
    ["invoke"],
  );
});

test("a caller that left before the journal has its call waits for nothing", async () => {
  const fixture = await start();
  const answers: ((reply: Reply) => void)[] = [];
  fixture.door.ask = (input, answer) => {
    input(1);
    answers.push(answer);
  };
  const client = await RawClient.open(fixture.port);
  client.send("GET /Greeter/raw HTTP/1.1\r\nhost: x\r\n\r\n");
  await eventually(() => answers.length === 1, "the call is asked for");
  client.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  answers[0]?.(accepted());
  assert.equal(fixture.waiters.size, 0);
});

test("what the machine cannot apply is an internal error without its words", async () => {
  const fixture = await start();
  replying(fixture, { kind: "failed", message: "secret detail" });
  const requests = [
    await fetch(`${fixture.url}/Greeter/raw`),
    await fetch(`${fixture.url}/Greeter/raw/send`),
    await fetch(`${fixture.url}/restate/attach/${ID_TEXT}`),
    await post(`${fixture.url}/restate/a/${awakeableIdToString(ID, 17)}/resolve`, "1"),
  ];
  for (const response of requests) {
    const text = await response.text();
    assert.equal(response.status, 500);
    assert.equal(reasonOf({ body: text }), "internal");
    assert.ok(!text.includes("secret"));
  }
});

// ---- sends -------------------------------------------------------------------------------------

test("a send answers as soon as it is stored", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  for (const path of ["/Greeter/raw/send", "/restate/send/Greeter/raw", "/Greeter/raw/send/"]) {
    const response = await fetch(fixture.url + path);
    assert.equal(response.status, 202);
    assert.equal(response.headers.get("x-restate-id"), ID_TEXT);
    assert.deepEqual(await response.json(), { invocationId: ID_TEXT, status: "Accepted" });
  }
  assert.equal(fixture.waiters.size, 0);
});

test("a send with a delay says when it will run", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  const delayed = await post(`${fixture.url}/Greeter/raw/send?delay=10s`, "");
  assert.deepEqual(await delayed.json(), {
    invocationId: ID_TEXT,
    executionTime: "2026-11-23T09:04:56.167000000Z",
    status: "Accepted",
  });
  const atOnce = await post(`${fixture.url}/Greeter/raw/send?delay=0`, "");
  assert.match(await atOnce.text(), /"executionTime":"2026-11-23T09:04:46.167000000Z"/);
  const times = fixture.door.of("invoke").map((input) => input.startAtMs);
  assert.deepEqual(times, [NOW_MS + 10_000, NOW_MS]);
});

test("a send that was accepted before is told so, with its original time", async () => {
  const fixture = await start();
  replying(fixture, accepted({ isNew: false, startAtMs: NOW_MS }));
  const scheduled = await fetch(`${fixture.url}/Greeter/raw/send?delay=1h`);
  assert.deepEqual(await scheduled.json(), {
    invocationId: ID_TEXT,
    executionTime: "2026-11-23T09:04:46.167000000Z",
    status: "PreviouslyAccepted",
  });
  replying(fixture, accepted({ isNew: false }));
  const running = await fetch(`${fixture.url}/Greeter/raw/send?delay=1h`);
  assert.deepEqual(await running.json(), { invocationId: ID_TEXT, status: "PreviouslyAccepted" });
  replying(fixture, completed(failure(500)));
  const over = await fetch(`${fixture.url}/Greeter/raw/send`);
  assert.equal(over.status, 202);
  assert.deepEqual(await over.json(), { invocationId: ID_TEXT, status: "PreviouslyAccepted" });
});

// ---- refusals ----------------------------------------------------------------------------------

type Refusal = readonly [
  request: string,
  headers: readonly string[],
  status: number,
  reason: string,
];

const REFUSALS: readonly Refusal[] = [
  ["GET /Greeter", [], 400, "bad-path"],
  ["GET /", [], 400, "bad-path"],
  ["GET *", [], 400, "bad-path"],
  ["GET /Greeter/raw/extra", [], 400, "bad-path"],
  ["GET /Greeter/raw/send/extra", [], 400, "bad-path"],
  ["GET /restate/send/Greeter/raw/send", [], 400, "bad-path"],
  ["GET /restate/call/Greeter/key/raw", [], 400, "bad-path"],
  ["GET /restate/unknown", [], 404, "not-found"],
  ["GET /openapi/x", [], 404, "not-found"],
  ["GET /Nobody/raw", [], 404, "unknown-service"],
  ["GET /Nobody/key/raw/send", [], 404, "unknown-service"],
  ["GET /greeter/raw", [], 404, "unknown-service"],
  ["GET /__proto__/raw", [], 404, "unknown-service"],
  ["DELETE /Nobody/raw", [], 404, "unknown-service"],
  ["GET /Greeter/RAW", [], 404, "unknown-handler"],
  ["GET /Greeter/%72aw", [], 404, "unknown-handler"],
  ["GET /Greeter/constructor", [], 404, "unknown-handler"],
  ["GET /Greeter/secret", [], 400, "not-public"],
  ["GET /Hidden/run", [], 400, "not-public"],
  ["PUT /Hidden/run", [], 400, "not-public"],
  ["GET /restate/workflow/Greeter/k/attach", [], 400, "no-workflow"],
  ["GET /restate/scope/s/call/Greeter/raw", [], 400, "scopes-unsupported"],
  ["GET /Greeter/raw", ["x-restate-limit-key: a"], 400, "limit-key-without-scope"],
  ["PUT /Greeter/raw", [], 405, "method-not-allowed"],
  ["PATCH /Greeter/raw", [], 405, "method-not-allowed"],
  ["DELETE /Greeter/raw/send", [], 405, "method-not-allowed"],
  [`POST /restate/attach/${ID_TEXT}`, [], 405, "method-not-allowed"],
  [`GET /restate/a/${awakeableIdToString(ID, 17)}/resolve`, [], 405, "method-not-allowed"],
  ["GET /restate/attach", [], 405, "method-not-allowed"],
  ["POST /restate/health", [], 405, "method-not-allowed"],
  ["POST /Greeter/none", ["content-type: text/plain"], 400, "body-not-allowed"],
  ["POST /Greeter/greet", ["content-type: text/plain"], 400, "content-type-mismatch"],
  ["GET /Greeter/raw?delay=1s", [], 400, "delayed-call"],
  ["GET /restate/call/Greeter/raw?DELAY=1s", [], 400, "delayed-call"],
  ["GET /Greeter/raw/send?delay=5", [], 400, "invalid-delay"],
  ["GET /Greeter/raw?delay=5", [], 400, "invalid-delay"],
  ["GET /Greeter/raw", ["x-name: caf\u00e9"], 400, "invalid-header"],
  ["GET /Greeter/raw", ["idempotency-key: \u00e9"], 400, "invalid-header"],
  [
    "GET /Greeter/raw",
    ["idempotency-key: a", "Idempotency-Key: b"],
    400,
    "repeated-idempotency-key",
  ],
  ["GET /restate/attach/inv_1nonsense", [], 400, "invalid-invocation-id"],
  ["GET /restate/output/%FF", [], 400, "bad-path"],
  ["GET /restate/invocation/Greeter/raw/%FF/attach", [], 400, "bad-path"],
  ["GET /restate/invocation/Greeter/key/raw/k/attach", [], 400, "bad-path"],
  ["GET /restate/invocation/Nobody/raw/k/attach", [], 404, "unknown-service"],
  ["GET /restate/invocation/Greeter/nope/k/attach", [], 404, "unknown-handler"],
  ["POST /restate/a/sign_1nonsense/resolve", [], 400, "invalid-awakeable-id"],
  [`POST /restate/a/${awakeableIdToString(ID, 1)}/resolve`, [], 400, "invalid-awakeable-id"],
];

test("every refusal has its status, its reason and its source, and reaches no machine", async () => {
  const fixture = await start();
  for (const [line, fields, status, reason] of REFUSALS) {
    const head = [`${line} HTTP/1.1`, "host: x", "connection: close", ...fields].join("\r\n");
    const answer = parseAnswer(await exchange(fixture.port, `${head}\r\n\r\n`));
    assert.equal(answer.status, status, line);
    assert.equal(reasonOf(answer), reason, line);
    assert.equal(answer.headers.get("x-restate-error-source"), "ingress", line);
    assert.equal(answer.headers.get("content-type"), "application/json", line);
    const document: unknown = JSON.parse(answer.body);
    assert.ok(typeof document === "object" && document !== null);
    assert.deepEqual(Object.keys(document), ["code", "message", "source", "reason"], line);
    assert.equal(status === 405, answer.headers.has("allow"), line);
  }
  assert.deepEqual(fixture.door.inputs, []);
});

test("a path with bytes beyond ASCII is refused, whoever finds them first", async () => {
  const { port } = await start();
  const answer = parseAnswer(
    await exchange(port, "GET /Greeter/r\u00ffw HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"),
  );
  assert.equal(answer.status, 400);
  assert.ok(["bad-path", "malformed-request"].includes(reasonOf(answer)));
});

test("HEAD is refused on a call and allowed on health, both without a body", async () => {
  const fixture = await start();
  const call = await exchange(
    fixture.port,
    "HEAD /Greeter/raw HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
  );
  assert.ok(call.startsWith("HTTP/1.1 405 ") && call.endsWith("\r\n\r\n"), call);
  const health = await fetch(`${fixture.url}/restate/health`, { method: "HEAD" });
  assert.equal(health.status, 200);
});

test("an absolute request target and an upgrade to HTTP/2 are understood as HTTP/1.1", async () => {
  const fixture = await start();
  finishing(fixture, () => value("ok"));
  for (const head of [
    "GET http://proxy.example/Greeter/raw HTTP/1.1\r\nhost: x\r\nconnection: close",
    "GET /Greeter/raw HTTP/1.1\r\nhost: x\r\nconnection: close, upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AA",
  ]) {
    const answer = parseAnswer(await exchange(fixture.port, `${head}\r\n\r\n`));
    assert.deepEqual([answer.status, answer.body], [200, "ok"]);
  }
  assert.deepEqual(
    fixture.door.of("invoke")[1]?.headers.map(({ key }) => key),
    ["x-restate-ingress-path"],
  );
});

test("a deployment that speaks a retired protocol is called no more", async () => {
  const fixture = await start();
  const services = [service("Old", [{ name: "run" }])];
  const deployment = testDeployment(services, {
    id: "dp_old",
    minProtocolVersion: 3,
    maxProtocolVersion: 4,
  });
  fixture.door.submit({ type: "register-deployment", deployment, replyTo: null });
  const response = await fetch(`${fixture.url}/Old/run`);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /retired-protocol/);
});

test("a body above the limit is refused, with a length and without, and nothing is held of it", async () => {
  const fixture = await start({ requestBytesMax: 10, heldBytesMax: 10 });
  finishing(fixture, () => value("ok"));
  const head = "POST /Greeter/greet HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
  for (const rest of [
    "content-length: 11\r\n\r\n12345678901",
    "transfer-encoding: chunked\r\n\r\nb\r\n12345678901\r\n0\r\n\r\n",
  ]) {
    const client = await RawClient.open(fixture.port);
    client.send(head + rest);
    await client.until("body-too-large");
    assert.equal(parseAnswer(client.received).status, 413);
    client.socket.destroy();
  }
  // The whole budget is there again, for refused requests and for those that were handed on.
  for (let each = 0; each < 3; each += 1) {
    assert.equal((await post(`${fixture.url}/Greeter/greet`, "1234567890")).status, 200);
    const mismatch = await post(`${fixture.url}/Greeter/greet`, "1234567890", {
      "content-type": "a/b",
    });
    assert.equal(mismatch.status, 400);
  }
});

test("bodies wait for the journal within their bound", async () => {
  const fixture = await start({ requestBytesMax: 10, heldBytesMax: 15 });
  const answers: ((reply: Reply) => void)[] = [];
  fixture.door.ask = (input, answer) => {
    input(1);
    answers.push(answer);
  };
  const first = post(`${fixture.url}/Greeter/greet/send`, "1234567890");
  await eventually(() => answers.length === 1, "the first is held");
  const second = await post(`${fixture.url}/Greeter/greet/send`, "1234567890");
  assert.equal(second.status, 503);
  assert.equal(reasonOf({ body: await second.text() }), "overloaded");
  answers[0]?.(accepted());
  assert.equal((await first).status, 202);
  const third = post(`${fixture.url}/Greeter/greet/send`, "1234567890");
  await eventually(() => answers.length === 2, "the third is held");
  answers[1]?.(accepted());
  assert.equal((await third).status, 202);
});

test("more open requests than allowed are refused; health is not", async () => {
  const fixture = await start({ requestsMax: 2 });
  let seq = 0;
  fixture.door.reply = () => accepted({ seq: (seq += 1) });
  const abort = new AbortController();
  const waiting = [1, 2].map(() =>
    fetch(`${fixture.url}/Greeter/raw`, { signal: abort.signal }).catch(() => null),
  );
  await eventually(() => fixture.waiters.size === 2, "two calls wait");
  const refused = await fetch(`${fixture.url}/Greeter/raw`);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get("retry-after"), "1");
  assert.equal(reasonOf({ body: await refused.text() }), "too-many-requests");
  assert.equal((await fetch(`${fixture.url}/restate/health`)).status, 200);
  abort.abort();
  await Promise.all(waiting);
  await eventually(() => fixture.waiters.size === 0, "both left");
  assert.equal((await fetch(`${fixture.url}/Greeter/raw/send`)).status, 202);
});

// ---- results -----------------------------------------------------------------------------------

const running: Invocation = {
  seq: 1,
  id: ID,
  target: { service: "Greeter", handler: "text", key: null },
  kind: "plain",
  idempotencyKey: null,
  caller: null,
  restartedFrom: null,
  trace: null,
  createdAtMs: NOW_MS,
  startAtMs: null,
  completionRetentionMs: 1000,
  journalRetentionMs: 1000,
  modifiedAtMs: NOW_MS,
  queuedAtMs: null,
  runningAtMs: NOW_MS,
  lastStartAtMs: NOW_MS,
  epoch: 0,
  state: { status: "running", isPausing: false },
  pin: null,
  retryCount: 0,
  retryCountSinceLastStoredEntry: 0,
  lastFailure: null,
  isJournalPurged: false,
  journal: emptySummary(),
};

test("attaching waits for the result and answers as the call would", async () => {
  const fixture = await start();
  fixture.door.invocations = [running];
  replying(fixture, accepted({ isNew: false }));
  for (const path of [`/restate/attach/${ID_TEXT}`, `/restate/invocation/${ID_TEXT}/attach`]) {
    const waiting = fetch(fixture.url + path);
    await eventually(() => fixture.waiters.size === 1, "the caller waits");
    fixture.waiters.finished({ type: "finished", seq: 1, outcome: value("done") });
    const response = await waiting;
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "done");
    assert.equal(response.headers.get("content-type"), "text/plain");
    assert.equal(response.headers.get("x-restate-id"), ID_TEXT);
    assert.equal(response.headers.get("idempotency-expires"), null);
  }
  assert.deepEqual(
    fixture.door.of("attach").map(({ id, wait }) => [id, wait]),
    [
      [ID, true],
      [ID, true],
    ],
  );
});

test("a stored result is told by attach and output alike", async () => {
  const fixture = await start();
  replying(fixture, completed(value("")));
  for (const mode of ["attach", "output"]) {
    const response = await fetch(`${fixture.url}/restate/invocation/${ID_TEXT}/${mode}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("idempotency-expires"), "2026-11-24T08:04:56.140+00:00");
  }
  replying(fixture, completed(failure(409, "Cancelled")));
  const failed = await fetch(`${fixture.url}/restate/output/${ID_TEXT}`);
  assert.equal(failed.status, 409);
  assert.equal(failed.headers.get("x-restate-error-source"), "invocation");
});

test("an unknown invocation is 404: the invocation's answer on attach, the ingress's on output", async () => {
  const fixture = await start();
  replying(fixture, { kind: "not-found" });
  const attach = await fetch(`${fixture.url}/restate/attach/${ID_TEXT}`);
  assert.equal(attach.status, 404);
  assert.equal(attach.headers.get("x-restate-error-source"), "invocation");
  assert.equal(attach.headers.get("x-restate-id"), ID_TEXT);
  const output = await fetch(`${fixture.url}/restate/output/${ID_TEXT}`);
  assert.equal(output.status, 404);
  assert.equal(output.headers.get("x-restate-error-source"), "ingress");
  assert.equal(output.headers.get("x-restate-id"), null);
});

test("the output of an unfinished invocation is 470 and says what it is doing", async () => {
  const fixture = await start();
  replying(fixture, { kind: "conflict", status: "suspended" });
  const path = `/restate/output/${ID_TEXT}`;
  const text = await exchange(
    fixture.port,
    `GET ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
  );
  assert.ok(text.startsWith("HTTP/1.1 470 \r\n"), text);
  assert.equal(reasonOf(parseAnswer(text)), "not-finished");
  assert.match(text, /suspended/);
  assert.deepEqual(
    fixture.door.of("attach").map(({ wait }) => wait),
    [false],
  );
});

test("an idempotent result is found by path and by body, under the id of the call", async () => {
  const fixture = await start();
  replying(fixture, completed(value("1")));
  const idempotencyKey = "a/b c";
  const names = { service: "Greeter", handler: "raw", idempotencyKey };
  const expected = idempotentInvocationId({ ...names, key: null });
  const tail = `Greeter/raw/${encodeURIComponent(idempotencyKey)}`;
  await fetch(`${fixture.url}/restate/invocation/${tail}/attach`);
  await fetch(`${fixture.url}/restate/invocation/${tail}/output`);
  const body = JSON.stringify({ target: "idempotentInvocation", ...names });
  await post(`${fixture.url}/restate/attach`, body, { "content-type": "text/plain" });
  await post(`${fixture.url}/restate/output`, body);
  const asked = fixture.door.of("attach");
  assert.deepEqual(
    asked.map(({ id }) => id),
    [expected, expected, expected, expected],
  );
  assert.deepEqual(
    asked.map(({ wait }) => wait),
    [true, false, true, false],
  );
  const lookup = await post(`${fixture.url}/restate/lookup`, body);
  assert.deepEqual(await lookup.json(), { invocationId: invocationIdToString(expected) });
});

test("a target in the body is checked", async () => {
  const fixture = await start();
  replying(fixture, completed(value("1")));
  const byId = { target: "invocation", invocationId: ID_TEXT };
  const byKey = {
    target: "idempotentInvocation",
    service: "Greeter",
    handler: "raw",
    idempotencyKey: "k",
  };
  const byWorkflow = { target: "workflow", workflowName: "Signup", workflowKey: "k" };
  const rows: readonly (readonly [unknown, number, string])[] = [
    ["{", 400, "invalid-json"],
    ["", 400, "invalid-json"],
    [Buffer.from([0x22, 0xff, 0x22]), 400, "invalid-json"],
    ["[]", 400, "invalid-target"],
    ["null", 400, "invalid-target"],
    ["{}", 400, "invalid-target"],
    [{ target: "constructor" }, 400, "invalid-target"],
    [{ target: "invocation" }, 400, "invalid-target"],
    [{ ...byId, invocationId: "inv_1x" }, 400, "invalid-invocation-id"],
    [{ ...byId, scope: "s" }, 400, "scopes-unsupported"],
    [{ ...byKey, handler: 1 }, 400, "invalid-target"],
    [{ ...byKey, idempotencyKey: null }, 400, "invalid-target"],
    [{ ...byKey, key: 1 }, 400, "invalid-target"],
    [{ ...byKey, key: "k" }, 400, "bad-path"],
    [{ ...byKey, service: "Nobody" }, 404, "unknown-service"],
    [{ ...byKey, handler: "nope" }, 404, "unknown-handler"],
    [{ ...byWorkflow, workflowName: "Greeter" }, 400, "no-workflow"],
    [{ ...byKey, service: "Signup", handler: "run", key: "k" }, 400, "idempotency-key-on-run"],
    [{ ...byWorkflow, workflowKey: 1 }, 400, "invalid-target"],
  ];
  for (const [target, status, reason] of rows) {
    const body =
      typeof target === "string" || Buffer.isBuffer(target) ? target : JSON.stringify(target);
    for (const mode of ["attach", "output", "lookup"]) {
      const response = await fetch(`${fixture.url}/restate/${mode}`, { method: "POST", body });
      const text = await response.text();
      assert.equal(response.status, status, text);
      assert.equal(reasonOf({ body: text }), reason);
    }
  }
  const long = await post(`${fixture.url}/restate/attach`, " ".repeat(70_000));
  assert.equal(long.status, 413);
  const optional = { ...byKey, key: null, scope: null };
  assert.equal((await post(`${fixture.url}/restate/attach`, JSON.stringify(optional))).status, 200);
  const lookup = await post(`${fixture.url}/restate/lookup`, JSON.stringify(byId));
  assert.deepEqual(await lookup.json(), { invocationId: ID_TEXT });
});

// ---- awakeables, health, CORS ------------------------------------------------------------------

test("awakeables are resolved with bytes and rejected with a reason, under both paths", async () => {
  const fixture = await start();
  replying(fixture, { kind: "done" });
  const id = awakeableIdToString(ID, 17);
  const requests = [
    [`/restate/a/${id}/resolve`, '{"ok":1}'],
    [`/restate/awakeables/${id}/resolve`, ""],
    [`/restate/a/${id}%3D%3D/reject`, "no stock"],
    [`/restate/awakeables/${id}/reject`, ""],
  ] as const;
  for (const [path, body] of requests) {
    const response = await post(fixture.url + path, body, { "content-type": "x/y" });
    assert.equal(response.status, 202, path);
    assert.equal(await response.text(), "");
  }
  const signals = fixture.door.of("signal");
  assert.deepEqual(
    signals.map(({ id: of, signal }) => [of, signal]),
    signals.map(() => [ID, { kind: "signal-index", index: 17 }]),
  );
  assert.deepEqual(
    signals.map(({ result }) =>
      result.kind === "value" ? Buffer.from(result.value).toString() : result,
    ),
    ['{"ok":1}', "", failure(500, "no stock"), failure(500, "")],
  );
});

test("health names every service", async () => {
  const fixture = await start();
  const response = await fetch(`${fixture.url}/restate/health`);
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), { services: ["Greeter", "Hidden", "Counter", "Signup"] });
});

test("a service that its deployment no longer offers is not named and not called", async () => {
  const { door, url } = await start();
  door.register(service("Greeter", [{ name: "raw" }]));
  assert.deepEqual(await (await fetch(`${url}/restate/health`)).json(), { services: ["Greeter"] });
  assert.equal((await fetch(`${url}/Hidden/run`)).status, 404);
});

test("an answer that cannot be sent is cut off and reported, and harms no other", async () => {
  const errors: unknown[] = [];
  const fixture = await start({ onError: (error) => errors.push(error) });
  fixture.door.register(
    service("Odd", [{ name: "run", output: { contentType: "bad\nvalue" } }, { name: "fine" }]),
  );
  finishing(fixture, () => value("1"));
  await assert.rejects(fetch(`${fixture.url}/Odd/run`));
  assert.equal(errors.length, 1);
  const target = { service: "Odd", handler: "run" };
  const outcome = value("1");
  const expiresAtMs = EXPIRES_MS;
  replying(fixture, { kind: "completed", id: ID, target, startAtMs: null, outcome, expiresAtMs });
  await assert.rejects(fetch(`${fixture.url}/restate/attach/${ID_TEXT}`));
  assert.equal(errors.length, 2);
  finishing(fixture, () => value("1"));
  assert.equal((await fetch(`${fixture.url}/Odd/fine`)).status, 200);
});

test("what fails once the body is there costs its own request", async () => {
  const errors: unknown[] = [];
  const fixture = await start({ onError: (error) => errors.push(error) });
  const { door, url } = fixture;
  door.reply = () => {
    throw new Error("defect");
  };
  await assert.rejects(post(`${url}/Greeter/greet`, "1"));
  assert.equal(errors.length, 1);
  finishing(fixture, () => value("1"));
  assert.equal((await post(`${url}/Greeter/greet`, "1")).status, 200);
});

test("callers that asked for several results on one connection and left wait for none", async () => {
  for (const replyFirst of [true, false]) {
    const fixture = await start();
    const late: (() => void)[] = [];
    const { door } = fixture;
    replying(fixture, accepted());
    if (!replyFirst) {
      door.ask = (input, answer) => {
        door.submit(input(0));
        late.push(() => answer(accepted()));
      };
    }
    const client = await RawClient.open(fixture.port);
    const attach = `GET /restate/invocation/${ID_TEXT}/attach HTTP/1.1\r\nhost: x\r\n\r\n`;
    client.send(attach.repeat(3));
    await eventually(() => door.inputs.length === 3, "all are asked for");
    await eventually(() => late.length + fixture.waiters.size === 3, "all wait");
    client.socket.destroy();
    // Some time later than the connection is gone at the server.
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const answer of late) answer();
    assert.equal(fixture.waiters.size, 0);
  }
});

test("a page of any origin may call and read the answer, errors too", async () => {
  const fixture = await start();
  finishing(fixture, () => value("1"));
  const origin = "https://app.example";
  const preflight = await fetch(`${fixture.url}/Greeter/greet`, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type,idempotency-key",
    },
  });
  assert.equal(preflight.status, 200);
  assert.equal(preflight.headers.get("access-control-allow-methods"), "POST");
  assert.equal(
    preflight.headers.get("access-control-allow-headers"),
    "content-type,idempotency-key",
  );
  for (const path of ["/Greeter/raw", "/Nobody/raw", "/restate/health"]) {
    const response = await fetch(fixture.url + path, { headers: { origin } });
    assert.equal(response.headers.get("access-control-allow-origin"), origin, path);
    assert.equal(response.headers.get("access-control-allow-credentials"), "true");
    assert.match(response.headers.get("access-control-expose-headers") ?? "", /x-restate-id/);
  }
  const plain = await fetch(`${fixture.url}/Greeter/raw`);
  assert.equal(plain.headers.get("access-control-allow-origin"), null);
  assert.equal((await fetch(`${fixture.url}/any`, { method: "OPTIONS" })).status, 200);
});

test("many calls on few connections are each answered with their own result", async () => {
  const fixture = await start();
  finishing(fixture, (input) =>
    input.type === "invoke" ? { kind: "value", value: input.parameter } : failure(500),
  );
  const answers = await Promise.all(
    Array.from({ length: 200 }, async (_, each) => {
      const response = await post(`${fixture.url}/Greeter/greet`, `${each}`);
      return await response.text();
    }),
  );
  assert.deepEqual(
    answers,
    Array.from({ length: 200 }, (_, each) => `${each}`),
  );
  assert.equal(fixture.waiters.size, 0);
});
