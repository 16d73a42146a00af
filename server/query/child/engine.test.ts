import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { CLI_STATEMENTS } from "../cli-statements.suite.ts";
import { VIEWS } from "../views/catalog.ts";
import { CREATED_MS, DEPLOYMENT, idText, WORLD } from "../world.suite.ts";
import { worldEngine } from "./engine.suite.ts";

const engine = worldEngine();
const { rows, text } = engine;
const of = (number: number) => `WHERE id = '${idText(number)}'`;
const at = (ms: number) => new Date(CREATED_MS + ms).toISOString();

describe("statements of the CLI", () => {
  for (const { sql, format, rows: expected } of CLI_STATEMENTS) {
    it(`runs ${sql.slice(0, 90)}… as ${format}`, () => {
      assert.equal(rows(sql).length, expected);
      assert.equal(tableFromIPC(engine.bytes(sql, "arrow")).numRows, expected);
    });
  }

  it("counts as Int64, in the first column of the first batch", () => {
    const table = tableFromIPC(engine.bytes("SELECT COUNT(*) FROM sys_invocation", "arrow"));
    assert.equal(String(table.schema.fields[0]?.type), "Int64");
    assert.equal(table.batches[0]?.getChildAt(0)?.get(0), 11n);
  });

  it("says whether the pinned deployment exists, as a boolean", () => {
    const sql = (number: number) =>
      "SELECT dp.id IS NOT NULL as pinned_deployment_exists FROM sys_invocation inv " +
      `LEFT JOIN sys_deployment dp ON dp.id = inv.pinned_deployment_id WHERE inv.id in ('${idText(number)}')`;
    assert.deepEqual(rows(sql(WORLD.backingOff)), [{ pinned_deployment_exists: true }]);
    assert.deepEqual(rows(sql(WORLD.paused)), [{ pinned_deployment_exists: false }]);
  });

  it("gives state as bytes to the test containers, behind a semicolon", () => {
    const sql = "SELECT key, value FROM state WHERE service_name = 'Counter' AND key = 'raw';";
    const table = tableFromIPC(engine.bytes(sql, "arrow"));
    assert.equal(String(table.schema.fields[1]?.type), "LargeBinary");
    assert.deepEqual(table.getChildAt(1)?.get(0), Uint8Array.of(0xff, 0));
    assert.deepEqual(rows(sql), [{ key: "raw", value: "ff00" }]);
  });
});

describe("sys_invocation", () => {
  const one = (number: number) => rows(`SELECT * FROM sys_invocation ${of(number)}`)[0] ?? {};

  it("shows a completed invocation without what it does not have", () => {
    assert.deepEqual(one(WORLD.completed), {
      id: idText(WORLD.completed),
      target: "Greeter/multi",
      target_service_name: "Greeter",
      target_handler_name: "multi",
      target_service_ty: "service",
      idempotency_key: "idem-1",
      invoked_by: "ingress",
      pinned_deployment_id: DEPLOYMENT,
      pinned_service_protocol_version: 7,
      trace_id: "a".repeat(32),
      journal_size: 34,
      journal_commands_size: 21,
      created_at: at(0),
      created_using_restate_version: "1.2.3",
      modified_at: at(70),
      running_at: at(4),
      completed_at: at(70),
      completion_retention: "PT86400S",
      journal_retention: "P0D",
      status: "completed",
      completion_result: "success",
    });
  });

  it("names every status, and tells an attempt in flight from one that is asked for", () => {
    const statuses = rows("SELECT id, status FROM sys_invocation");
    const statusOf = (number: number) =>
      statuses.find(({ id }) => id === idText(number))?.["status"];
    assert.equal(statusOf(WORLD.scheduled), "scheduled");
    assert.equal(statusOf(WORLD.queued), "pending");
    assert.equal(statusOf(WORLD.running), "running");
    // There is an attempt of it in flight, but not the current one.
    assert.equal(statusOf(WORLD.ready), "ready");
    assert.equal(statusOf(WORLD.suspended), "suspended");
    assert.equal(statusOf(WORLD.backingOff), "backing-off");
    assert.equal(statusOf(WORLD.paused), "paused");
    assert.equal(statusOf(WORLD.completed), "completed");
    assert.deepEqual(
      rows("SELECT DISTINCT status FROM sys_invocation_status ORDER BY status").map(
        ({ status }) => status,
      ),
      ["completed", "inboxed", "invoked", "paused", "scheduled", "suspended"],
    );
  });

  it("shows the attempt in flight", () => {
    const running = one(WORLD.running);
    assert.equal(running["last_start_at"], at(26));
    assert.equal(running["last_attempt_deployment_id"], DEPLOYMENT);
    assert.equal(running["last_attempt_server"], "restate-sdk-typescript/1.17.2");
    assert.equal(
      running["last_awaiting_on_future_json"],
      '{"FirstCompleted":[{"Single":{"CompletionId":3}}]}',
    );
    assert.equal(running["retry_count"], 1);
    assert.equal(running["target_service_key"], "k1");
    assert.equal(running["target_service_ty"], "virtual_object");
  });

  it("says why and where the last attempt failed, and when the next one is", () => {
    const row = one(WORLD.backingOff);
    assert.equal(row["last_failure"], "[500 Internal] boom\nError: boom\n    at f");
    assert.equal(row["last_failure_error_code"], "RT0007");
    assert.equal(row["last_failure_related_entry_index"], 1);
    assert.equal(row["last_failure_related_entry_name"], "step-a");
    assert.equal(row["last_failure_related_entry_type"], "Run");
    assert.equal(row["last_failure_related_command_index"], 1);
    assert.equal(row["retry_count"], 2);
    assert.equal(row["next_retry_at"], at(1040));
    // A command that was never stored has no place in the journal.
    const paused = one(WORLD.paused);
    assert.equal(paused["last_failure_related_entry_index"], undefined);
    assert.equal(paused["last_failure_related_command_index"], 7);
  });

  it("says what a suspended invocation waits for", () => {
    const row = one(WORLD.suspended);
    assert.deepEqual(row["suspended_waiting_for_completions"], [1, 2]);
    assert.deepEqual(row["suspended_waiting_for_signals"], [1]);
    assert.deepEqual(JSON.parse(String(row["suspended_waiting_future_json"])), {
      FirstCompleted: [
        { Single: { CompletionId: 1 } },
        { Single: { SignalIndex: 1 } },
        { Single: { SignalName: "go" } },
        { AllCompleted: [{ Single: { CompletionId: 2 } }] },
      ],
    });
  });

  it("says who called, and what it was restarted from", () => {
    const called = one(WORLD.failed);
    assert.equal(called["invoked_by"], "service");
    assert.equal(called["invoked_by_id"], idText(WORLD.completed));
    assert.equal(called["invoked_by_target"], "Greeter/multi");
    assert.equal(called["invoked_by_service_name"], "Greeter");
    assert.equal(called["completion_failure"], "[409] Cancelled");
    const restarted = one(WORLD.callee);
    assert.equal(restarted["invoked_by"], "restart_as_new");
    assert.equal(restarted["restarted_from"], idText(WORLD.completed));
  });

  it("is the same by id as in a scan, and nothing for what is no id", () => {
    const all = rows("SELECT * FROM sys_invocation");
    for (const row of all) {
      assert.deepEqual(rows(`SELECT * FROM sys_invocation WHERE id = '${String(row["id"])}'`), [
        row,
      ]);
    }
    assert.deepEqual(rows("SELECT * FROM sys_invocation WHERE id = 'inv_1wrong'"), []);
  });

  it("finds the same with its variants as without", () => {
    const condition = fc.constantFrom(
      `inv.id = '${idText(WORLD.paused)}'`,
      `inv.id IN ('${idText(WORLD.running)}', '${idText(WORLD.completed)}', 'x')`,
      "inv.status != 'completed'",
      "status IN ('paused', 'running')",
      "status = 'completed'",
      "inv.target_service_name = 'Greeter'",
      "NOT inv.status = 'paused'",
      "created_at > '2026-11-23T07:51:27.268Z'",
    );
    const where = fc.array(fc.tuple(condition, fc.constantFrom("AND", "OR")), { minLength: 1 });
    fc.assert(
      fc.property(where, (parts) => {
        const joined = parts.map(([each, by]) => `${each} ${by} `).join("") + "1 = 1";
        const ask = (from: string) =>
          rows(`SELECT id FROM ${from} inv WHERE ${joined} ORDER BY id`);
        assert.deepEqual(ask("sys_invocation"), ask("(SELECT * FROM sys_invocation)"));
      }),
      { numRuns: 60 },
    );
  });
});

describe("the other views", () => {
  it("sys_invocation_state has what is not over, with or without an attempt in flight", () => {
    const states = rows("SELECT id, in_flight FROM sys_invocation_state ORDER BY in_flight DESC");
    assert.deepEqual(states[0], { id: idText(WORLD.running), in_flight: true });
    assert.equal(states.length, 5);
  });

  it("sys_journal shows entries by name, and its payloads as numbers", () => {
    const entries = rows(`SELECT * FROM sys_journal ${of(WORLD.completed)} ORDER BY index`);
    assert.equal(entries.length, 34);
    const [input, run] = entries;
    assert.equal(input?.["entry_type"], "Command: Input");
    assert.deepEqual(JSON.parse(String(input?.["entry_json"])), {
      Command: { Input: { headers: [{ name: "a", value: "b" }], payload: [49], name: "" } },
    });
    assert.equal(input?.["entry_lite_json"], '{"Command":{"Input":{}}}');
    assert.equal(run?.["name"], "step-a");
    assert.equal(run?.["version"], 2);
    assert.equal(run?.["appended_at"], at(10));
    assert.equal(run?.["index"], 1);
  });

  it("sys_journal finds what a call started in the notification that tells it", () => {
    const json = (type: string) =>
      rows(
        `SELECT entry_json FROM sys_journal ${of(WORLD.completed)} AND entry_type = '${type}'`,
      )[0];
    const call: unknown = JSON.parse(String(json("Command: Call")?.["entry_json"]));
    assert.deepEqual((call as CallEntry).Command.Call.request.invocation_id, idText(WORLD.callee));
    assert.deepEqual((call as CallEntry).Command.Call.request.invocation_target, {
      Service: { name: "Greeter", handler: "callee", scope: null },
    });
    assert.match(
      String(json("Command: OneWayCall")?.["entry_json"]),
      /"VirtualObject":.*"Exclusive"/,
    );
  });

  it("sys_journal_events tells failures, suspensions and pauses", () => {
    const events = rows(
      "SELECT event_type, event_json FROM sys_journal_events ORDER BY appended_at",
    );
    assert.deepEqual(
      new Set(events.map(({ event_type }) => event_type)),
      new Set(["Paused", "Resumed", "Suspended", "TransientError"]),
    );
    assert.equal(events.length, 4);
    const failed = events.find(({ event_type }) => event_type === "TransientError");
    assert.deepEqual(JSON.parse(String(failed?.["event_json"])), {
      ty: "TransientError",
      error_code: 500,
      error_message: "boom",
      error_stacktrace: "Error: boom\n    at f",
      restate_doc_error_code: "RT0007",
      related_command_index: 1,
      related_command_name: "step-a",
      related_command_type: "Run",
    });
  });

  it("state prints the partition key whole", () => {
    assert.equal(
      text("SELECT partition_key, key_length, value_utf8 FROM state WHERE key = 'count'"),
      '{"rows":[{"partition_key":3728067117935382985,"key_length":5,"value_utf8":"5"}]}',
    );
    const key = "10807065082823778943";
    assert.equal(
      text(`SELECT DISTINCT partition_key FROM sys_promise WHERE partition_key = ${key}`),
      `{"rows":[{"partition_key":${key}}]}`,
    );
  });

  it("sys_promise has those that are completed and those that are awaited", () => {
    const promises = rows(
      "SELECT key, completed, completion_success_value_utf8 AS v, completion_failure AS f FROM sys_promise ORDER BY key",
    );
    assert.deepEqual(promises, [
      { key: "open", completed: false },
      { key: "p", completed: true, v: '"v"' },
      { key: "q", completed: true, f: "[400] no" },
    ]);
  });

  it("sys_inbox, sys_keyed_service_status and sys_locks show who waits for a key and who has it", () => {
    assert.deepEqual(rows("SELECT id, service_key, created_at FROM sys_inbox"), [
      { id: idText(WORLD.queued), service_key: "k1", created_at: at(WORLD.queued) },
    ]);
    assert.deepEqual(rows("SELECT service_name, invocation_id FROM sys_keyed_service_status"), [
      { service_name: "Counter", invocation_id: idText(WORLD.running) },
    ]);
    assert.deepEqual(rows("SELECT lock_name, acquired_by FROM sys_locks"), [
      { lock_name: "Counter/k1", acquired_by: idText(WORLD.running) },
    ]);
  });

  it("sys_service and sys_deployment show the registry, with what operators set over it", () => {
    assert.deepEqual(rows("SELECT name, revision, public, ty FROM sys_service ORDER BY name"), [
      { name: "Counter", revision: 1, public: false, ty: "virtual_object" },
      { name: "Flow", revision: 1, public: false, ty: "workflow" },
      { name: "Greeter", revision: 1, public: true, ty: "service" },
    ]);
    assert.deepEqual(rows("SELECT * FROM sys_deployment"), [
      {
        id: DEPLOYMENT,
        ty: "http",
        endpoint: "http://127.0.0.1:9080/",
        created_at: at(-1000),
        min_service_protocol_version: 5,
        max_service_protocol_version: 6,
        services: ["Greeter", "Counter", "Flow"],
      },
    ]);
  });

  it("are all there, in both formats", () => {
    for (const { name, columns } of VIEWS) {
      const table = tableFromIPC(engine.bytes(`SELECT * FROM ${name}`, "arrow"));
      assert.deepEqual(
        table.schema.fields.map((field) => field.name),
        columns.map(([column]) => column),
      );
      assert.equal(table.numRows, rows(`SELECT * FROM ${name}`).length, name);
    }
  });
});

interface CallEntry {
  readonly Command: {
    readonly Call: {
      readonly request: { readonly invocation_id: string; readonly invocation_target: unknown };
    };
  };
}
