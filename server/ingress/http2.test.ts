import assert from "node:assert/strict";
import { type ClientHttp2Session, connect, type OutgoingHttpHeaders } from "node:http2";
import { after, test } from "node:test";
import { eventually } from "../http/raw-client.suite.ts";
import { service } from "./fake-door.suite.ts";
import { accepted, failure, finishing, replying, start, value } from "./ingress.suite.ts";

const sessions: ClientHttp2Session[] = [];
after(() => {
  for (const session of sessions) session.destroy();
});

function client(url: string): ClientHttp2Session {
  const session = connect(url);
  sessions.push(session);
  return session;
}

interface Answer {
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string,
): Promise<Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  let fields: Record<string, unknown> = {};
  stream.once("response", (received) => {
    fields = received;
  });
  if (body !== undefined) stream.end(body);
  let text = "";
  for await (const chunk of stream.setEncoding("utf8")) text += chunk;
  return { headers: fields, body: text };
}

test("calls, sends and refusals over HTTP/2 are answered as over HTTP/1.1", async () => {
  const fixture = await start();
  const session = client(fixture.url);
  finishing(fixture, (input) =>
    input.type === "invoke" ? { kind: "value", value: input.parameter } : failure(500),
  );
  const json = { ":method": "POST", "content-type": "application/json" };
  const call = await ask(session, { ":path": "/Greeter/greet", ...json }, '{"name":"Ada"}');
  assert.equal(call.headers[":status"], 200);
  assert.equal(call.body, '{"name":"Ada"}');
  assert.match(String(call.headers["x-restate-id"]), /^inv_1/);
  assert.equal(call.headers["content-type"], "application/json");
  const empty = await ask(session, { ":path": "/Greeter/raw" });
  assert.deepEqual([empty.headers[":status"], empty.body], [200, ""]);
  replying(fixture, accepted());
  const sent = await ask(session, { ":path": "/Counter/k/add/send?delay=1s" });
  assert.equal(sent.headers[":status"], 202);
  replying(fixture, { kind: "conflict", status: "running" });
  const unfinished = await ask(session, { ":path": "/restate/workflow/Signup/k/output" });
  assert.equal(unfinished.headers[":status"], 470);
  const unknown = await ask(session, { ":path": "/Nobody/raw" });
  assert.equal(unknown.headers[":status"], 404);
  assert.equal(unknown.headers["x-restate-error-source"], "ingress");
});

test("what HTTP/2 adds to a request does not reach the handler", async () => {
  const fixture = await start();
  replying(fixture, accepted());
  const fields = {
    ":path": "/Greeter/raw/send?a=b",
    "x-two": ["1", "2"],
    te: "trailers",
    "idempotency-key": "k",
    cookie: ["a=1", "b=2"],
  };
  await ask(client(fixture.url), fields);
  const [input] = fixture.door.of("invoke");
  assert.equal(input?.idempotencyKey, "k");
  assert.deepEqual(input.headers, [
    { key: "x-two", value: "1" },
    { key: "x-two", value: "2" },
    { key: "cookie", value: "a=1; b=2" },
    { key: "x-restate-ingress-path", value: "/Greeter/raw/send?a=b" },
  ]);
});

test("a value beyond ASCII and a repeated key are refused over HTTP/2 too", async () => {
  const fixture = await start();
  const session = client(fixture.url);
  const foreign = await ask(session, { ":path": "/Greeter/raw", "x-name": "caf\u00e9" });
  assert.match(foreign.body, /invalid-header/);
  const keys = { "idempotency-key": ["a", "b"] };
  const repeated = await ask(session, { ":path": "/Greeter/raw", ...keys });
  assert.match(repeated.body, /repeated-idempotency-key/);
});

test("many calls wait on one connection, and one that is given up stops waiting alone", async () => {
  const fixture = await start();
  const session = client(fixture.url);
  let seq = 0;
  fixture.door.reply = () => accepted({ seq: (seq += 1) });
  const answers = Array.from({ length: 50 }, () => ask(session, { ":path": "/Greeter/raw" }));
  const givenUp = session.request({ ":path": "/Greeter/raw" });
  givenUp.on("error", () => {});
  await eventually(() => fixture.waiters.size === 51, "all of them wait");
  givenUp.close(8);
  await eventually(() => fixture.waiters.size === 50, "one of them left");
  for (let each = 1; each <= 50; each += 1) {
    fixture.waiters.finished({ type: "finished", seq: each, outcome: value(`${each}`) });
  }
  const bodies = (await Promise.all(answers)).map(({ body }) => Number(body));
  assert.deepEqual(
    bodies,
    Array.from({ length: 50 }, (_, each) => each + 1),
  );
});

test("an answer that cannot be sent is cut off and reported, and harms no other", async () => {
  const errors: unknown[] = [];
  const fixture = await start({ onError: (error) => errors.push(error) });
  const session = client(fixture.url);
  fixture.door.register(service("Odd", [{ name: "run", output: { contentType: "a\nb" } }]));
  finishing(fixture, () => value("1"));
  await assert.rejects(ask(session, { ":path": "/Odd/run" }));
  assert.equal(errors.length, 1);
  const health = await ask(session, { ":path": "/restate/health" });
  assert.equal(health.body, '{"services":["Odd"]}');
});
