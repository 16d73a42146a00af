import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future, Message } from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, Invocation } from "../machine/invocation.ts";
import { at, idOf, NOW_MS, NOW_TEXT, service } from "./fake-world.suite.ts";
import { type Fixture, start } from "./fixture.suite.ts";

const ID = idOf(1);
const ID_TEXT = invocationIdToString(ID);
const DEPLOYMENT = "dp_10000000000000000000001";

const JOURNAL: readonly Message[] = [
  {
    type: MessageType.InputCommand,
    headers: [{ key: "authorization", value: "secret" }],
    value: Buffer.from("secret payload"),
    name: "",
  },
  { type: MessageType.RunCommand, resultCompletionId: 1, name: "charge" },
  {
    type: MessageType.RunCompletion,
    id: { kind: "completion", completionId: 1 },
    result: { kind: "value", value: Buffer.from("secret result") },
  },
  { type: MessageType.SleepCommand, wakeUpTimeMs: NOW_MS, resultCompletionId: 2, name: "" },
  {
    type: MessageType.CallCommand,
    service: "Mailer",
    handler: "send",
    key: "",
    parameter: Buffer.from("secret argument"),
    headers: [],
    invocationIdCompletionId: 3,
    resultCompletionId: 4,
    name: "mail",
  },
  {
    type: MessageType.Signal,
    id: { kind: "signal-index", index: 17 },
    result: { kind: "failure", failure: { code: 500, message: "rejected" } },
  },
];

const FAILURE: AttemptFailure = {
  code: 570,
  errorCode: "RT0016",
  message: "the code did something else",
  relatedCommandIndex: 1,
  relatedCommandName: "refund",
  relatedCommandType: MessageType.SleepCommand,
  mismatch: {
    entryIndex: 1,
    commandIndex: 1,
    recordedType: MessageType.RunCommand,
    recordedName: "charge",
  },
};

const awaiting = (fields: Partial<Future>): Future => ({
  completions: [],
  signals: [],
  namedSignals: [],
  nested: [],
  combinator: 1,
  ...fields,
});

async function prepared(fields: Partial<Invocation>): Promise<Fixture> {
  const fixture = await start();
  fixture.world.register(service("Greeter", [{ name: "run" }]));
  fixture.world.add(1, fields, JOURNAL);
  return fixture;
}

async function show(fields: Partial<Invocation>): Promise<unknown> {
  const { request } = await prepared(fields);
  const answer = await request("GET", `/invocations/${ID_TEXT}`);
  assert.equal(answer.status, 200);
  assert.ok(!answer.text.includes("secret"));
  return answer.json;
}

test("an invocation is shown with what it is and where it runs", async () => {
  const shown = await show({
    idempotencyKey: "k",
    trace: {
      traceId: "0123456789abcdef0123456789abcdef",
      spanId: "0123456789abcdef",
      flags: "01",
      state: null,
    },
    restartedFrom: idOf(9),
    pin: { deploymentId: DEPLOYMENT, protocolVersion: 6 },
    runningAtMs: NOW_MS,
    lastStartAtMs: NOW_MS,
  });
  assert.deepEqual(shown, {
    id: ID_TEXT,
    status: "running",
    explanation: `it has been ready to run since ${NOW_TEXT} and waits for room among the attempts in flight`,
    target: "Greeter/run",
    target_service_name: "Greeter",
    target_handler_name: "run",
    kind: "plain",
    idempotency_key: "k",
    restarted_from: invocationIdToString(idOf(9)),
    trace_id: "0123456789abcdef0123456789abcdef",
    created_at: NOW_TEXT,
    modified_at: NOW_TEXT,
    running_at: NOW_TEXT,
    last_start_at: NOW_TEXT,
    completion_retention: "1m",
    journal_retention: "30s",
    pinned_deployment_id: DEPLOYMENT,
    pinned_service_protocol_version: 6,
    retry_count: 0,
    waiting_for: [
      { kind: "room", explanation: "room for an attempt among those in flight", since: NOW_TEXT },
    ],
    journal_size: 6,
    journal_commands_size: 4,
  });
});

test("a suspended invocation names everything it waits for, with the tree it stands in", async () => {
  const tree = awaiting({
    signals: [1],
    nested: [
      awaiting({
        completions: [2, 4, 9],
        signals: [18],
        namedSignals: ["approved"],
        combinator: 3,
      }),
    ],
  });
  const shown = await show({ state: { status: "suspended", awaiting: tree } });
  const causes = at(shown, "waiting_for");
  assert.ok(Array.isArray(causes));
  const withoutText = causes.map((each: unknown) =>
    Object.fromEntries(Object.entries(each ?? {}).filter(([name]) => name !== "explanation")),
  );
  assert.deepEqual(withoutText, [
    { kind: "timer", since: NOW_TEXT, completion_id: 2, command_index: 2, wake_up_at: NOW_TEXT },
    {
      kind: "invocation",
      since: NOW_TEXT,
      completion_id: 4,
      command_index: 3,
      name: "mail",
      by: "call",
      target: "Mailer/send",
      status: "unknown",
    },
    { kind: "completion", completion_id: 9 },
    {
      kind: "awakeable",
      since: NOW_TEXT,
      awakeable_id: awakeableIdToString(ID, 18),
      signal_index: 18,
    },
    { kind: "signal", since: NOW_TEXT, name: "approved" },
  ]);
});

test("an invocation that failed says where, when it goes on, and both sides of a mismatch", async () => {
  const lastFailure = { ...FAILURE, stacktrace: "at x", atMs: NOW_MS };
  const retryAtMs = NOW_MS + 1000;
  const shown = await show({
    retryCount: 3,
    lastFailure,
    state: { status: "backing-off", retryAtMs },
  });
  const retryAt = "2026-11-23T09:04:47.167000000Z";
  assert.equal(at(shown, "next_retry_at"), retryAt);
  assert.equal(at(shown, "retry_count"), 3);
  assert.deepEqual(at(shown, "last_failure"), {
    code: 570,
    error_code: "RT0016",
    message: "the code did something else",
    stacktrace: "at x",
    related_command_index: 1,
    related_command_name: "refund",
    related_command_type: "SleepCommand",
    mismatch: {
      entry_index: 1,
      command_index: 1,
      recorded: { type: "RunCommand", name: "charge" },
      attempted: { type: "SleepCommand", name: "refund" },
    },
    at: NOW_TEXT,
  });
  const explanation = String(at(shown, "explanation"));
  assert.match(
    explanation,
    /failed in attempt 3.*RT0016 the journal holds RunCommand 'charge' at entry 1, and the code now does SleepCommand 'refund'/,
  );
  assert.ok(explanation.includes(retryAt));
});

test("a paused invocation says why and what mends it", async () => {
  const lastFailure = { ...FAILURE, atMs: NOW_MS };
  for (const [reason, text] of [
    ["operator", /an operator asked for it/],
    ["retries-exhausted", /its retries are used up: RT0016/],
    ["handler", /its endpoint asked for it/],
    ["future-too-deep", /nested too deeply/],
  ] as const) {
    const shown = await show({ lastFailure, state: { status: "paused", reason } });
    assert.equal(at(shown, "pause_reason"), reason);
    assert.match(String(at(shown, "explanation")), text);
    assert.ok(String(at(shown, "explanation")).includes(`PATCH /invocations/${ID_TEXT}/resume`));
  }
});

test("a scheduled and a queued invocation say when or behind whom they start", async () => {
  const startAtMs = NOW_MS + 1000;
  const scheduled = await show({ startAtMs, state: { status: "scheduled", startAtMs } });
  assert.equal(at(scheduled, "scheduled_start_at"), "2026-11-23T09:04:47.167000000Z");
  const fixture = await start();
  const { world } = fixture;
  const target = { service: "Counter", handler: "add", key: "a" };
  const queued = { status: "queued", position: 70 } as const;
  world.add(1, { target, kind: "exclusive", queuedAtMs: NOW_MS, state: queued });
  world.add(2, { target, kind: "exclusive" });
  world.holders.set("Counter/a", 2);
  world.queues.set("Counter/a", [3, 4, 1]);
  const { json } = await fixture.request("GET", `/invocations/${ID_TEXT}`);
  assert.equal(at(json, "target"), "Counter/a/add");
  assert.equal(at(json, "queued_at"), NOW_TEXT);
  const holder = invocationIdToString(idOf(2));
  assert.deepEqual(at(json, "queue"), { key: "a", position: 3, holder });
});

test("a completed invocation says how it ended and until when it is kept", async () => {
  const outcome: Message = {
    type: MessageType.OutputCommand,
    result: { kind: "failure", failure: { code: 409, message: "killed" } },
    name: "",
  };
  const fixture = await start();
  const state = { status: "completed", completedAtMs: NOW_MS, outputIndex: 0 } as const;
  fixture.world.add(1, { state, isJournalPurged: true }, [outcome]);
  const { json } = await fixture.request("GET", `/invocations/${ID_TEXT}`);
  assert.equal(at(json, "completed_at"), NOW_TEXT);
  assert.equal(at(json, "expires_at"), "2026-11-23T09:05:46.167000000Z");
  assert.equal(at(json, "completion_result"), "failure");
  assert.deepEqual(at(json, "completion_failure"), { code: 409, message: "killed" });
  assert.equal(at(json, "is_journal_purged"), true);
  assert.equal(at(json, "waiting_for"), undefined);
});

test("what is kept no longer is gone, though its rows are still there", async () => {
  const state = { status: "completed", completedAtMs: NOW_MS - 60_000, outputIndex: 0 } as const;
  const { request } = await prepared({ state });
  assert.equal((await request("GET", `/invocations/${ID_TEXT}`)).status, 404);
});

test("an attempt in flight is shown with what its handler said it awaits", async () => {
  const fixture = await prepared({ state: { status: "running", isPausing: true } });
  fixture.world.attempts.set(1, {
    seq: 1,
    epoch: 4,
    deploymentId: DEPLOYMENT,
    sdkVersion: "test/1.0.0",
    startedAtMs: NOW_MS,
    awaitingOn: awaiting({ completions: [2], signals: [1] }),
  });
  const { json } = await fixture.request("GET", `/invocations/${ID_TEXT}`);
  assert.deepEqual(at(json, "attempt"), {
    epoch: 4,
    deployment_id: DEPLOYMENT,
    sdk_version: "test/1.0.0",
    started_at: NOW_TEXT,
    awaiting_on: { combinator: "first-completed", completions: [2], signals: ["cancellation"] },
  });
  assert.equal(at(json, "is_pausing"), true);
  assert.match(String(at(json, "explanation")), /waits for a timer due at .*pauses when/);
});

test("the journal is listed without payloads, page by page", async () => {
  const fixture = await prepared({});
  const { request, world } = fixture;
  world.journals.get(1)?.splice(5, 1, {
    index: 5,
    type: 0x7fff,
    body: Buffer.from([255]),
    atMs: NOW_MS,
  });
  const all = await request("GET", `/invocations/${ID_TEXT}/journal`);
  assert.ok(!all.text.includes("secret"));
  const shown = at(all.json, "entries");
  assert.ok(Array.isArray(shown));
  assert.equal(at(all.json, "next"), null);
  assert.equal(at(shown, 0, "at"), NOW_TEXT);
  const bare = shown.map((entry: unknown) =>
    Object.fromEntries(
      Object.entries(entry ?? {}).filter(([name]) => name !== "bytes" && name !== "at"),
    ),
  );
  assert.deepEqual(bare, [
    { index: 0, kind: "command", type: "InputCommand", name: "" },
    { index: 1, kind: "command", type: "RunCommand", name: "charge", completion_id: 1 },
    { index: 2, kind: "notification", type: "RunCompletion", completion_id: 1, result: "value" },
    {
      index: 3,
      kind: "command",
      type: "SleepCommand",
      name: "",
      completion_id: 2,
      wake_up_at: NOW_TEXT,
    },
    {
      index: 4,
      kind: "command",
      type: "CallCommand",
      name: "mail",
      completion_id: 4,
      target: "Mailer/send",
      invocation_id_completion_id: 3,
    },
    { index: 5, kind: "command", type: "0x7fff", undecodable: true },
  ]);
  const page = await request("GET", `/invocations/${ID_TEXT}/journal?from=1&limit=2`);
  assert.equal(at(page.json, "next"), 3);
  assert.equal(at(page.json, "entries", 1, "index"), 2);
  const beyond = await request("GET", `/invocations/${ID_TEXT}/journal?from=99`);
  assert.deepEqual(beyond.json, { entries: [], events: [], next: null });
  for (const query of ["from=-1", "limit=0", "limit=1001", "limit=x", "from=", "from=1e3"]) {
    const refused = await request("GET", `/invocations/${ID_TEXT}/journal?${query}`);
    assert.equal(refused.status, 400, query);
  }
});

test("a page ends where it becomes too large", async () => {
  const { request, world } = await prepared({});
  const body = new Uint8Array(65 * 1024 * 1024);
  world.journals.get(1)?.splice(1, 1, { index: 1, type: 0x7fff, body, atMs: NOW_MS });
  const { json } = await request("GET", `/invocations/${ID_TEXT}/journal`);
  assert.equal(at(json, "next"), 2);
  const rest = await request("GET", `/invocations/${ID_TEXT}/journal?from=2`);
  assert.equal(at(rest.json, "entries", 3, "index"), 5);
});

test("commands on state and promises name what they are about", async () => {
  const fixture = await start();
  const key = Buffer.from("count");
  fixture.world.add(1, {}, [
    { type: MessageType.SetStateCommand, key, value: Buffer.from("secret"), name: "" },
    { type: MessageType.GetLazyStateCommand, key, resultCompletionId: 1, name: "" },
    { type: MessageType.GetPromiseCommand, key: "paid", resultCompletionId: 2, name: "" },
  ]);
  const answer = await fixture.request("GET", `/invocations/${ID_TEXT}/journal`);
  assert.ok(!answer.text.includes("secret"));
  assert.equal(at(answer.json, "entries", 0, "state_key"), "count");
  assert.equal(at(answer.json, "entries", 1, "state_key"), "count");
  assert.equal(at(answer.json, "entries", 2, "promise"), "paid");
});

test("events stand beside the entries they came after", async () => {
  const fixture = await prepared({});
  fixture.world.happened.set(1, [
    { kind: "attempt-failed", failure: FAILURE, atMs: NOW_MS, afterIndex: 0 },
    { kind: "suspended", awaiting: awaiting({ completions: [2] }), atMs: NOW_MS, afterIndex: 3 },
    { kind: "paused", reason: "operator", lastFailure: FAILURE, atMs: NOW_MS, afterIndex: 4 },
    { kind: "resumed", deploymentId: DEPLOYMENT, atMs: NOW_MS, afterIndex: 4 },
  ]);
  const journal = await fixture.request("GET", `/invocations/${ID_TEXT}/journal`);
  const events = at(journal.json, "events");
  assert.ok(Array.isArray(events));
  assert.deepEqual(
    events.map((each: unknown) => [at(each, "kind"), at(each, "after_index"), at(each, "at")]),
    [
      ["attempt-failed", 0, NOW_TEXT],
      ["suspended", 3, NOW_TEXT],
      ["paused", 4, NOW_TEXT],
      ["resumed", 4, NOW_TEXT],
    ],
  );
  assert.equal(at(events, 0, "failure", "error_code"), "RT0016");
  assert.deepEqual(at(events, 1, "awaiting_on", "completions"), [2]);
  assert.deepEqual([at(events, 2, "reason"), at(events, 2, "failure", "code")], ["operator", 570]);
  assert.equal(at(events, 3, "deployment_id"), DEPLOYMENT);
  const page = await fixture.request("GET", `/invocations/${ID_TEXT}/journal?from=2&limit=2`);
  assert.deepEqual(at(page.json, "events"), [events[1]]);
  const shown = await fixture.request("GET", `/invocations/${ID_TEXT}`);
  assert.deepEqual(at(shown.json, "events"), events);
});

test("a failed signal is listed with its failure", async () => {
  const { request } = await prepared({});
  const { json } = await request("GET", `/invocations/${ID_TEXT}/journal?from=5`);
  assert.equal(at(json, "entries", 0, "signal_index"), 17);
  assert.deepEqual(at(json, "entries", 0, "failure"), { code: 500, message: "rejected" });
});

test("an invocation that is unknown, or named by no id, is told so", async () => {
  const { request } = await start();
  for (const path of ["", "/journal", "/why"]) {
    assert.equal((await request("GET", `/invocations/${ID_TEXT}${path}`)).status, 404);
    assert.equal((await request("GET", `/invocations/inv_1nonsense${path}`)).status, 400);
  }
});
