import assert from "node:assert/strict";
import { after, test } from "node:test";
import { sendBytes } from "./answer.ts";
import { ByteBudget, readBody } from "./body.ts";
import { Listener } from "./listener.ts";
import { sendProblem } from "./problem.ts";
import { eventually, exchange, parseAnswer, RawClient, reasonOf } from "./raw-client.suite.ts";

const open: Listener[] = [];
after(() => Promise.all(open.map((listener) => listener.drain(0))));

interface Fixture {
  readonly port: number;
  readonly budget: ByteBudget;
  readonly read: number[];
}

/** Echoes bodies; `hold` keeps their share of the budget. */
async function echo(bytesMax: number, budgetBytes: number, hold = false): Promise<Fixture> {
  const budget = new ByteBudget(budgetBytes);
  const read: number[] = [];
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "ingress",
    onError: (error) => assert.fail(String(error)),
    handle: (request, response) =>
      readBody(
        request,
        response,
        { bytesMax, budget },
        (body) => {
          read.push(body.length);
          sendBytes(response, 200, body, {});
          if (!hold) budget.give(body.length);
        },
        (problem) => sendProblem(response, problem, "ingress"),
      ),
  });
  open.push(listener);
  return { port: listener.port, budget, read };
}

const head = (fields: string): string => `POST / HTTP/1.1\r\nhost: x\r\n${fields}\r\n\r\n`;
const LAST = "connection: close\r\n";

test("bodies arrive whole, with a length, in chunks and in many pieces", async () => {
  const { port, budget } = await echo(200_000, 1_000_000);
  const large = "0123456789".repeat(20_000);
  const requests: readonly (readonly [string, string])[] = [
    [head(`${LAST}content-length: 5`) + "hello", "hello"],
    [head(`${LAST}transfer-encoding: chunked`) + "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"],
    [head(`${LAST}content-length: 0`), ""],
    [head(LAST.trim()), ""],
    [head(`${LAST}content-length: ${large.length}`) + large, large],
  ];
  for (const [bytes, body] of requests) {
    const answer = parseAnswer(await exchange(port, bytes));
    assert.equal(answer.status, 200);
    assert.equal(answer.body, body);
  }
  assert.equal(budget.bytes, 0);
});

test("a body of a length beyond the limit is refused before it is sent", async () => {
  const { port, budget, read } = await echo(10, 100);
  const client = await RawClient.open(port);
  client.send(head("content-length: 11"));
  await client.until("body-too-large");
  const answer = parseAnswer(client.received);
  assert.equal(answer.status, 413);
  assert.equal(answer.headers.get("x-restate-error-source"), "ingress");
  await client.closed;
  assert.deepEqual([budget.bytes, read], [0, []]);
});

test("a client that asks before it sends is told to go on, or spared the body", async () => {
  const { port } = await echo(10, 100);
  const allowed = await RawClient.open(port);
  allowed.send(head(`${LAST}expect: 100-continue\r\ncontent-length: 5`));
  await allowed.until("100 Continue");
  allowed.send("hello");
  await allowed.closed;
  assert.ok(allowed.received.endsWith("hello"));

  const spared = await exchange(port, head("expect: 100-continue\r\ncontent-length: 11"));
  assert.equal(parseAnswer(spared).status, 413);
  assert.equal(parseAnswer(spared).headers.get("connection"), "close");
});

test("a body in chunks is refused where it passes the limit", async () => {
  const { port, budget, read } = await echo(10, 100);
  const client = await RawClient.open(port);
  client.send(head("transfer-encoding: chunked"));
  client.send("8\r\n01234567\r\n");
  client.send("8\r\n01234567\r\n");
  await client.until("body-too-large");
  assert.equal(budget.bytes, 0);
  client.socket.destroy();
  assert.deepEqual(read, []);
});

test("a refused client that goes on sending reads its answer, then is cut", async () => {
  const { port } = await echo(10, 100);
  const client = await RawClient.open(port);
  client.send(head("content-length: 500000000"));
  const piece = Buffer.alloc(1 << 20);
  const pump = (): void => {
    if (!client.socket.destroyed) client.socket.write(piece, () => setTimeout(pump, 5));
  };
  pump();
  await client.closed;
  assert.equal(reasonOf(parseAnswer(client.received)), "body-too-large");
});

test("a connection can be used again after a refused body that was short", async () => {
  const { port } = await echo(10, 100);
  const client = await RawClient.open(port);
  client.send(head("content-length: 20") + "x".repeat(20));
  await client.until("body-too-large");
  client.send(head(`${LAST}content-length: 2`) + "ok");
  await client.closed;
  assert.ok(client.received.endsWith("ok"), client.received);
});

test("bodies that are held together stay within the budget", async () => {
  const { port, budget } = await echo(60, 100, true);
  const body = head(`${LAST}content-length: 60`) + "x".repeat(60);
  assert.equal(parseAnswer(await exchange(port, body)).status, 200);
  assert.equal(budget.bytes, 60);
  const refused = parseAnswer(await exchange(port, body));
  assert.equal(refused.status, 503);
  assert.equal(reasonOf(refused), "overloaded");
  assert.equal(budget.bytes, 60);
  budget.give(60);
  assert.equal(parseAnswer(await exchange(port, body)).status, 200);
});

test("a client that leaves in the middle of its body gives its share back", async () => {
  const { port, budget, read } = await echo(100, 100);
  const client = await RawClient.open(port);
  client.send(head("content-length: 50") + "x".repeat(30));
  await eventually(() => budget.bytes === 30, "the first part is held");
  client.socket.destroy();
  await eventually(() => budget.bytes === 0, "it is given back");
  assert.deepEqual(read, []);
});
