/** What can be seen from outside: metrics, trace contexts, and the views. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, Lab, OURS } from "./lab.suite.ts";
import { objectOf, type Op, serviceOf, World } from "./program.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

const TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`observation (${title})`, { concurrency: true }, () => {
    const world = new World();
    const service = `${tag}Service`;
    const object = `${tag}Object`;
    const path = `/${service}/run`;
    before(async () => {
      const sdk = await loadSdk(sdkName);
      const services = [serviceOf(sdk, world, service), objectOf(sdk, world, object)];
      await lab.register(await serve(sdk, services, transport));
    });

    it("the caller's trace goes on in the handler and in what it calls", OURS, async () => {
      const seen: Op = ["attemptHeader", "traceparent"];
      const answer = await lab.ask(path, {
        headers: { traceparent: TRACEPARENT, tracestate: "vendor=1" },
        body: [seen, ["call", [service, null, "run"], [seen]], ["attemptHeader", "tracestate"]],
      });
      const spans = [at(answer.json, 0), at(answer.json, 1, 0)].map(String);
      for (const span of spans) {
        assert.match(span, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
        assert.equal(span.split("-")[1], TRACE_ID);
        assert.notEqual(span, TRACEPARENT);
      }
      assert.notEqual(spans[0], spans[1]);
      assert.equal(at(answer.json, 2), "vendor=1");
    });

    it("without a trace there is none", async () => {
      assert.deepEqual(await lab.run(path, ["attemptHeader", "traceparent"]), [null]);
    });

    it("the journal is a view, with the names of steps and the ids of children", async () => {
      const id = await lab.send(
        path,
        ["step", "first step", 1],
        ["call", [object, "k", "run"], [["id"]]],
        ["sleep", 1],
      );
      await lab.attach(id);
      const rows = await lab.sql(
        `SELECT index, entry_type, name, entry_json, version FROM sys_journal WHERE id = '${id}' ORDER BY index`,
      );
      const types = rows.map((row) => String(at(row, "entry_type")));
      assert.deepEqual(
        types.filter((type) => type.startsWith("Command")),
        ["Input", "Run", "Call", "Sleep", "Output"].map((name) => `Command: ${name}`),
      );
      assert.deepEqual(types.filter((type) => type.startsWith("Notification")).toSorted(), [
        "Notification: Call",
        "Notification: CallInvocationId",
        "Notification: Run",
        "Notification: Sleep",
      ]);
      const run = rows.find((row) => at(row, "entry_type") === "Command: Run");
      assert.equal(at(run, "name"), "first step");
      const call = rows.find((row) => at(row, "entry_type") === "Command: Call");
      const json = JSON.parse(String(at(call, "entry_json"))) as unknown;
      const target = at(json, "Command", "Call", "request", "invocation_target");
      assert.match(JSON.stringify(target), new RegExp(`${object}.*k.*run|${object}.*run.*k`));
    });

    it("a finished invocation is a row with all that is known of it", async () => {
      const answer = await lab.ask(`/${object}/row/run`, {
        headers: { "idempotency-key": "row" },
        body: [["throw", "no", 418]],
      });
      const id = answer.headers.get("x-restate-id") ?? "";
      const [row] = await lab.sql(`SELECT * FROM sys_invocation WHERE id = '${id}'`);
      const expected = {
        target: `${object}/row/run`,
        target_service_name: object,
        target_service_key: "row",
        target_handler_name: "run",
        target_service_ty: "virtual_object",
        idempotency_key: "row",
        invoked_by: "ingress",
        status: "completed",
        completion_result: "failure",
        completion_failure: "[418] no",
        completion_retention: "PT86400S",
      };
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(at(row, name), value, name);
      }
      for (const name of ["created_at", "modified_at", "running_at", "completed_at"]) {
        assert.match(String(at(row, name)), /^\d{4}-.*T.*\.\d{3}Z$/, name);
      }
    });

    it("a child knows its parent", async () => {
      const id = await lab.send(path, ["call", [object, "child", "run"], [["id"]]]);
      const child = String(at((await lab.attach(id)).json, 0, 0));
      const [row] = await lab.sql(
        `SELECT invoked_by, invoked_by_id, invoked_by_target, invoked_by_service_name FROM sys_invocation WHERE id = '${child}'`,
      );
      assert.deepEqual(row, {
        invoked_by: "service",
        invoked_by_id: id,
        invoked_by_target: `${service}/run`,
        invoked_by_service_name: service,
      });
    });
  });
}

it("metrics count what happened", OURS, async () => {
  const answer = await lab.tell("GET", "/metrics");
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type") ?? "", /text\/plain/);
  assert.match(answer.text, /restate_ingress_requests_total\{[^}]*\} [1-9]/);
  assert.match(answer.text, /^# TYPE /m);
});

it("queries that are wrong are refused with 400, and writing is impossible", OURS, async () => {
  for (const query of [
    "SELEC 1",
    "SELECT x FROM nowhere",
    "SELECT nope FROM sys_invocation",
    "DELETE FROM state",
    "SELECT 1; SELECT 2",
    "INSERT INTO state VALUES (1)",
    "PRAGMA journal_mode = DELETE",
    "ATTACH '/tmp/x' AS y",
    "",
  ]) {
    const answer = await lab.tell("POST", "/query", { query });
    assert.equal(answer.status, 400, `${query}: ${answer.text}`);
    assert.match(String(at(answer.json, "message")), /\w/);
  }
});
