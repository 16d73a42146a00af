/** Messages and published events over HTTP, in front of the real machine. */
import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command } from "../../sdk/protocol/messages.ts";
import { systemClock } from "../base/clock.ts";
import { Listener } from "../http/listener.ts";
import type { StartAttempt } from "../machine/effect.ts";
import type { AttemptRef } from "../machine/input.ts";
import type { AttemptRunner } from "../processor/ports.ts";
import { Processor } from "../processor/processor.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { service, testDeployment } from "./fake-door.suite.ts";
import { Ingress } from "./ingress.ts";
import { ID_TEXT } from "./ingress.suite.ts";
import { ResultWaiters } from "./waiters.ts";

const closing: (() => Promise<void>)[] = [];
after(() => Promise.all(closing.map((close) => close())));

/** Attempts that do nothing until the test ends them. */
class Idle implements AttemptRunner {
  readonly open: AttemptRef[] = [];
  start({ seq, epoch }: StartAttempt): void {
    this.open.push({ seq, epoch, deploymentId: "dp_10000000000000000000001", protocolVersion: 6 });
  }
  forward(): void {}
  acknowledge(): void {}
  acknowledgeRun(): void {}
  suspend(): void {}
  close(): void {}
  readyPage(): void {}
}

async function start() {
  const processor = new Processor({
    store: new MemoryStore(),
    clock: systemClock,
    onFatal: (error) => assert.fail(error),
    onDefect: (error) => assert.fail(String(error)),
  });
  const waiters = new ResultWaiters();
  const attempts = new Idle();
  processor.connect({ attempts, timers: { arm: () => {} }, waiters });
  const deployment = testDeployment([
    service("Demo", [{ name: "work" }]),
    service("Flow", [{ name: "run", ty: "WORKFLOW" }], { ty: "WORKFLOW" }),
  ]);
  processor.submit({ type: "register-deployment", deployment, replyTo: null });
  await processor.settled();
  const { handle } = new Ingress({ door: processor, waiters, clock: systemClock });
  const onError = (error: unknown) => assert.fail(String(error));
  const at = { host: "127.0.0.1", port: 0, source: "ingress" } as const;
  const listener = await Listener.listen({ ...at, handle, http2: handle, onError });
  closing.push(async () => {
    await listener.drain(0);
    processor.stop();
  });
  const { url } = listener;
  const begin = async (path: string): Promise<string> => {
    const answer = await fetch(url + path, { method: "POST" });
    const { invocationId } = (await answer.json()) as { invocationId: string };
    return `${url}/restate/invocation/${invocationId}`;
  };
  const finish = (): void => {
    const attempt = attempts.open.at(-1);
    assert.ok(attempt !== undefined);
    const result = { kind: "value", value: new Uint8Array() } as const;
    const command: Command = { type: MessageType.OutputCommand, result, name: "" };
    const body = encodeBody(command);
    processor.submit({ type: "append-command", attempt, command, body, ackRequested: false });
    processor.submit({ type: "end", attempt });
  };
  return { url, begin, finish, processor, waiters };
}

async function ask(url: string, init: RequestInit = {}): Promise<[number, string]> {
  const answer = await fetch(url, init);
  const text = await answer.text();
  if (answer.status < 400) return [answer.status, text];
  return [answer.status, (JSON.parse(text) as { reason: string }).reason];
}
const post = (body: string, headers: Record<string, string> = {}) => ({
  method: "POST",
  body,
  headers,
});
const put = (body: string) => ({ method: "PUT", body });

describe("messages over HTTP", () => {
  it("are queued for the invocation, once for each idempotency key", async () => {
    const { begin, processor } = await start();
    const invocation = await begin("/Demo/work/send");
    assert.deepEqual(await ask(`${invocation}/messages/t`, post("1")), [
      202,
      '{"status":"Accepted"}',
    ]);
    const keyed = post("2", { "idempotency-key": "k" });
    assert.deepEqual(await ask(`${invocation}/messages/t`, keyed), [202, '{"status":"Accepted"}']);
    const again = await ask(`${invocation}/messages/t`, keyed);
    assert.deepEqual(again, [202, '{"status":"PreviouslyAccepted"}']);
    const messages = processor.read((reader) => reader.invocation(1)?.journal.messages);
    assert.deepEqual(messages, new Map([["t", 2]]));
  });

  it("find the run of a workflow by its key", async () => {
    const { url, begin, processor } = await start();
    await begin("/Flow/a%2Fb/run/send");
    const [status] = await ask(`${url}/restate/workflow/Flow/a%2Fb/messages/t`, post("1"));
    assert.equal(status, 202);
    assert.equal(
      processor.read((reader) => reader.invocation(1)?.journal.messages.get("t")),
      1,
    );
    const other = await ask(`${url}/restate/workflow/Demo/k/messages/t`, post("1"));
    assert.deepEqual(other, [400, "no-workflow"]);
  });

  it("are refused where nobody will take them", async () => {
    const { url, begin, finish } = await start();
    const invocation = await begin("/Flow/k/run/send");
    finish();
    assert.deepEqual(await ask(`${invocation}/messages/t`, post("1")), [409, "invocation-over"]);
    assert.deepEqual(await ask(`${invocation}/events/e`, put("1")), [409, "invocation-over"]);
    const at = (id: string) => `${url}/restate/invocation/${id}/messages/t`;
    assert.deepEqual(await ask(at(ID_TEXT), post("1")), [404, "unknown-invocation"]);
    assert.deepEqual(await ask(at("inv_1x"), post("1")), [400, "invalid-invocation-id"]);
    assert.deepEqual(await ask(at(ID_TEXT)), [405, "method-not-allowed"]);
  });
});

describe("published events over HTTP", () => {
  it("are the latest values, with their version", async () => {
    const { begin } = await start();
    const invocation = await begin("/Demo/work/send");
    assert.deepEqual(await ask(`${invocation}/events/progress`), [404, "no-event"]);
    await ask(`${invocation}/events/progress`, put("1"));
    await ask(`${invocation}/events/progress`, put('{"done":2}'));
    await ask(`${invocation}/events/raw`, put("\u0000"));
    const answer = await fetch(`${invocation}/events/progress`);
    const [type, etag] = ["content-type", "etag"].map((name) => answer.headers.get(name));
    assert.deepEqual([answer.status, type, etag], [200, "application/json", '"2"']);
    assert.deepEqual(await answer.json(), { done: 2 });
    const list = await fetch(`${invocation}/events`);
    const { events } = (await list.json()) as { events: Record<string, unknown>[] };
    for (const event of events) {
      assert.match(String(event["setAt"]), /^\d{4}-/);
      delete event["setAt"];
    }
    assert.deepEqual(events, [
      { key: "progress", version: 2, value: { done: 2 } },
      { key: "raw", version: 3, valueBase64: "AA==" },
    ]);
  });

  it("are waited for, and a newer one by its version", async () => {
    const { begin, waiters } = await start();
    const invocation = await begin("/Demo/work/send");
    const first = ask(`${invocation}/events/p?wait=30s`);
    await until(() => waiters.size === 1);
    await ask(`${invocation}/events/other`, put("0"));
    await ask(`${invocation}/events/p`, put("1"));
    assert.deepEqual(await first, [200, "1"]);
    const headers = { "if-none-match": '"2"' };
    assert.deepEqual(await ask(`${invocation}/events/p`, { headers }), [304, ""]);
    assert.deepEqual(await ask(`${invocation}/events/p?wait=20ms`, { headers }), [304, ""]);
    const newer = ask(`${invocation}/events/p?wait=PT30S`, { headers });
    await until(() => waiters.size === 1);
    await ask(`${invocation}/events/p`, put("2"));
    assert.deepEqual(await newer, [200, "2"]);
    assert.equal(waiters.size, 0);
  });

  it("are waited for no longer than asked, nor after the invocation or the asker is gone", async () => {
    const { begin, finish, waiters } = await start();
    const invocation = await begin("/Flow/k/run/send");
    assert.deepEqual(await ask(`${invocation}/events/p?wait=20ms`), [404, "no-event"]);
    const leaving = new AbortController();
    const left = fetch(`${invocation}/events/p?wait=30s`, { signal: leaving.signal });
    await until(() => waiters.size === 1);
    leaving.abort();
    await assert.rejects(left);
    await until(() => waiters.size === 0);
    const waiting = ask(`${invocation}/events/p?wait=30s`);
    await until(() => waiters.size === 1);
    finish();
    assert.deepEqual(await waiting, [404, "no-event"]);
    assert.deepEqual(await ask(`${invocation}/events/p?wait=30s`), [404, "no-event"]);
    assert.equal(waiters.size, 0);
  });

  it("are refused with a clear word", async () => {
    const { url, begin } = await start();
    const invocation = await begin("/Demo/work/send");
    for (const wait of ["x", "30", "11m", "1s&wait=2s"]) {
      assert.deepEqual(await ask(`${invocation}/events/p?wait=${wait}`), [400, "invalid-wait"]);
    }
    const unknown = `${url}/restate/invocation/${invocationIdToString(new Uint8Array(24).fill(9))}`;
    assert.deepEqual(await ask(`${unknown}/events/p?wait=1s`), [404, "unknown-invocation"]);
    assert.deepEqual(await ask(`${unknown}/events`), [404, "unknown-invocation"]);
    assert.deepEqual(await ask(`${invocation}/events/p`, post("1")), [405, "method-not-allowed"]);
  });
});

async function until(isSo: () => boolean): Promise<void> {
  for (let turn = 0; turn < 1000 && !isSo(); turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.ok(isSo());
}
