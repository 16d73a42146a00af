/** Ingress, admin and timers in front of the real processor and machine; the handler is a few lines in this file. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as clients from "@restatedev/restate-sdk-clients";
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { type Command, FIRST_USER_SIGNAL, type Outcome } from "../../sdk/protocol/messages.ts";
import { createAdmin } from "../admin/admin.ts";
import { present } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { Listener } from "../http/listener.ts";
import { eventually } from "../http/raw-client.suite.ts";
import type { StartAttempt } from "../machine/effect.ts";
import type { AttemptRef } from "../machine/input.ts";
import type { AttemptRunner } from "../processor/ports.ts";
import { Processor } from "../processor/processor.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { WallTimerQueue } from "../timers/timer-queue.ts";
import { service, testDeployment } from "./fake-door.suite.ts";
import { Ingress } from "./ingress.ts";
import { ResultWaiters } from "./waiters.ts";

const closing: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closing.toReversed()) await close();
});

/**
 * Runs attempts in-process: `echo` answers with its input, `fail` with a terminal failure, `wait` with what its first awakeable
 * is completed with, `broken` never gets to an answer.
 */
class Handlers implements AttemptRunner {
  readonly #door: Processor;
  readonly #open = new Map<number, AttemptRef>();

  constructor(door: Processor) {
    this.#door = door;
  }

  start({ seq, epoch }: StartAttempt): void {
    const deploymentId = "dp_10000000000000000000001";
    const attempt = { seq, epoch, deploymentId, protocolVersion: 6 };
    const { handler, input } = this.#door.read((reader) => {
      const entry = present(reader.entries(seq, 0, 1)[0], "input");
      const message = decodeMessage(entry.type, entry.body);
      assert.ok(message.type === MessageType.InputCommand);
      return { handler: reader.invocation(seq)?.target.handler, input: message.value };
    });
    if (handler === "echo") this.#finish(attempt, { kind: "value", value: input });
    if (handler === "fail") {
      this.#finish(attempt, { kind: "failure", failure: { code: 418, message: "teapot" } });
    }
    if (handler === "wait") this.#open.set(seq, attempt);
    if (handler === "broken") {
      const failure = { code: 500, errorCode: "RT0007", message: "no luck" };
      this.#door.submit({
        type: "fail",
        attempt,
        failure,
        retryAfterMs: null,
        behavior: "pause",
        countsForSdk: true,
      });
    }
  }

  forward({
    seq,
    messageType,
    body,
  }: {
    seq: number;
    messageType: number;
    body: Uint8Array;
  }): void {
    const message = decodeMessage(messageType, body);
    const attempt = this.#open.get(seq);
    if (message.type !== MessageType.Signal || attempt === undefined) return;
    const { result } = message;
    if (result.kind === "value" || result.kind === "failure") this.#finish(attempt, result);
  }

  acknowledge(): void {}
  close(): void {}
  readyPage(): void {}

  #finish(attempt: AttemptRef, result: Outcome): void {
    const command: Command = { type: MessageType.OutputCommand, result, name: "" };
    const body = encodeBody(command);
    this.#door.submit({ type: "append-command", attempt, command, body, ackRequested: false });
    this.#door.submit({ type: "end", attempt });
  }
}

interface System {
  readonly url: string;
  readonly admin: string;
  readonly waiters: ResultWaiters;
}

async function start(): Promise<System> {
  const processor = new Processor({
    store: new MemoryStore(),
    clock: systemClock,
    onFatal: (error) => assert.fail(error),
    onDefect: (error) => assert.fail(String(error)),
  });
  const timers = new WallTimerQueue({ door: processor, clock: systemClock });
  const waiters = new ResultWaiters();
  processor.connect({ attempts: new Handlers(processor), timers, waiters });
  const onError = (error: unknown): void => assert.fail(String(error));
  const names = ["echo", "fail", "wait", "broken"];
  const handlers = names.map((name) => ({ name }));
  const offer = testDeployment([service("Demo", handlers)]);
  const handle = createAdmin({
    door: processor,
    clock: systemClock,
    discover: async ({ uri }) => ({ ...offer, uri }),
    targetProblem: () => null,
    defaults: { inactivityTimeoutMs: 1, abortTimeoutMs: 1 },
    version: "0",
    ingressUrl: "",
    token: null,
    onError,
  });
  const ingress = new Ingress({ door: processor, waiters, clock: systemClock });
  const local = { host: "127.0.0.1", port: 0, onError };
  const front = await Listener.listen({ ...local, source: "ingress", handle: ingress.handle });
  const back = await Listener.listen({
    ...local,
    source: "admin",
    handle: (request, response) => void handle(request, response),
  });
  closing.push(async () => {
    await Promise.all([front.drain(0), back.drain(0)]);
    timers.stop();
    processor.stop();
  });
  const registered = await fetch(`${back.url}/deployments`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: '{"uri":"http://127.0.0.1:9080"}',
  });
  assert.equal(registered.status, 201);
  return { url: front.url, admin: back.url, waiters };
}

async function post(url: string, body: string, headers = {}): Promise<Response> {
  return await fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "text/plain", ...headers },
  });
}

const field = (document: unknown, name: string): unknown =>
  Object.entries(document ?? {}).find(([key]) => key === name)?.[1];

test("a registered service is called, and its failures are its own", async () => {
  const { url } = await start();
  const health = await fetch(`${url}/restate/health`);
  assert.deepEqual(await health.json(), { services: ["Demo"] });
  const echo = await post(`${url}/Demo/echo`, "hello");
  assert.deepEqual([echo.status, await echo.text()], [200, "hello"]);
  const failed = await post(`${url}/Demo/fail`, "x");
  assert.equal(failed.status, 418);
  assert.equal(failed.headers.get("x-restate-error-source"), "invocation");
});

test("calls with one idempotency key are one invocation, now and later", async () => {
  const { url } = await start();
  const call = (body: string): Promise<Response> =>
    post(`${url}/Demo/echo`, body, { "idempotency-key": "a b" });
  const answers = await Promise.all(["one", "two", "three"].map(call));
  const bodies = await Promise.all(answers.map((answer) => answer.text()));
  assert.equal(new Set(bodies).size, 1);
  const ids = new Set(answers.map((answer) => answer.headers.get("x-restate-id")));
  assert.equal(ids.size, 1);
  const later = await call("four");
  assert.equal(await later.text(), bodies[0]);
  assert.match(later.headers.get("idempotency-expires") ?? "", /^\d{4}-.*\+00:00$/);
  const output = await fetch(`${url}/restate/invocation/Demo/echo/a%20b/output`);
  assert.equal(await output.text(), bodies[0]);
  const [id] = ids;
  const attached = await fetch(`${url}/restate/attach/${id}`);
  assert.equal(await attached.text(), bodies[0]);
});

test("a delayed send runs when its time has come, not before", async () => {
  const { url, admin } = await start();
  const sentMs = Date.now();
  const sent = await post(`${url}/Demo/echo/send?delay=300ms`, "later");
  assert.equal(sent.status, 202);
  const document: unknown = await sent.json();
  const dueMs = Date.parse(String(field(document, "executionTime")));
  assert.ok(dueMs >= sentMs + 300 && dueMs < sentMs + 5000);
  const id = String(field(document, "invocationId"));
  const shown: unknown = await (await fetch(`${admin}/invocations/${id}`)).json();
  assert.equal(field(shown, "status"), "scheduled");
  const early = await fetch(`${url}/restate/output/${id}`);
  assert.equal(early.status, 470);
  const late = await fetch(`${url}/restate/attach/${id}`);
  assert.equal(await late.text(), "later");
  assert.ok(Date.now() >= dueMs);
});

test("an awakeable completed from outside ends the wait, once", async () => {
  const { url, admin, waiters } = await start();
  const sent: unknown = await (await post(`${url}/Demo/wait/send`, "x")).json();
  const id = String(field(sent, "invocationId"));
  const waiting = [1, 2].map(() => fetch(`${url}/restate/attach/${id}`));
  await eventually(() => waiters.size === 2, "both are attached");
  const awakeable = awakeableIdToString(present(parseInvocationId(id), "id"), FIRST_USER_SIGNAL);
  const resolve = `${url}/restate/a/${awakeable}`;
  assert.equal((await post(`${resolve}/resolve`, "approved")).status, 202);
  assert.equal((await post(`${resolve}/reject`, "too late")).status, 202);
  for (const response of await Promise.all(waiting)) {
    assert.deepEqual([response.status, await response.text()], [200, "approved"]);
  }
  const journal = await (await fetch(`${admin}/invocations/${id}/journal`)).text();
  assert.equal(journal.match(/"Signal"/g)?.length, 1);
});

test("a paused invocation says why, and goes on when it is let", async () => {
  const { url, admin } = await start();
  const sent: unknown = await (await post(`${url}/Demo/broken/send`, "x")).json();
  const path = `${admin}/invocations/${String(field(sent, "invocationId"))}`;
  const statusOf = async (): Promise<unknown> => field(await (await fetch(path)).json(), "status");
  for (let tries = 0; tries < 1000 && (await statusOf()) !== "paused"; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.equal(await statusOf(), "paused");
  const shown: unknown = await (await fetch(path)).json();
  assert.match(String(field(shown, "explanation")), /RT0007 no luck/);
  assert.equal((await fetch(`${path}/resume`, { method: "PATCH" })).status, 200);
  const echo: unknown = await (await post(`${url}/Demo/echo/send`, "x")).json();
  const done = `${admin}/invocations/${String(field(echo, "invocationId"))}/resume`;
  assert.equal((await fetch(done, { method: "PATCH" })).status, 409);
});

/** As a service author's code declares it, which the client's types are made from. */
interface Demo {
  echo: (context: unknown, text: string) => Promise<string>;
  fail: (context: unknown, text: string) => Promise<string>;
  wait: (context: unknown, text: string) => Promise<string>;
}

test("the official client library calls, sends, attaches and completes awakeables", async () => {
  const { url } = await start();
  const ingress = clients.connect({ url });
  const definition = { name: "Demo" };
  const client = ingress.serviceClient<Demo>(definition);
  assert.equal(await client.echo("hello"), "hello");
  const once = clients.Opts.from<string, string>({ idempotencyKey: "a/b" });
  assert.equal(await client.echo("1", once), "1");
  assert.equal(await client.echo("2", once), "1");
  await assert.rejects(Promise.resolve(client.fail("x")), (error: unknown) => {
    assert.ok(error instanceof clients.HttpCallError);
    assert.equal(error.status, 418);
    return true;
  });
  const sender = ingress.serviceSendClient<Demo>(definition);
  const delayed = clients.SendOpts.from<string>({ delay: 50, idempotencyKey: "k" });
  const sent = await sender.echo("later", delayed);
  assert.equal(sent.status, "Accepted");
  assert.equal(await ingress.result(sent), "later");
  const waiting = await sender.wait("x", clients.SendOpts.from<string>({ idempotencyKey: "w" }));
  const id = present(parseInvocationId(waiting.invocationId), "id");
  await ingress.resolveAwakeable(awakeableIdToString(id, FIRST_USER_SIGNAL), "approved");
  assert.equal(await ingress.result(waiting), "approved");
});
