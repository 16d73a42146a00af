import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptSources } from "./attempt-metrics.ts";
import { Metrics } from "./metrics.ts";
import { attemptSeen, NOON_MS, requestSeen, stepSeen } from "./seen.suite.ts";

const IDLE: AttemptSources = { attemptsMax: 7, inFlight: () => 0, waiting: () => 0 };

/** The value of one series; undefined when it is not shown. `series` is a name with all its labels, in any order. */
function valueOf(
  body: string,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  for (const line of body.split("\n")) {
    const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match?.[1] !== name) continue;
    const found = [...(match[2] ?? "").matchAll(/(\w+)="([^"]*)"/g)].map((m) => [m[1], m[2]]);
    const wanted = Object.entries(labels);
    const isSame =
      found.length === wanted.length &&
      wanted.every(([k, v]) => found.some(([a, b]) => a === k && b === v));
    if (isSame) return Number(match[3]);
  }
  return undefined;
}

async function scraped(
  metrics: Metrics,
): Promise<(name: string, labels?: Record<string, string>) => number | undefined> {
  const { body } = await metrics.scrape();
  return (name, labels) => valueOf(body, name, labels);
}

describe("metrics of requests", () => {
  it("count by service, kind and end, with the names of the native server", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    metrics.request(requestSeen());
    metrics.request(requestSeen());
    metrics.request(requestSeen({ status: "invocation-error", httpStatus: 409 }));
    metrics.request(requestSeen({ kind: "send", status: "accepted", httpStatus: 202 }));
    metrics.request(requestSeen({ status: "rate-limited", invocationId: null }));
    const value = await scraped(metrics);
    const labels = (status: string, type = "call") => ({
      status,
      rpc_service: "Greeter",
      rpc_type: type,
    });
    const name = "restate_ingress_requests_total";
    assert.equal(value(name, labels("completed")), 2);
    assert.equal(value(name, labels("invocation_error")), 1);
    assert.equal(value(name, labels("completed", "send")), 1);
    assert.equal(value(name, labels("rate-limited")), 1);
    assert.equal(value(name, labels("admitted")), 3);
    assert.equal(value(name, labels("admitted", "send")), 1);
  });

  it("do not count twice what is scraped twice", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    metrics.request(requestSeen());
    await metrics.scrape();
    metrics.request(requestSeen());
    const value = await scraped(metrics);
    const labels = { status: "completed", rpc_service: "Greeter", rpc_type: "call" };
    assert.equal(value("restate_ingress_requests_total", labels), 2);
  });

  it("have durations in seconds, also when the clock was set back", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    metrics.request(requestSeen({ endedAtMs: NOON_MS + 20 }));
    metrics.request(requestSeen({ endedAtMs: NOON_MS - 5000 }));
    const value = await scraped(metrics);
    const rpc_service = "Greeter";
    assert.equal(value("restate_ingress_request_duration_seconds_sum", { rpc_service }), 0.02);
    assert.equal(value("restate_ingress_request_duration_seconds_count", { rpc_service }), 2);
    const bucket = "restate_ingress_request_duration_seconds_bucket";
    assert.equal(value(bucket, { rpc_service, le: "0.01" }), 1);
    assert.equal(value(bucket, { rpc_service, le: "0.025" }), 2);
  });

  it("give a request to no registered service an empty label", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    const seen = {
      service: null,
      handler: null,
      status: "request-error",
      httpStatus: 404,
    } as const;
    metrics.request(requestSeen({ ...seen, invocationId: null, trace: null }));
    const value = await scraped(metrics);
    const labels = { status: "request_error", rpc_service: "", rpc_type: "call" };
    assert.equal(value("restate_ingress_requests_total", labels), 1);
  });

  it("do not grow without bound with the services that are registered one after the other", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    for (let n = 0; n < 1200; n += 1) metrics.request(requestSeen({ service: `S${n}` }));
    const { body } = await metrics.scrape();
    const completed = body
      .split("\n")
      .filter((line) => line.startsWith('restate_ingress_requests_total{status="completed"'));
    assert.equal(completed.length, 1001);
    const labels = { status: "completed", rpc_service: "_other", rpc_type: "call" };
    assert.equal(valueOf(body, "restate_ingress_requests_total", labels), 200);
  });
});

describe("metrics of attempts", () => {
  it("count ends, bytes and failures by code", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    const failure = { code: 500, errorCode: "RT0007", message: "no" };
    metrics.attempt(attemptSeen({ sentBytes: 10, receivedBytes: 1 }));
    metrics.attempt(attemptSeen({ status: "suspended", sentBytes: 5, receivedBytes: 2 }));
    metrics.attempt(attemptSeen({ status: "failed", failure }));
    const value = await scraped(metrics);
    const tasks = "restate_invoker_invocation_tasks_total";
    assert.equal(value(tasks, { status: "completed" }), 1);
    assert.equal(value(tasks, { status: "suspended" }), 1);
    assert.equal(value(tasks, { status: "failed", transient: "true" }), 1);
    assert.equal(value("restate_invoker_sent_bytes_total"), 115);
    assert.equal(value("restate_invoker_received_bytes_total"), 43);
    assert.equal(value("holdfast_attempt_failures_total", { code: "RT0007" }), 1);
    assert.equal(value("restate_invoker_task_duration_seconds_count"), 3);
  });

  it("count those in flight as started, and never fewer than before", async () => {
    let inFlight = 3;
    const metrics = new Metrics("1.2.3", { ...IDLE, inFlight: () => inFlight });
    const started = async () =>
      (await scraped(metrics))("restate_invoker_invocation_tasks_total", { status: "started" });
    metrics.attempt(attemptSeen());
    assert.equal(await started(), 4);
    // The exchange of one is gone before its end was told.
    inFlight = 2;
    assert.equal(await started(), 4);
    metrics.attempt(attemptSeen());
    metrics.attempt(attemptSeen());
    assert.equal(await started(), 5);
  });

  it("count steps and those that failed, once there are any", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    assert.doesNotMatch((await metrics.scrape()).body, /holdfast_step/);
    metrics.step(stepSeen());
    metrics.step(stepSeen({ failed: true, endedAtMs: NOON_MS + 1004 }));
    const value = await scraped(metrics);
    assert.equal(value("holdfast_steps_total", { status: "completed" }), 1);
    assert.equal(value("holdfast_steps_total", { status: "failed" }), 1);
    assert.equal(value("holdfast_step_duration_seconds_sum"), 1.005);
  });

  it("show what is asked at the scrape", async () => {
    const metrics = new Metrics("1.2.3", { attemptsMax: 50, inFlight: () => 4, waiting: () => 9 });
    const value = await scraped(metrics);
    assert.equal(value("restate_invoker_concurrency_limit"), 50);
    assert.equal(value("holdfast_attempts_in_flight"), 4);
    assert.equal(value("holdfast_attempts_waiting"), 9);
  });
});

describe("metrics of the server", () => {
  it("count batches, what was in them, and how long the disk took", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    metrics.batch({ inputs: 3, effects: 2, commitMs: 0.2 });
    metrics.batch({ inputs: 1, effects: 1, commitMs: 0.3 });
    metrics.barrier(4);
    const value = await scraped(metrics);
    assert.equal(value("holdfast_batches_total"), 2);
    assert.equal(value("holdfast_inputs_total"), 4);
    assert.equal(value("holdfast_effects_total"), 3);
    assert.equal(value("holdfast_commit_duration_seconds_sum"), 0.0005);
    assert.equal(value("holdfast_barrier_wait_seconds_bucket", { le: "0.0025" }), 0);
    assert.equal(value("holdfast_barrier_wait_seconds_bucket", { le: "0.005" }), 1);
  });

  it("take no number that is none", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    metrics.barrier(Number.NaN);
    metrics.batch({ inputs: 1, effects: 0, commitMs: Number.POSITIVE_INFINITY });
    const value = await scraped(metrics);
    assert.equal(value("holdfast_barrier_wait_seconds_count"), 1);
    assert.equal(value("holdfast_commit_duration_seconds_sum"), 0);
  });

  it("say what runs, and how the process does", async () => {
    const metrics = new Metrics("1.2.3", IDLE);
    const { contentType, body } = await metrics.scrape();
    assert.match(contentType, /^text\/plain; version=0\.0\.4/);
    const labels = { version: "1.2.3", node_version: process.version };
    assert.equal(valueOf(body, "holdfast_build_info", labels), 1);
    assert.ok((valueOf(body, "process_resident_memory_bytes") ?? 0) > 0);
    assert.notEqual(valueOf(body, "nodejs_eventloop_lag_p99_seconds"), undefined);
  });
});
