import assert from "node:assert/strict";
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import { after, test } from "node:test";
import { sendBytes } from "./answer.ts";
import { ByteBudget, readBody } from "./body.ts";
import type { HttpRequest, HttpResponse } from "./exchange.ts";
import { Listener, type ListenerLimits } from "./listener.ts";
import { sendProblem } from "./problem.ts";
import { eventually, exchange, parseAnswer, RawClient } from "./raw-client.suite.ts";

type Handle = (request: HttpRequest, response: HttpResponse) => void;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const EMPTY_SETTINGS = frame(4, 0, 0, "");

const open: Listener[] = [];
const sessions: ClientHttp2Session[] = [];
after(async () => {
  for (const session of sessions) session.destroy();
  await Promise.all(open.map((listener) => listener.drain(0)));
});

interface Fixture {
  readonly listener: Listener;
  readonly port: number;
  readonly errors: unknown[];
}

async function listen(handle: Handle, limits: Partial<ListenerLimits> = {}): Promise<Fixture> {
  const errors: unknown[] = [];
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "ingress",
    handle,
    http2: handle,
    onError: (error) => void errors.push(error),
    limits,
  });
  open.push(listener);
  return { listener, port: listener.port, errors };
}

async function connected(port: number): Promise<ClientHttp2Session> {
  const client = connect(`http://127.0.0.1:${port}`);
  client.on("error", () => {});
  sessions.push(client);
  await new Promise((resolve) => client.once("remoteSettings", resolve));
  return client;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
  /** Of the stream: 0 where all went well. */
  readonly code: number;
}

/** Resolves when the stream is closed. */
function answerOf(stream: ClientHttp2Stream): Promise<Answer> {
  return new Promise((resolve) => {
    let headers: Record<string, unknown> = {};
    let body = "";
    stream.setEncoding("latin1");
    stream.on("error", () => {});
    stream.on("response", (fields) => {
      headers = fields;
    });
    stream.on("data", (text: string) => {
      body += text;
    });
    stream.on("close", () => {
      resolve({ status: Number(headers[":status"]), headers, body, code: stream.rstCode ?? 0 });
    });
  });
}

function request(
  client: ClientHttp2Session,
  headers: OutgoingHttpHeaders,
  body?: string | Buffer,
): Promise<Answer> {
  const stream = client.request(headers, { endStream: body === undefined });
  const answer = answerOf(stream);
  if (body !== undefined) stream.end(body);
  return answer;
}

/** A frame of RFC 9113, 4.1. */
function frame(type: number, flags: number, streamId: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return head.toString("latin1") + payload;
}

/** GET or POST, http, / and the authority x, in HPACK. */
const GET_ROOT = "\x82\x86\x84\x01\x01x";
const POST_ROOT = "\x83\x86\x84\x01\x01x";

/** A connection that the protocol has ended is closed by whoever looks after idle ones. */
const IMPATIENT = { headersTimeoutMs: 200, keepAliveTimeoutMs: 200 };

const hello: Handle = (_request, response) => sendBytes(response, 200, "hello", {});

/** Sends back the body. */
function echo(bytesMax = 1_000_000, budget = new ByteBudget(1_000_000)): Handle {
  return (incoming, response) =>
    readBody(
      incoming,
      response,
      { bytesMax, budget },
      (body) => {
        budget.give(body.length);
        sendBytes(response, 200, body, { "x-bytes": `${body.length}` });
      },
      (problem) => sendProblem(response, problem, "ingress"),
    );
}

test("one port answers HTTP/1.1 and HTTP/2, however the first bytes are cut", async () => {
  const { port } = await listen(hello);
  const client = await connected(port);
  assert.equal((await request(client, { ":path": "/" })).body, "hello");
  for (const method of ["GET", "POST", "PUT", "PATCH", "PROPFIND"]) {
    const head = `${method} / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`;
    for (const cut of [1, 2, 3, 4]) {
      const raw = await RawClient.open(port);
      raw.send(head.slice(0, cut));
      await new Promise((resolve) => setTimeout(resolve, 5));
      raw.send(head.slice(cut));
      await raw.closed;
      assert.equal(parseAnswer(raw.received).body, "hello", `${method} cut at ${cut}`);
    }
  }
  for (let cut = 1; cut < PREFACE.length; cut += 5) {
    const raw = await RawClient.open(port);
    raw.send(PREFACE.slice(0, cut));
    await new Promise((resolve) => setTimeout(resolve, 5));
    raw.send(PREFACE.slice(cut) + EMPTY_SETTINGS + frame(1, 5, 1, GET_ROOT));
    await raw.until("hello");
    raw.socket.destroy();
  }
});

test("a request over HTTP/2 has method, target and headers as over HTTP/1.1, pseudo-headers aside", async () => {
  const seen: HttpRequest[] = [];
  const { port } = await listen((incoming, response) => {
    seen.push(incoming);
    hello(incoming, response);
  });
  const client = await connected(port);
  const answer = await request(client, {
    ":method": "DELETE",
    ":path": "/a/b?c=d",
    "x-two": ["1", "2"],
    "content-type": "text/plain",
    cookie: ["a=1", "b=2"],
    "x-last": "z",
  });
  assert.equal(answer.headers["content-length"], "5");
  assert.equal(answer.headers["connection"], undefined);
  const [incoming] = seen;
  assert.equal(incoming?.method, "DELETE");
  assert.equal(incoming.url, "/a/b?c=d");
  assert.equal(incoming.headers["content-type"], "text/plain");
  assert.deepEqual(incoming.rawHeaders, [
    "x-two",
    "1",
    "x-two",
    "2",
    "content-type",
    "text/plain",
    "cookie",
    "a=1; b=2",
    "x-last",
    "z",
  ]);
});

test("bodies arrive whole, with and without a length, empty ones and large ones", async () => {
  const { port } = await listen(echo());
  const client = await connected(port);
  const large = "0123456789".repeat(50_000);
  for (const body of ["hello", "", large]) {
    const answer = await request(client, { ":method": "POST", ":path": "/" }, body);
    assert.equal(answer.body, body);
    const length = { "content-length": `${body.length}` };
    assert.equal((await request(client, { ":method": "POST", ...length }, body)).body, body);
  }
  assert.equal((await request(client, { ":method": "GET" })).body, "");
});

test("HEAD is answered with the headers alone", async () => {
  const { port } = await listen(hello);
  const client = await connected(port);
  const answer = await request(client, { ":method": "HEAD" });
  assert.deepEqual([answer.status, answer.headers["content-length"], answer.body], [200, "5", ""]);
});

test("a body that is too large is refused, and what it held is given back", async () => {
  const budget = new ByteBudget(100_000);
  const { port } = await listen(echo(50_000, budget));
  const client = await connected(port);
  const large = Buffer.alloc(200_000, "x");
  const streamed = await request(client, { ":method": "POST" }, large);
  assert.equal(streamed.status, 413);
  const declared = { ":method": "POST", "content-length": `${large.length}` };
  assert.equal((await request(client, declared, large)).status, 413);
  assert.equal(budget.bytes, 0);
  assert.equal((await request(client, { ":method": "POST" }, "fits")).body, "fits");
});

test("a client that asks before it sends its body is told to go on", async () => {
  const { port } = await listen(echo());
  const client = await connected(port);
  const stream = client.request(
    { ":method": "POST", expect: "100-continue" },
    { endStream: false },
  );
  const answer = answerOf(stream);
  await new Promise((resolve) => stream.once("continue", resolve));
  stream.end("asked");
  assert.equal((await answer).body, "asked");
});

for (const code of [constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_CANCEL]) {
  test(`a body broken off with code ${code} is no body, and gives its share back`, async () => {
    const budget = new ByteBudget(1_000_000);
    const bodies: number[] = [];
    let gone = 0;
    const { port } = await listen((incoming, response) => {
      response.on("close", () => {
        gone += 1;
      });
      readBody(
        incoming,
        response,
        { bytesMax: 1_000_000, budget },
        (body) => bodies.push(body.length),
        () => assert.fail("no problem"),
      );
    });
    const client = await RawClient.open(port);
    const half = frame(1, 4, 1, POST_ROOT) + frame(0, 0, 1, "half of it");
    client.send(PREFACE + EMPTY_SETTINGS + half);
    await eventually(() => budget.bytes > 0, "some of the body is there");
    client.send(frame(3, 0, 1, `\x00\x00\x00${String.fromCharCode(code)}`));
    await eventually(() => gone === 1, "the stream is closed");
    assert.deepEqual([bodies, budget.bytes], [[], 0]);
    client.socket.destroy();
  });
}

test("a request whose body does not come is told so; others on its connection go on", async () => {
  const { port } = await listen(echo(), { headersTimeoutMs: 100, requestTimeoutMs: 200 });
  const client = await connected(port);
  const slow = client.request({ ":method": "POST" }, { endStream: false });
  const answer = answerOf(slow);
  slow.write("never ends");
  assert.equal((await answer).status, 408);
  assert.equal((await request(client, { ":method": "POST" }, "quick")).body, "quick");
});

test("an answer may take longer than any limit for requests", async () => {
  const { port } = await listen(
    (incoming, response) => void setTimeout(() => hello(incoming, response), 600),
    { headersTimeoutMs: 100, requestTimeoutMs: 100, keepAliveTimeoutMs: 100 },
  );
  const client = await connected(port);
  assert.equal((await request(client, { ":path": "/" })).body, "hello");
});

test("connections that say nothing, and those that idle, are closed", async () => {
  const limits = { headersTimeoutMs: 100, requestTimeoutMs: 100, keepAliveTimeoutMs: 300 };
  const { port } = await listen(hello, limits);
  const silent = await RawClient.open(port);
  await silent.closed;
  assert.equal(parseAnswer(silent.received).status, 408);
  const hesitant = await RawClient.open(port);
  hesitant.send("PR");
  await hesitant.closed;
  const prefaceOnly = await RawClient.open(port);
  prefaceOnly.send(PREFACE + EMPTY_SETTINGS);
  await prefaceOnly.closed;
  const idle = await connected(port);
  let closed = false;
  idle.once("close", () => {
    closed = true;
  });
  assert.equal((await request(idle, { ":path": "/" })).body, "hello");
  await eventually(() => closed, "the idle connection is closed");
});

test("a client that leaves before it says what it speaks is no event", async () => {
  const { port, errors } = await listen(hello);
  for (const leave of ["end", "destroy", "resetAndDestroy"] as const) {
    const client = await RawClient.open(port);
    client.send("P");
    await new Promise((resolve) => setTimeout(resolve, 5));
    client.socket[leave]();
    await client.closed;
  }
  const text = await exchange(port, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  assert.equal(parseAnswer(text).body, "hello");
  assert.deepEqual(errors, []);
});

test("what is no HTTP/2 behind its first bytes ends the connection, and nothing else", async () => {
  const { port, errors } = await listen(hello, IMPATIENT);
  const big = "\x00".repeat(16_000);
  const garbage = [
    "PRI nonsense\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
    `${PREFACE}nonsense nonsense nonsense nonsense`,
    PREFACE + frame(1, 5, 1, GET_ROOT),
    PREFACE + EMPTY_SETTINGS + frame(0, 0, 1, "data on no stream"),
    PREFACE + EMPTY_SETTINGS + frame(1, 5, 2, GET_ROOT),
    PREFACE + EMPTY_SETTINGS + frame(1, 5, 1, GET_ROOT) + frame(1, 5, 2, GET_ROOT),
    PREFACE + EMPTY_SETTINGS + frame(6, 0, 0, "12345678").repeat(20_000),
    PREFACE + EMPTY_SETTINGS + frame(1, 5, 1, "\xff\xff\xff\xff\xff\xff"),
    PREFACE + EMPTY_SETTINGS + frame(1, 1, 1, GET_ROOT) + frame(1, 5, 3, GET_ROOT),
    PREFACE + EMPTY_SETTINGS + frame(1, 1, 1, GET_ROOT) + frame(9, 0, 1, big).repeat(64),
  ];
  for (const bytes of garbage) {
    const client = await RawClient.open(port);
    client.send(bytes);
    await client.closed;
    assert.ok(!client.received.includes("hello"), JSON.stringify(bytes.slice(0, 60)));
  }
  const client = await connected(port);
  assert.equal((await request(client, { ":path": "/" })).body, "hello");
  assert.deepEqual(errors, []);
});

test("headers beyond the limit cost their stream, not the connection", async () => {
  let handled = 0;
  const { port } = await listen((incoming, response) => {
    handled += 1;
    hello(incoming, response);
  });
  const client = await connected(port);
  const bombs: OutgoingHttpHeaders[] = [
    { "x-bomb": "a".repeat(50_000) },
    Object.fromEntries(Array.from({ length: 1500 }, (_, at) => [`x-${at}`, "1"])),
  ];
  for (const bomb of bombs) {
    const answer = await request(client, bomb);
    assert.notEqual(answer.status, 200);
  }
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`x-${at}`, "1"]));
  const other = client.closed || client.destroyed ? await connected(port) : client;
  assert.equal((await request(other, many)).body, "hello");
  assert.equal(handled, 1);
});

test("a request target beyond the limit is refused", async () => {
  const { port } = await listen(hello);
  const client = await connected(port);
  assert.equal((await request(client, { ":path": `/${"a".repeat(9000)}` })).status, 414);
});

test("a flood of requests that are reset at once reaches no handler and ends its connection", async () => {
  let handled = 0;
  const { port } = await listen(() => {
    handled += 1;
  }, IMPATIENT);
  const client = await RawClient.open(port);
  client.send(PREFACE + EMPTY_SETTINGS);
  let flood = "";
  for (let id = 1; id < 20_000; id += 2) {
    flood += frame(1, 5, id, GET_ROOT) + frame(3, 0, id, "\x00\x00\x00\x08");
  }
  client.send(flood);
  await client.closed;
  assert.ok(handled < 100, `${handled}`);
});

test("more streams at once than are allowed are refused", async () => {
  const waiting: HttpResponse[] = [];
  const { port } = await listen((_incoming, response) => void waiting.push(response));
  const client = await RawClient.open(port);
  let flood = PREFACE + EMPTY_SETTINGS;
  for (let id = 1; id < 2 * 1200; id += 2) flood += frame(1, 5, id, GET_ROOT);
  client.send(flood);
  await eventually(() => waiting.length >= 1000, "the first are there");
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(waiting.length, 1000);
  client.socket.destroy();
  await eventually(() => waiting.every((response) => response.destroyed), "all of them are closed");
});

test("a connection on which nothing can be heard any more is cut, with all that waits on it", async () => {
  let requests = 0;
  const { listener, port } = await listen(
    (_incoming, response) => {
      requests += 1;
      response.on("close", () => {
        requests -= 1;
      });
    },
    { headersTimeoutMs: 200 },
  );
  const client = await RawClient.open(port);
  const nonsense = frame(1, 5, 3, "\xff\xff\xff\xff\xff\xff");
  client.send(PREFACE + EMPTY_SETTINGS + frame(1, 5, 1, GET_ROOT));
  await eventually(() => requests === 1, "a request is open");
  client.send(nonsense);
  client.socket.end();
  await client.closed;
  await eventually(() => requests === 0, "the request is closed");
  await listener.drain(10_000);
});

test("a client that says goodbye gets its answers, even to what it asks all the same", async () => {
  const { port } = await listen(hello, { keepAliveTimeoutMs: 200, headersTimeoutMs: 200 });
  const client = await RawClient.open(port);
  const goaway = frame(7, 0, 0, "\0".repeat(8));
  client.send(
    PREFACE + EMPTY_SETTINGS + frame(1, 5, 1, GET_ROOT) + goaway + frame(1, 5, 3, GET_ROOT),
  );
  await eventually(() => client.received.split("hello").length === 3, "both are answered");
  await client.closed;
});

test("a large answer that is not read yet does not keep others off its connection", async () => {
  const large = Buffer.alloc(24 * 1024 * 1024);
  const { port } = await listen((incoming, response) => {
    sendBytes(response, 200, incoming.url === "/large" ? large : "small", {});
  });
  const client = await connected(port);
  const slow = client.request({ ":path": "/large" });
  await new Promise((resolve) => slow.once("response", resolve));
  for (let each = 0; each < 3; each += 1) {
    assert.equal((await request(client, { ":path": "/small" })).body, "small");
  }
});

test("a handler that throws is reported and answered", async () => {
  const { port, errors } = await listen((incoming, response) => {
    if (incoming.url === "/fail") throw new Error("defect");
    sendBytes(response, 200, "x", { "x-bad": "a\nb" });
  });
  const client = await connected(port);
  assert.equal((await request(client, { ":path": "/fail" })).status, 500);
  assert.equal((await request(client, { ":path": "/bad-header" })).status, 500);
  assert.equal(errors.length, 2);
});

test("answering a client that left is no event", async () => {
  let answered = 0;
  const { port, errors } = await listen((_incoming, response) => {
    response.once("close", () => {
      sendBytes(response, 200, "too late", {});
      response.end();
      answered += 1;
    });
  });
  const client = await connected(port);
  const stream = client.request({ ":path": "/" });
  stream.on("error", () => {});
  await new Promise((resolve) => setTimeout(resolve, 30));
  stream.close(constants.NGHTTP2_CANCEL);
  await eventually(() => answered === 1, "it is answered");
  client.request({ ":path": "/" }).on("error", () => {});
  await new Promise((resolve) => setTimeout(resolve, 30));
  client.destroy();
  await eventually(() => answered === 2, "it is answered again");
  assert.deepEqual(errors, []);
});

test("a client that takes none of a large answer loses its stream, not its connection", async () => {
  const large = Buffer.alloc(3_000_000, "x");
  const { port } = await listen((incoming, response) => {
    if (incoming.url === "/large") sendBytes(response, 200, large, {}, 200);
    else hello(incoming, response);
  });
  const client = await connected(port);
  const stalled = client.request({ ":path": "/large" });
  stalled.pause();
  stalled.on("error", () => {});
  const closed = new Promise<number>((resolve) => {
    stalled.once("close", () => resolve(stalled.rstCode ?? 0));
  });
  assert.equal(await closed, constants.NGHTTP2_CANCEL);
  assert.equal((await request(client, { ":path": "/" })).body, "hello");
  const whole = await request(client, { ":path": "/large" });
  assert.equal(whole.body.length, large.length);
});

test("draining lets open requests end and takes no more", async () => {
  const finish: (() => void)[] = [];
  const { listener, port } = await listen((incoming, response) => {
    finish.push(() => hello(incoming, response));
  });
  const [busy, idle] = [await connected(port), await connected(port)];
  const answer = request(busy, { ":path": "/" });
  await eventually(() => finish.length === 1, "the request is open");
  const idleClosed = new Promise((resolve) => idle.once("close", resolve));
  const drained = listener.drain(10_000);
  await idleClosed;
  await assert.rejects(RawClient.open(port));
  finish[0]?.();
  assert.equal((await answer).body, "hello");
  await drained;
});

test("draining cuts what is still open at its deadline", async () => {
  const { listener, port } = await listen(() => {});
  const client = await connected(port);
  const answer = request(client, { ":path": "/" });
  const mute = await RawClient.open(port);
  mute.send(PREFACE + EMPTY_SETTINGS + frame(1, 5, 1, GET_ROOT));
  await new Promise((resolve) => setTimeout(resolve, 50));
  await listener.drain(50);
  await mute.closed;
  assert.notEqual((await answer).status, 200);
});

test("without the option a preface is no request", async () => {
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "admin",
    handle: hello,
    onError: (error) => assert.fail(String(error)),
  });
  open.push(listener);
  assert.equal(parseAnswer(await exchange(listener.port, PREFACE)).status, 400);
});
