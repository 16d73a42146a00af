/** The ingress and timers in front of the real processor and machine; the handlers are a few lines in this file. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as clients from "@restatedev/restate-sdk-clients";
import { decodeMessage, encodeBody } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, parseInvocationId } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { type Command, FIRST_USER_SIGNAL, type Outcome } from "../../sdk/protocol/messages.ts";
import { present } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { Listener } from "../http/listener.ts";
import { eventually } from "../http/raw-client.suite.ts";
import type { Forward, StartAttempt } from "../machine/effect.ts";
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
 * Runs attempts in-process: `echo` and `run` answer with their input, `fail` with a terminal failure, `wait` with what its first
 * signal is, whether that is there already or comes.
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
    const { handler, input, signal } = this.#door.read((reader) => {
      const entry = present(reader.entries(seq, 0, 1)[0], "input");
      const message = decodeMessage(entry.type, entry.body);
      assert.ok(message.type === MessageType.InputCommand);
      const [first] = reader.entriesOfType(seq, MessageType.Signal);
      const { handler: name } = present(reader.invocation(seq), "invocation").target;
      return { handler: name, input: message.value, signal: first };
    });
    if (handler === "echo" || handler === "run") {
      this.#finish(attempt, { kind: "value", value: input });
    }
    if (handler === "fail") {
      this.#finish(attempt, { kind: "failure", failure: { code: 418, message: "teapot" } });
    }
    if (handler !== "wait") return;
    this.#open.set(seq, attempt);
    if (signal !== undefined) this.#onSignal(seq, signal.type, signal.body);
  }

  forward({ seq, messageType, body }: Forward): void {
    this.#onSignal(seq, messageType, body);
  }

  acknowledge(): void {}
  acknowledgeRun(): void {}
  suspend(): void {}
  close(): void {}
  readyPage(): void {}

  #onSignal(seq: number, type: number, body: Uint8Array): void {
    const message = decodeMessage(type, body);
    const attempt = this.#open.get(seq);
    if (message.type !== MessageType.Signal || attempt === undefined) return;
    const { result } = message;
    if (result.kind === "value" || result.kind === "failure") this.#finish(attempt, result);
  }

  #finish(attempt: AttemptRef, result: Outcome): void {
    this.#open.delete(attempt.seq);
    const command: Command = { type: MessageType.OutputCommand, result, name: "" };
    const body = encodeBody(command);
    this.#door.submit({ type: "append-command", attempt, command, body, ackRequested: false });
    this.#door.submit({ type: "end", attempt });
  }
}

interface System {
  readonly url: string;
  readonly door: Processor;
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
  const handlers = ["echo", "fail", "wait"].map((name) => ({ name }));
  const deployment = testDeployment([
    service("Demo", handlers),
    service("Thing", [...handlers, { name: "peek", ty: "SHARED" }], { ty: "VIRTUAL_OBJECT" }),
    service("Flow", [{ name: "run", ty: "WORKFLOW" }, ...handlers], { ty: "WORKFLOW" }),
  ]);
  processor.submit({ type: "register-deployment", deployment, replyTo: null });
  await processor.settled();
  const { handle } = new Ingress({ door: processor, waiters, clock: systemClock });
  const listener = await Listener.listen({
    host: "127.0.0.1",
    port: 0,
    source: "ingress",
    handle,
    http2: handle,
    onError: (error) => assert.fail(String(error)),
  });
  closing.push(async () => {
    await listener.drain(0);
    timers.stop();
    processor.stop();
  });
  return { url: listener.url, door: processor, waiters };
}

/** What the invocation with this public id is doing. */
function statusOf({ door }: System, id: string): string | undefined {
  const bytes = present(parseInvocationId(id), "id");
  return door.read((reader) => reader.findInvocation(bytes)?.state.status);
}

async function idOfSend(response: Promise<Response>): Promise<string> {
  return String(field(await (await response).json(), "invocationId"));
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
  assert.deepEqual(await health.json(), { services: ["Demo", "Thing", "Flow"] });
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
  const system = await start();
  const { url } = system;
  const sentMs = Date.now();
  const sent = await post(`${url}/Demo/echo/send?delay=300ms`, "later");
  assert.equal(sent.status, 202);
  const document: unknown = await sent.json();
  const dueMs = Date.parse(String(field(document, "executionTime")));
  assert.ok(dueMs >= sentMs + 300 && dueMs < sentMs + 5000);
  const id = String(field(document, "invocationId"));
  assert.equal(statusOf(system, id), "scheduled");
  const early = await fetch(`${url}/restate/output/${id}`);
  assert.equal(early.status, 470);
  const late = await fetch(`${url}/restate/attach/${id}`);
  assert.equal(await late.text(), "later");
  assert.ok(Date.now() >= dueMs);
});

test("an awakeable completed from outside ends the wait, once", async () => {
  const { url, door, waiters } = await start();
  const id = await idOfSend(post(`${url}/Demo/wait/send`, "x"));
  const waiting = [1, 2].map(() => fetch(`${url}/restate/attach/${id}`));
  await eventually(() => waiters.size === 2, "both are attached");
  const awakeable = awakeableIdToString(present(parseInvocationId(id), "id"), FIRST_USER_SIGNAL);
  const resolve = `${url}/restate/a/${awakeable}`;
  assert.equal((await post(`${resolve}/resolve`, "approved")).status, 202);
  assert.equal((await post(`${resolve}/reject`, "too late")).status, 202);
  for (const response of await Promise.all(waiting)) {
    assert.deepEqual([response.status, await response.text()], [200, "approved"]);
  }
  const bytes = present(parseInvocationId(id), "id");
  const signals = door.read((reader) => {
    const { seq } = present(reader.findInvocation(bytes), "invocation");
    return reader.entriesOfType(seq, MessageType.Signal).length;
  });
  assert.equal(signals, 1);
});

test("a repeated send is told the time that the first was given, also when that is over", async () => {
  const { url } = await start();
  const send = async (delay: string): Promise<unknown> =>
    await (
      await post(`${url}/Demo/echo/send?delay=${delay}`, "x", { "idempotency-key": "k" })
    ).json();
  const first = await send("100ms");
  const again = await send("1h");
  const id = String(field(first, "invocationId"));
  await (await fetch(`${url}/restate/attach/${id}`)).text();
  const later = await send("1h");
  assert.equal(field(first, "status"), "Accepted");
  for (const repeated of [again, later]) {
    assert.deepEqual(repeated, { ...Object(first), status: "PreviouslyAccepted" });
  }
});

test("exclusive handlers of one key run one after the other, shared ones and other keys at once", async () => {
  const system = await start();
  const { url, waiters } = system;
  const holder = await idOfSend(post(`${url}/Thing/a%2Fb/wait/send`, "x"));
  const queued = post(`${url}/Thing/a%2Fb/echo`, "second");
  await eventually(() => waiters.size === 1, "the second waits");
  assert.equal(statusOf(system, holder), "running");
  const other = await post(`${url}/Thing/b/echo`, "other");
  assert.equal(await other.text(), "other");
  const shared = await idOfSend(post(`${url}/Thing/a%2Fb/peek/send`, ""));
  assert.equal(statusOf(system, shared), "running");
  assert.equal(waiters.size, 1);
  await post(`${url}/restate/signals/${holder}/go/resolve`, "first");
  assert.equal(await (await queued).text(), "second");
});

test("a signal that comes before its invocation starts is kept", async () => {
  const system = await start();
  const { url } = system;
  const scheduled = await idOfSend(post(`${url}/Demo/wait/send?delay=150ms`, "x"));
  const holder = await idOfSend(post(`${url}/Thing/k/wait/send`, "x"));
  const queued = await idOfSend(post(`${url}/Thing/k/wait/send`, "x"));
  assert.deepEqual(
    [scheduled, holder, queued].map((id) => statusOf(system, id)),
    ["scheduled", "running", "queued"],
  );
  for (const id of [scheduled, queued]) {
    const early = await post(`${url}/restate/signals/${id}/go/resolve`, "early");
    assert.equal(early.status, 202);
  }
  await post(`${url}/restate/signals/${holder}/go/reject`, "no");
  const rejected = await fetch(`${url}/restate/attach/${holder}`);
  assert.equal(rejected.status, 500);
  assert.equal(field(await rejected.json(), "message"), "no");
  for (const id of [scheduled, queued]) {
    const answer = await fetch(`${url}/restate/attach/${id}`);
    assert.equal(await answer.text(), "early");
  }
  const unknown = holder.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
  assert.equal((await post(`${url}/restate/signals/${unknown}/go/resolve`, "")).status, 202);
});

test("a workflow runs once: its result is for those who attach", async () => {
  const { url } = await start();
  const first = await post(`${url}/Flow/w/run`, "once");
  assert.equal(await first.text(), "once");
  const again = await post(`${url}/Flow/w/run`, "twice");
  assert.equal(again.status, 409);
  assert.equal(again.headers.get("x-restate-error-source"), "invocation");
  assert.equal(again.headers.get("x-restate-id"), first.headers.get("x-restate-id"));
  const sent = await post(`${url}/Flow/w/run/send`, "thrice");
  assert.equal(sent.status, 202);
  assert.equal(field(await sent.json(), "status"), "PreviouslyAccepted");
  for (const mode of ["attach", "output"]) {
    const answer = await fetch(`${url}/restate/workflow/Flow/w/${mode}`);
    assert.equal(await answer.text(), "once");
    assert.match(answer.headers.get("idempotency-expires") ?? "", /\+00:00$/);
    const other = await fetch(`${url}/restate/workflow/Flow/other/${mode}`);
    assert.equal(other.status, 404);
  }
});

test("a workflow may be delayed, and is attached to before it runs", async () => {
  const { url } = await start();
  const sent: unknown = await (await post(`${url}/Flow/w/run/send?delay=150ms`, "later")).json();
  assert.equal((await fetch(`${url}/restate/workflow/Flow/w/output`)).status, 470);
  const repeated: unknown = await (await post(`${url}/Flow/w/run/send`, "x")).json();
  assert.equal(field(repeated, "executionTime"), field(sent, "executionTime"));
  const answer = await fetch(`${url}/restate/workflow/Flow/w/attach`);
  assert.equal(await answer.text(), "later");
});

/** As a service author's code declares it, which the client's types are made from. */
interface Demo {
  echo: (context: unknown, text: string) => Promise<string>;
  fail: (context: unknown, text: string) => Promise<string>;
  wait: (context: unknown, text: string) => Promise<string>;
}

/** The client looks for `run` among the members of a record, which an interface is not. */
type Flow = Record<"run", (context: unknown, text: string) => Promise<string>>;

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

test("the official client library speaks to objects and workflows", async () => {
  const { url } = await start();
  const ingress = clients.connect({ url });
  const thing = ingress.objectClient<Demo>({ name: "Thing" }, "a/b ü");
  assert.equal(await thing.echo("hello"), "hello");
  const flow = ingress.workflowClient<Flow>({ name: "Flow" }, "w/1");
  assert.equal((await flow.workflowSubmit("once")).status, "Accepted");
  assert.equal(await flow.workflowAttach(), "once");
  assert.equal((await flow.workflowSubmit("twice")).status, "PreviouslyAccepted");
  const output = await flow.workflowOutput();
  assert.deepEqual([output.ready, output.ready && output.result], [true, "once"]);
  const waiting = await ingress
    .objectSendClient<Demo>({ name: "Thing" }, "k")
    .wait("x", clients.SendOpts.from<string>({ idempotencyKey: "i" }));
  const id = present(parseInvocationId(waiting.invocationId), "id");
  await ingress.rejectAwakeable(awakeableIdToString(id, FIRST_USER_SIGNAL), "no");
  await assert.rejects(ingress.result(waiting), /no/);
});
