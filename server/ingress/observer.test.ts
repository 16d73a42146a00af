import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString } from "../../sdk/protocol/ids.ts";
import { eventually, RawClient } from "../http/raw-client.suite.ts";
import { type Observer, type RequestSeen, SILENT } from "../processor/observer.ts";
import {
  accepted,
  completed,
  failure,
  finishing,
  type Fixture,
  ID,
  ID_TEXT,
  NOW_MS,
  post,
  replying,
  start,
  value,
} from "./ingress.suite.ts";

interface Observed extends Fixture {
  readonly seen: RequestSeen[];
}

async function observed(isTracing = false, options = {}): Promise<Observed> {
  const seen: RequestSeen[] = [];
  const observer: Observer = { ...SILENT, isTracing, request: (each) => void seen.push(each) };
  const fixture = await start({ observer, ...options });
  return { ...fixture, seen };
}

/** What was told of the requests so far, in short. */
const brief = ({ seen }: Observed): unknown[] =>
  seen.map(({ service, handler, kind, status, httpStatus }) => [
    service,
    handler,
    kind,
    status,
    httpStatus,
  ]);

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const TRACEPARENT = `00-${TRACE}-${SPAN}-01`;

test("every request is told once, with how it ended", async () => {
  const fixture = await observed();
  const { url } = fixture;
  finishing(fixture, () => value("1"));
  await fetch(`${url}/Greeter/raw`);
  finishing(fixture, () => failure(418));
  await fetch(`${url}/Counter/k/add`);
  replying(fixture, completed(value("1")));
  await fetch(`${url}/Greeter/raw`);
  replying(fixture, accepted());
  await fetch(`${url}/Greeter/raw/send`);
  replying(fixture, completed(value("1")));
  await fetch(`${url}/Signup/k/run`);
  await fetch(`${url}/restate/attach/${ID_TEXT}`);
  replying(fixture, { kind: "conflict", status: "running" });
  await fetch(`${url}/restate/output/${ID_TEXT}`);
  replying(fixture, { kind: "done" });
  await post(`${url}/restate/a/${awakeableIdToString(ID, 17)}/resolve`, "1");
  await fetch(`${url}/restate/health`);
  await fetch(`${url}/any`, { method: "OPTIONS" });
  assert.deepEqual(brief(fixture), [
    ["Greeter", "raw", "call", "completed", 200],
    ["Counter", "add", "call", "invocation-error", 418],
    ["Greeter", "raw", "call", "completed", 200],
    ["Greeter", "raw", "send", "accepted", 202],
    ["Signup", "run", "call", "request-error", 409],
    [null, null, "other", "completed", 200],
    [null, null, "other", "request-error", 470],
    [null, null, "other", "accepted", 202],
    [null, null, "other", "completed", 200],
    [null, null, "other", "completed", 200],
  ]);
});

test("refusals are told as whose mistake they are", async () => {
  const fixture = await observed(false, { requestsMax: 1 });
  const { url } = fixture;
  await fetch(`${url}/Nobody/raw`);
  await fetch(`${url}/Greeter/nope`);
  await post(`${url}/Greeter/greet`, "1", { "content-type": "a/b" });
  replying(fixture, { kind: "failed", message: "" });
  await fetch(`${url}/Greeter/raw`);
  replying(fixture, accepted());
  const waiting = fetch(`${url}/Greeter/raw`);
  await eventually(() => fixture.waiters.size === 1, "the call waits");
  await fetch(`${url}/Greeter/raw`);
  fixture.waiters.finished({ type: "finished", seq: 1, outcome: value("1") });
  await waiting;
  assert.deepEqual(brief(fixture), [
    [null, null, "other", "request-error", 404],
    [null, null, "other", "request-error", 404],
    ["Greeter", "greet", "call", "request-error", 400],
    ["Greeter", "raw", "call", "ingress-error", 500],
    [null, null, "other", "rate-limited", 429],
    ["Greeter", "raw", "call", "completed", 200],
  ]);
});

test("a caller that leaves is told as gone, whenever it leaves", async () => {
  const fixture = await observed();
  const leave = async (bytes: string, isThere: () => boolean): Promise<void> => {
    const client = await RawClient.open(fixture.port);
    client.send(bytes);
    await eventually(isThere, "the request is there");
    const told = fixture.seen.length;
    client.socket.destroy();
    await eventually(() => fixture.seen.length > told, "it is told");
  };
  replying(fixture, accepted());
  await leave("GET /Greeter/raw HTTP/1.1\r\nhost: x\r\n\r\n", () => fixture.waiters.size === 1);
  const body = "content-type: application/json\r\ncontent-length: 10\r\n\r\n12345";
  let connections = 0;
  await leave(`POST /Greeter/greet HTTP/1.1\r\nhost: x\r\n${body}`, () => (connections += 1) > 20);
  // And before the journal has its call.
  const answers: (() => void)[] = [];
  fixture.door.ask = (input, answer) => {
    input(1);
    answers.push(() => answer(accepted()));
  };
  const client = await RawClient.open(fixture.port);
  client.send("GET /Greeter/raw/send HTTP/1.1\r\nhost: x\r\n\r\n");
  await eventually(() => answers.length === 1, "the send is asked for");
  client.socket.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  answers[0]?.();
  assert.deepEqual(brief(fixture), [
    ["Greeter", "raw", "call", "disconnected", 499],
    ["Greeter", "greet", "call", "disconnected", 499],
    ["Greeter", "raw", "send", "disconnected", 499],
  ]);
  // It is known from the acceptance on.
  assert.deepEqual(
    fixture.seen.map(({ invocationId }) => invocationId !== null),
    [true, false, true],
  );
  assert.equal(fixture.waiters.size, 0);
});

test("times and the invocation's id are told", async () => {
  let nowMs = NOW_MS;
  const fixture = await observed(false, { clock: { nowMs: () => nowMs } });
  replying(fixture, accepted());
  const waiting = fetch(`${fixture.url}/Greeter/raw`);
  await eventually(() => fixture.waiters.size === 1, "the call waits");
  nowMs += 5;
  fixture.waiters.finished({ type: "finished", seq: 1, outcome: value("1") });
  await waiting;
  const [seen] = fixture.seen;
  assert.equal(seen?.invocationId, ID_TEXT);
  assert.deepEqual([seen.startedAtMs, seen.endedAtMs], [NOW_MS, NOW_MS + 5]);
});

// ---- traces ------------------------------------------------------------------------------------

test("where spans are wanted, the invocation hangs under the request, and that under the caller", async () => {
  const fixture = await observed(true);
  replying(fixture, accepted());
  const headers = { traceparent: TRACEPARENT, tracestate: "vendor=1" };
  await fetch(`${fixture.url}/Greeter/raw/send`, { headers });
  const [input] = fixture.door.of("invoke");
  const { trace } = input ?? {};
  assert.ok(trace);
  assert.deepEqual(
    { ...trace, spanId: "" },
    {
      traceId: TRACE,
      spanId: "",
      flags: "01",
      state: "vendor=1",
    },
  );
  assert.match(trace.spanId, /^[0-9a-f]{16}$/);
  assert.notEqual(trace.spanId, SPAN);
  const [seen] = fixture.seen;
  assert.deepEqual([seen?.trace, seen?.parentSpanId], [trace, SPAN]);
});

test("where spans are wanted, a caller without a context begins a trace", async () => {
  const fixture = await observed(true);
  replying(fixture, accepted());
  const invalid = [
    {},
    { traceparent: "nonsense" },
    { traceparent: TRACEPARENT.replace("01", "ff") },
  ];
  for (const headers of [...invalid, { traceparent: `00-${"0".repeat(32)}-${SPAN}-01` }]) {
    await fetch(`${fixture.url}/Greeter/raw/send`, { headers });
  }
  const traces = fixture.door.of("invoke").map(({ trace }) => trace);
  for (const trace of traces.slice(0, 2)) {
    assert.match(`${trace?.traceId}/${trace?.spanId}`, /^[0-9a-f]{32}\/[0-9a-f]{16}$/);
    assert.deepEqual([trace?.flags, trace?.state], ["01", null]);
  }
  assert.equal(new Set(traces.map((trace) => trace?.traceId)).size, traces.length);
  assert.equal(fixture.seen[0]?.parentSpanId, null);
});

test("a caller that does not sample is not sampled", async () => {
  const fixture = await observed(true);
  replying(fixture, accepted());
  const headers = { traceparent: `00-${TRACE}-${SPAN}-00` };
  await fetch(`${fixture.url}/Greeter/raw/send`, { headers });
  assert.equal(fixture.door.of("invoke")[0]?.trace?.flags, "00");
});

for (const isObserved of [true, false]) {
  test(`without spans the caller's context is passed on as it is (${isObserved ? "observed" : "silent"})`, async () => {
    const fixture = isObserved ? await observed() : { ...(await start()), seen: [] };
    replying(fixture, accepted());
    await fetch(`${fixture.url}/Greeter/raw/send`, { headers: { traceparent: TRACEPARENT } });
    await fetch(`${fixture.url}/Greeter/raw/send`);
    const traces = fixture.door.of("invoke").map(({ trace }) => trace);
    assert.deepEqual(traces, [{ traceId: TRACE, spanId: SPAN, flags: "01", state: null }, null]);
    for (const { trace, parentSpanId } of fixture.seen) {
      assert.deepEqual([trace, parentSpanId], [null, null]);
    }
  });
}

test("the header of the context reaches the handler as any other", async () => {
  const fixture = await observed(true);
  replying(fixture, accepted());
  await fetch(`${fixture.url}/Greeter/raw/send`, { headers: { traceparent: TRACEPARENT } });
  const headers = fixture.door.of("invoke")[0]?.headers ?? [];
  assert.equal(headers.find(({ key }) => key === "traceparent")?.value, TRACEPARENT);
});
