import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { parseInvocationId } from "../../sdk/protocol/ids.ts";
import type { Log, LogFields } from "../base/log.ts";
import { attemptSpanId } from "../base/trace.ts";
import { Collector } from "./collector.suite.ts";
import { attemptSeen, INVOCATION_ID, NOON_MS, requestSeen, stepSeen, TRACE } from "./seen.suite.ts";
import { createTelemetry, type Telemetry, type TelemetryOptions } from "./telemetry.ts";

/** Milliseconds: an exporter whose collector is silent keeps this process no longer. */
process.env["OTEL_EXPORTER_OTLP_TIMEOUT"] = "300";

const ATTEMPTS = { attemptsMax: 10, inFlight: () => 0, waiting: () => 0 };

/** A server's telemetry whose log lines and time are the test's. */
async function telemetryFor(
  endpoint: string | null,
  some: Partial<TelemetryOptions> = {},
): Promise<{ telemetry: Telemetry; lines: LogFields[]; pass: (ms: number) => void }> {
  const lines: LogFields[] = [];
  let nowMs = NOON_MS;
  const warn = (event: string, fields: LogFields = {}): void =>
    void lines.push({ event, ...fields });
  const log: Log = { debug: warn, info: warn, warn, error: warn };
  const telemetry = await createTelemetry({
    version: "1.2.3",
    log,
    clock: { nowMs: () => nowMs },
    attempts: ATTEMPTS,
    tracing: endpoint === null ? null : { endpoint, headers: {}, serviceName: "holdfast" },
    ...some,
  });
  return { telemetry, lines, pass: (ms) => void (nowMs += ms) };
}

describe("spans", () => {
  let collector: Collector;
  beforeEach(async () => {
    collector = await Collector.listen();
  });
  afterEach(() => collector.close());

  it("of request, attempt and step hang under one another with the ids that are given", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    telemetry.observer.request(requestSeen({ parentSpanId: "00f067aa0ba902b7" }));
    telemetry.observer.attempt(attemptSeen({ epoch: 3 }));
    telemetry.observer.step(stepSeen({ epoch: 3, completionId: 1 }));
    telemetry.observer.step(stepSeen({ epoch: 3, completionId: 2, name: "ship" }));
    await telemetry.shutdown();

    const ingress = collector.span("ingress Greeter/greet");
    const attempt = collector.span("invocation-attempt Greeter/greet");
    const step = collector.span("run charge");
    assert.deepEqual(new Set(collector.spans.map((s) => s.traceId)), new Set([TRACE.traceId]));
    assert.equal(ingress.spanId, TRACE.spanId);
    assert.equal(ingress.parentSpanId, "00f067aa0ba902b7");
    assert.equal(
      attempt.spanId,
      attemptSpanId(parseInvocationId(INVOCATION_ID) ?? new Uint8Array(), 3),
    );
    assert.equal(attempt.parentSpanId, ingress.spanId);
    assert.equal(step.parentSpanId, attempt.spanId);
    assert.match(step.spanId, /^[0-9a-f]{16}$/);
    assert.notEqual(step.spanId, collector.span("run ship").spanId);
  });

  it("carry times, attributes and who sent them", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    telemetry.observer.attempt(
      attemptSeen({
        target: { service: "Counter", handler: "add", key: "k 1" },
        startedAtMs: NOON_MS + 0.5,
      }),
    );
    await telemetry.shutdown();
    const span = collector.span("invocation-attempt Counter/add");
    assert.equal(span.startNs, BigInt(NOON_MS) * 1_000_000n + 500_000n);
    assert.equal(span.endNs, BigInt(NOON_MS + 18) * 1_000_000n);
    assert.deepEqual(span.attributes, {
      "rpc.system": "restate",
      "rpc.service": "Counter",
      "rpc.method": "add",
      "restate.invocation.id": INVOCATION_ID,
      "restate.invocation.target": "Counter/k 1/add",
      "restate.deployment.id": "dp_124pWqE8CpJPkZIuJ2kg6BP",
      "restate.deployment.address": "http://127.0.0.1:9080/",
      "restate.deployment.service_protocol_version": 6,
      "holdfast.attempt.epoch": 0,
      "holdfast.attempt.status": "completed",
    });
    assert.equal(span.statusCode, 0);
    assert.equal(span.kind, 3);
    assert.equal(span.scope, "holdfast");
    assert.equal(span.resource["service.name"], "holdfast");
    assert.equal(span.resource["service.version"], "1.2.3");
  });

  it("of a failed attempt say why", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    const failure = {
      code: 570,
      errorCode: "RT0016",
      message: "the code changed",
      relatedCommandIndex: 4,
      relatedCommandName: "charge",
    };
    telemetry.observer.attempt(attemptSeen({ status: "failed", failure }));
    await telemetry.shutdown();
    const span = collector.span("invocation-attempt Greeter/greet");
    assert.equal(span.statusCode, 2);
    assert.equal(span.statusMessage, "RT0016: the code changed");
    assert.equal(span.attributes["error.type"], "RT0016");
    assert.equal(span.attributes["error.message"], "the code changed");
    assert.equal(span.attributes["restate.invocation.error.code"], "570");
    assert.equal(span.attributes["restate.journal.command.name"], "charge");
    assert.equal(span.attributes["restate.journal.command.index"], 4);
  });

  it("say how a request ended; only a failure of the server's side is an error", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    telemetry.observer.request(
      requestSeen({ handler: "a", status: "invocation-error", httpStatus: 409 }),
    );
    telemetry.observer.request(
      requestSeen({ handler: "b", status: "ingress-error", httpStatus: 503 }),
    );
    telemetry.observer.attempt(attemptSeen({ status: "suspended" }));
    telemetry.observer.step(stepSeen({ failed: true }));
    await telemetry.shutdown();
    const refused = collector.span("ingress Greeter/a");
    assert.equal(refused.statusCode, 0);
    assert.equal(refused.attributes["restate.invocation.result"], "failure");
    assert.equal(refused.attributes["http.response.status_code"], 409);
    assert.equal(collector.span("ingress Greeter/b").statusCode, 2);
    const suspended = collector.span("invocation-attempt Greeter/greet");
    assert.deepEqual(suspended.events, ["restate.invocation.lifecycle.suspended"]);
    assert.equal(collector.span("run charge").statusCode, 2);
  });

  it("pass the state of the trace on, and cut what users made too long", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    telemetry.observer.request(requestSeen({ trace: { ...TRACE, state: "vendor=1,other=2" } }));
    telemetry.observer.step(stepSeen({ name: "n".repeat(100_000) }));
    await telemetry.shutdown();
    assert.equal(collector.span("ingress Greeter/greet").traceState, "vendor=1,other=2");
    const step = collector.spans.find((span) => span.name.startsWith("run "));
    assert.equal(step?.name.length, 256);
    assert.ok(
      collector.received.every(
        ({ spans }) => JSON.stringify(spans.map((s) => s.attributes)).length < 4000,
      ),
    );
  });

  it("are not made of what is not sampled or has no trace", async () => {
    const { telemetry } = await telemetryFor(collector.url);
    telemetry.observer.request(requestSeen({ trace: { ...TRACE, flags: "00" } }));
    telemetry.observer.attempt(attemptSeen({ trace: { ...TRACE, flags: "02" } }));
    telemetry.observer.step(stepSeen({ trace: null }));
    telemetry.observer.request(
      requestSeen({ handler: "sampled", trace: { ...TRACE, flags: "03" } }),
    );
    await telemetry.shutdown();
    assert.deepEqual(
      collector.spans.map((span) => span.name),
      ["ingress Greeter/sampled"],
    );
  });

  it("are posted to the path of the endpoint, with the headers and the name that were given", async () => {
    const tracing = {
      endpoint: `${collector.url}/otel/`,
      headers: { authorization: "Bearer secret" },
      serviceName: "orders",
    };
    const { telemetry } = await telemetryFor(null, { tracing });
    telemetry.observer.request(requestSeen());
    await telemetry.shutdown();
    const [first] = collector.received;
    assert.equal(first?.path, "/otel/v1/traces");
    assert.equal(first?.headers["authorization"], "Bearer secret");
    assert.equal(first?.headers["content-type"], "application/x-protobuf");
    assert.equal(first?.spans[0]?.resource["service.name"], "orders");
  });

  it("are lost when the collector refuses them: counted, and said once in a while", async () => {
    collector.status = 400;
    const { telemetry, lines, pass } = await telemetryFor(`${collector.url}/?token=secret`);
    const refused = async (count: number): Promise<void> => {
      const before = collector.received.length;
      // A full batch leaves at once.
      for (let n = 0; n < count; n += 1) telemetry.observer.request(requestSeen());
      while (!(await lostSpans(telemetry, before + 1, collector))) await soon();
    };
    await refused(512);
    await refused(512);
    assert.equal(lines.length, 1);
    pass(60_001);
    await refused(512);
    await telemetry.shutdown();
    assert.deepEqual(
      lines.map(({ event, spans, endpoint }) => ({ event, spans, endpoint })),
      [512, 1024].map((spans) => ({
        event: "spans-not-exported",
        spans,
        endpoint: `${collector.url}/v1/traces`,
      })),
    );
    assert.ok(!JSON.stringify(lines).includes("secret"));
  });

  it("do not hold up the shutdown when the collector is silent", async () => {
    collector.isMute = true;
    const { telemetry } = await telemetryFor(collector.url, { shutdownTimeoutMs: 50 });
    telemetry.observer.request(requestSeen());
    const startedAt = performance.now();
    await telemetry.shutdown();
    assert.ok(performance.now() - startedAt < 2000);
    assert.equal(collector.received.length, 1);
  });

  it("are dropped beyond a bound while the collector is silent", async () => {
    collector.isMute = true;
    const { telemetry } = await telemetryFor(collector.url, { shutdownTimeoutMs: 1 });
    const sent = 9000;
    for (let n = 0; n < sent; n += 1) telemetry.observer.request(requestSeen());
    const lost = await spansWith(telemetry, "lost");
    // One batch is under way, the queue is full.
    assert.equal(lost, sent - 8192 - 512);
    await telemetry.shutdown();
  });
});

describe("telemetry", () => {
  it("without an endpoint makes metrics and no spans", async () => {
    const { telemetry, lines } = await telemetryFor(null);
    const { observer } = telemetry;
    assert.equal(observer.isTracing, false);
    observer.request(requestSeen());
    observer.attempt(attemptSeen());
    observer.step(stepSeen());
    observer.batch({ inputs: 1, effects: 1, commitMs: 1 });
    observer.barrier(1);
    const { body } = await telemetry.metrics();
    assert.match(body, /^restate_invoker_sent_bytes_total 100$/m);
    assert.match(body, /^holdfast_batches_total 1$/m);
    assert.doesNotMatch(body, /holdfast_spans_total/);
    await telemetry.shutdown();
    assert.deepEqual(lines, []);
  });

  it("counts what it traces, too", async () => {
    const collector = await Collector.listen();
    const { telemetry } = await telemetryFor(collector.url);
    assert.equal(telemetry.observer.isTracing, true);
    telemetry.observer.request(requestSeen());
    telemetry.observer.attempt(attemptSeen());
    telemetry.observer.step(stepSeen());
    await telemetry.shutdown();
    const { body } = await telemetry.metrics();
    assert.match(body, /^restate_invoker_invocation_tasks_total\{status="completed"\} 1$/m);
    assert.match(body, /^holdfast_steps_total\{status="completed"\} 1$/m);
    assert.equal(await spansWith(telemetry, "exported"), 3);
    await collector.close();
  });
});

async function spansWith(telemetry: Telemetry, status: string): Promise<number> {
  const { body } = await telemetry.metrics();
  const line = new RegExp(`^holdfast_spans_total\\{status="${status}"\\} (\\d+)$`, "m").exec(body);
  return Number(line?.[1] ?? 0);
}

async function lostSpans(
  telemetry: Telemetry,
  exports: number,
  collector: Collector,
): Promise<boolean> {
  if (collector.received.length < exports) return false;
  return (await spansWith(telemetry, "lost")) === collector.spans.length;
}

function soon(): Promise<void> {
  return new Promise((done) => {
    setTimeout(done, 5);
  });
}
