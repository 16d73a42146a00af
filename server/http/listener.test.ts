import assert from "node:assert/strict";
import type { IncomingMessage, ServerResponse } from "node:http";
import { after, test } from "node:test";
import { sendBytes } from "./answer.ts";
import { Listener, type ListenerLimits } from "./listener.ts";
import { eventually, exchange, parseAnswer, RawClient, reasonOf } from "./raw-client.suite.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const open: Listener[] = [];
after(() => Promise.all(open.map((listener) => listener.drain(0))));

interface Fixture {
  readonly listener: Listener;
  readonly port: number;
  readonly errors: unknown[];
}

async function listen(handle: Handle, limits: Partial<ListenerLimits> = {}): Promise<Fixture> {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const address = { host: "127.0.0.1", port: 0 };
  const listener = await Listener.listen({
    ...address,
    source: "ingress",
    handle,
    // As on the ingress: the first bytes of each connection are looked at.
    http2: () => assert.fail("this is not HTTP/2"),
    onError,
    limits,
  });
  open.push(listener);
  return { listener, port: listener.port, errors };
}

const hello: Handle = (_request, response) => sendBytes(response, 200, "hello", {});
const GET = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
const KEEP = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

test("a request is answered, at the address that the listener names", async () => {
  const { listener } = await listen(hello);
  const response = await fetch(listener.url);
  assert.equal(await response.text(), "hello");
  assert.equal(response.headers.get("content-length"), "5");
});

test("an address that cannot be had is an error at start", async () => {
  const { port } = await listen(hello);
  const options = {
    host: "127.0.0.1",
    port,
    source: "ingress",
    handle: hello,
    onError() {},
  } as const;
  await assert.rejects(Listener.listen(options), { code: "EADDRINUSE" });
});

test("what is no request is answered with the error document, and the connection is closed", async () => {
  const { port } = await listen(hello);
  const malformed = [
    "nonsense\r\n\r\n",
    "PRI * HTTP/1.1\r\nhost: x\r\n\r\n",
    "PRIX / HTTP/1.1\r\nhost: x\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "GET / HTTP/1.1\r\nhost x\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    "GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
  ];
  for (const bytes of malformed) {
    const answer = parseAnswer(await exchange(port, bytes));
    assert.equal(answer.status, 400, JSON.stringify(bytes));
    assert.equal(reasonOf(answer), "malformed-request", JSON.stringify(bytes));
    assert.equal(answer.headers.get("x-restate-error-source"), "ingress");
  }
  assert.equal(parseAnswer(await exchange(port, GET)).body, "hello");
});

test("headers beyond the limit are refused", async () => {
  const { port } = await listen(hello);
  const bombs = [
    `x-bomb: ${"a".repeat(100_000)}`,
    Array.from({ length: 20_000 }, (_, at) => `x-${at}: 1`).join("\r\n"),
  ];
  for (const bomb of bombs) {
    const text = await exchange(port, `GET / HTTP/1.1\r\nhost: x\r\n${bomb}\r\n\r\n`);
    assert.equal(parseAnswer(text).status, 431);
    assert.equal(reasonOf(parseAnswer(text)), "head-too-large");
  }
});

test("a request target beyond the limit is refused", async () => {
  const { port } = await listen(hello);
  const target = `/${"a".repeat(9000)}`;
  const answer = parseAnswer(await exchange(port, GET.replace("/", target)));
  assert.equal(answer.status, 414);
  assert.equal(reasonOf(answer), "url-too-long");
});

test("a client that is slow with its headers or its body is told so and cut", async () => {
  const { port } = await listen(
    (request, response) => request.on("end", () => hello(request, response)).resume(),
    {
      headersTimeoutMs: 200,
      requestTimeoutMs: 400,
    },
  );
  const requests = [
    "GET / HTTP/1.1\r\nhost: x\r\nx-slow",
    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345",
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ];
  for (const bytes of requests) {
    const answer = parseAnswer(await exchange(port, bytes));
    assert.equal(answer.status, 408, bytes);
    assert.equal(reasonOf(answer), "request-timeout", bytes);
    assert.equal(answer.headers.get("connection"), "close");
  }
});

test("a body that breaks off in nonsense is answered once", async () => {
  const { port } = await listen((request, response) =>
    request.on("end", () => hello(request, response)).resume(),
  );
  const text = await exchange(
    port,
    "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
  );
  assert.equal(parseAnswer(text).status, 400);
  assert.equal(text.match(/HTTP\/1\.1 \d/g)?.length, 1);
});

test("nonsense behind a request is never answered in its place", async () => {
  const { port } = await listen((request, response) => {
    setTimeout(() => hello(request, response), 100);
  });
  const text = await exchange(port, `${KEEP}nonsense\r\n\r\n`);
  assert.ok(!text.includes("malformed-request"), text);
});

test("an answer that takes longer than any limit for requests arrives", async () => {
  const { port } = await listen(
    (request, response) => void setTimeout(() => hello(request, response), 700),
    { headersTimeoutMs: 100, requestTimeoutMs: 100, keepAliveTimeoutMs: 100 },
  );
  assert.equal(parseAnswer(await exchange(port, GET)).body, "hello");
});

test("a handler that throws is reported and answered, and the listener goes on", async () => {
  const { port, errors } = await listen((request, response) => {
    if (request.url === "/fail") throw new Error("defect");
    if (request.url === "/late") {
      response.writeHead(200, { "content-length": "5" });
      response.write("he");
      throw new Error("late");
    }
    hello(request, response);
  });
  const failed = parseAnswer(await exchange(port, GET.replace("/", "/fail")));
  assert.equal(failed.status, 500);
  assert.equal(reasonOf(failed), "internal");
  assert.ok(!failed.body.includes("defect"));
  await exchange(port, GET.replace("/", "/late"));
  assert.deepEqual(errors.map(String), ["Error: defect", "Error: late"]);
  assert.equal(parseAnswer(await exchange(port, GET)).body, "hello");
});

test("answering a client that left is no event", async () => {
  let answered = (): void => {};
  const done = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const { port, errors } = await listen((_request, response) => {
    response.once("close", () => {
      sendBytes(response, 200, "too late", {});
      response.write("and again");
      response.end();
      answered();
    });
  });
  const client = await RawClient.open(port);
  client.send(KEEP);
  await new Promise((resolve) => setTimeout(resolve, 50));
  client.socket.destroy();
  await done;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(errors, []);
});

test("a client that takes none of a large answer is cut, one that is slow is not", async () => {
  const large = Buffer.alloc(30_000_000, "x");
  const { port } = await listen((_request, response) => sendBytes(response, 200, large, {}, 300));
  const stalled = await RawClient.open(port);
  stalled.socket.pause();
  stalled.send(KEEP);
  const slow = await RawClient.open(port);
  slow.send(GET);
  let bytes = 0;
  slow.socket.on("data", (text: string) => {
    bytes += text.length;
    slow.socket.pause();
    setTimeout(() => slow.socket.resume(), 1);
  });
  await slow.closed;
  assert.ok(bytes > large.length, `${bytes}`);
  await new Promise((resolve) => setTimeout(resolve, 700));
  stalled.socket.resume();
  await stalled.closed;
  assert.ok(stalled.received.length < large.length, `${stalled.received.length}`);
});

test("a client that stalls at the second of two answers on its connection is cut as well", async () => {
  const large = Buffer.alloc(30_000_000, "x");
  const { port } = await listen((_request, response) => sendBytes(response, 200, large, {}, 300));
  const client = await RawClient.open(port);
  let bytes = 0;
  client.socket.on("data", (text: string) => {
    bytes += text.length;
    if (bytes > large.length) client.socket.pause();
  });
  client.send(KEEP + KEEP);
  await eventually(() => bytes > large.length, "the first has come");
  await new Promise((resolve) => setTimeout(resolve, 700));
  client.socket.removeAllListeners("data");
  client.socket.on("data", (text: string) => {
    bytes += text.length;
  });
  client.socket.resume();
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(client.socket.closed && bytes < 2 * large.length, `${bytes}`);
});

test("connections beyond the limit are dropped", async () => {
  const { port } = await listen(hello, { connectionsMax: 2 });
  const kept = await Promise.all([RawClient.open(port), RawClient.open(port)]);
  kept.forEach((client) => client.send(KEEP));
  await Promise.all(kept.map((client) => client.until("hello")));
  assert.equal(await exchange(port, GET), "");
  kept.forEach((client) => client.socket.destroy());
});

test("draining lets open requests end, closes their connections and accepts no more", async () => {
  const finish: (() => void)[] = [];
  const { listener, port } = await listen((request, response) => {
    finish.push(() => hello(request, response));
  });
  const [busy, idle] = [await RawClient.open(port), await RawClient.open(port)];
  busy.send(KEEP);
  await eventually(() => finish.length === 1, "the request is open");
  const drained = listener.drain(10_000);
  await idle.closed;
  await assert.rejects(RawClient.open(port));
  finish[0]?.();
  await busy.closed;
  const answer = parseAnswer(busy.received);
  assert.equal(answer.body, "hello");
  assert.equal(answer.headers.get("connection"), "close");
  await drained;
});

test("draining cuts what is still open at its deadline", async () => {
  const { listener, port } = await listen(() => {});
  const client = await RawClient.open(port);
  client.send(KEEP);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await listener.drain(50);
  await client.closed;
  assert.equal(client.received, "");
});
