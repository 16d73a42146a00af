import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future, Message } from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, Invocation } from "../machine/invocation.ts";
import {
  at,
  FakeWorld,
  idOf,
  NOW_MS,
  NOW_TEXT,
  service,
  testDeployment,
} from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";
import { whyView } from "./why.ts";

const DEPLOYMENT = testDeployment([]).id;
const PIN = { deploymentId: DEPLOYMENT, protocolVersion: 6 };
const FAILURE: AttemptFailure = { code: 500, errorCode: "RT0010", message: "connection refused" };
const text = (seq: number): string => invocationIdToString(idOf(seq));

function worldOf(...names: readonly string[]): FakeWorld {
  const world = new FakeWorld();
  world.register(...names.map((name) => service(name, [{ name: "run" }])));
  return world;
}

function why(world: FakeWorld, seq: number): unknown {
  const invocation = world.invocations.get(seq);
  assert.ok(invocation !== undefined);
  return JSON.parse(JSON.stringify(whyView({ reader: world.reader, live: world }, invocation)));
}

function kindsOf(answer: unknown): unknown[] {
  const causes = at(answer, "causes");
  assert.ok(Array.isArray(causes));
  return causes.map((each: unknown) => at(each, "kind"));
}

/** As protocol 6 says it: any of these, or a cancellation. */
function anyOf(completions: readonly number[], more: Partial<Future> = {}): Future {
  return { completions, signals: [1], namedSignals: [], nested: [], combinator: 1, ...more };
}

const suspendedOn = (awaiting: Future): Partial<Invocation> => ({
  state: { status: "suspended", awaiting },
});

/** A call of `seq` and what tells its id; the result has completion id 2. */
function call(seq: number, name: string, key = ""): readonly Message[] {
  return [
    {
      type: MessageType.CallCommand,
      service: name,
      handler: "run",
      key,
      parameter: new Uint8Array(0),
      headers: [],
      invocationIdCompletionId: 1,
      resultCompletionId: 2,
      name: "",
    },
    {
      type: MessageType.CallInvocationIdCompletion,
      id: { kind: "completion", completionId: 1 },
      result: { kind: "invocation-id", invocationId: text(seq) },
    },
  ];
}

const sleep = (id: number, name = ""): Message => ({
  type: MessageType.SleepCommand,
  wakeUpTimeMs: NOW_MS + 1000,
  resultCompletionId: id,
  name,
});

const onKey = (key: string): Pick<Invocation, "target" | "kind"> => ({
  target: { service: "Counter", handler: "run", key },
  kind: "exclusive",
});

const queued = (key: string, position = 1): Partial<Invocation> => ({
  ...onKey(key),
  queuedAtMs: NOW_MS,
  state: { status: "queued", position },
});

// ---- what one invocation waits for -------------------------------------------------------------

test("a timer, an awakeable and a signal are named", () => {
  const world = worldOf("Greeter");
  const awaiting = anyOf([5], { signals: [1, 17], namedSignals: ["go"] });
  world.add(1, suspendedOn(awaiting), [sleep(5, "nap")]);
  const answer = why(world, 1);
  assert.deepEqual(kindsOf(answer), ["timer", "awakeable", "signal"]);
  assert.equal(at(answer, "causes", 0, "wake_up_at"), "2026-11-23T09:04:47.167000000Z");
  assert.equal(at(answer, "causes", 0, "name"), "nap");
  assert.equal(at(answer, "causes", 0, "since"), NOW_TEXT);
  assert.equal(at(answer, "causes", 1, "awakeable_id"), awakeableIdToString(idOf(1), 17));
  assert.equal(at(answer, "causes", 2, "name"), "go");
  assert.match(
    String(at(answer, "explanation")),
    /^it has been suspended since \S+ and waits for a timer due at \S+, the awakeable sign_\S+ to be resolved or the signal 'go'$/,
  );
  assert.deepEqual(at(answer, "await_tree", "signals"), [
    "cancellation",
    awakeableIdToString(idOf(1), 17),
  ]);
});

test("since when it is suspended is told by its event, not by its last change", () => {
  const world = worldOf("Greeter");
  world.add(1, { ...suspendedOn(anyOf([5])), modifiedAtMs: NOW_MS + 9000 }, [sleep(5)]);
  const event = { kind: "suspended", awaiting: anyOf([5]), atMs: NOW_MS, afterIndex: 0 } as const;
  world.happened.set(1, [event]);
  assert.equal(at(why(world, 1), "since"), NOW_TEXT);
});

test("a promise is named, and whether it is completed", () => {
  const world = worldOf("Signup");
  const get: Message = {
    type: MessageType.GetPromiseCommand,
    key: "verified",
    resultCompletionId: 1,
    name: "",
  };
  const target = { service: "Signup", handler: "run", key: "u1" };
  world.add(1, { target, kind: "run", ...suspendedOn(anyOf([1])) }, [get]);
  const open = at(why(world, 1), "causes", 0);
  assert.deepEqual(
    [at(open, "kind"), at(open, "promise"), at(open, "completed")],
    ["promise", "verified", false],
  );
  world.promises.set("Signup/u1/verified", { kind: "value", value: new Uint8Array(0) });
  assert.equal(at(why(world, 1), "causes", 0, "completed"), true);
});

test("an attach is followed to the invocation it names", () => {
  const world = worldOf("Greeter");
  const attach: Message = {
    type: MessageType.AttachInvocationCommand,
    target: { kind: "invocation-id", invocationId: text(2) },
    resultCompletionId: 1,
    name: "",
  };
  world.add(1, suspendedOn(anyOf([1])), [attach]);
  world.add(2, suspendedOn(anyOf([5])), [sleep(5)]);
  const found = at(why(world, 1), "causes", 0);
  assert.deepEqual([at(found, "by"), at(found, "status")], ["attach", "suspended"]);
  assert.equal(at(found, "why", "causes", 0, "kind"), "timer");
});

test("a step without a recorded result and a result nobody asked for are told", () => {
  const world = worldOf("Greeter");
  const run: Message = { type: MessageType.RunCommand, resultCompletionId: 1, name: "charge" };
  world.add(1, suspendedOn(anyOf([1, 99])), [run]);
  assert.deepEqual(kindsOf(why(world, 1)), ["step", "completion"]);
  assert.match(String(at(why(world, 1), "explanation")), /the step 'charge'/);
});

test("who awaits nothing but a cancellation is told so", () => {
  const world = worldOf("Greeter");
  world.add(1, suspendedOn(anyOf([])));
  assert.deepEqual(kindsOf(why(world, 1)), ["cancellation"]);
});

test("a retry has its last error and its next time", () => {
  const world = worldOf("Greeter");
  world.add(1, {
    retryCount: 4,
    lastFailure: { ...FAILURE, atMs: NOW_MS },
    state: { status: "backing-off", retryAtMs: NOW_MS + 1000 },
  });
  const answer = why(world, 1);
  assert.deepEqual(kindsOf(answer), ["retry"]);
  assert.equal(at(answer, "since"), NOW_TEXT);
  assert.equal(at(answer, "causes", 0, "next_retry_at"), "2026-11-23T09:04:47.167000000Z");
  assert.equal(at(answer, "causes", 0, "last_failure", "message"), "connection refused");
  assert.match(String(at(answer, "explanation")), /attempt 4 failed.*RT0010 connection refused/);
});

test("a paused invocation has the reason and the command that mends it", () => {
  const world = worldOf("Greeter");
  world.add(1, { state: { status: "paused", reason: "retries-exhausted" } });
  const lastFailure = null;
  const event = { kind: "paused", reason: "retries-exhausted", lastFailure } as const;
  world.happened.set(1, [{ ...event, atMs: NOW_MS - 1000, afterIndex: 0 }]);
  const answer = why(world, 1);
  assert.equal(at(answer, "since"), "2026-11-23T09:04:45.167000000Z");
  assert.equal(at(answer, "causes", 0, "reason"), "retries-exhausted");
  assert.equal(at(answer, "causes", 0, "mend"), `PATCH /invocations/${text(1)}/resume`);
});

test("a pinned deployment that is gone, or offers the handler no more, is named with what mends it", () => {
  const mend = `PATCH /invocations/${text(1)}/resume?deployment=latest`;
  const paused = { pin: PIN, state: { status: "paused", reason: "operator" } } as const;
  const gone = new FakeWorld();
  gone.add(1, paused);
  const missing = why(gone, 1);
  assert.deepEqual(kindsOf(missing), ["paused", "deployment-missing"]);
  assert.equal(at(missing, "causes", 1, "mend"), mend);
  assert.match(String(at(missing, "explanation")), /is not registered any more/);
  const other = worldOf("Other");
  other.add(1, paused);
  assert.deepEqual(kindsOf(why(other, 1)), ["paused", "handler-missing"]);
});

test("a handler that nothing offers, and a deployment that drains, are named", () => {
  const none = worldOf("Other");
  none.add(1, {});
  assert.deepEqual(kindsOf(why(none, 1)), ["room", "no-deployment"]);
  assert.match(String(at(why(none, 1), "explanation")), /no deployment offers Greeter\/run/);
  const draining = worldOf("Greeter");
  const deployment = draining.registry.deployments.get(DEPLOYMENT);
  assert.ok(deployment !== undefined);
  const drained = { ...deployment, drainingSinceMs: NOW_MS };
  draining.submit({ type: "update-deployment", deployment: drained, replyTo: null });
  draining.add(1, { pin: PIN });
  assert.deepEqual(kindsOf(why(draining, 1)), ["room", "deployment-draining"]);
  assert.equal(at(why(draining, 1), "causes", 1, "since"), NOW_TEXT);
});

test("a scheduled one has its start time, a completed one nothing to wait for", () => {
  const world = worldOf("Greeter");
  world.add(1, { state: { status: "scheduled", startAtMs: NOW_MS + 1000 } });
  assert.deepEqual(kindsOf(why(world, 1)), ["start-time"]);
  world.add(2, { state: { status: "completed", completedAtMs: NOW_MS, outputIndex: 0 } });
  assert.deepEqual(kindsOf(why(world, 2)), []);
  assert.equal(at(why(world, 2), "explanation"), `it has had its result since ${NOW_TEXT}`);
});

// ---- what runs ---------------------------------------------------------------------------------

const attempt = {
  seq: 1,
  epoch: 0,
  deploymentId: DEPLOYMENT,
  sdkVersion: null,
  startedAtMs: NOW_MS,
};

test("a handler that said what it awaits is taken at its word, but for what has arrived since", () => {
  const world = worldOf("Greeter");
  const arrived: Message = {
    type: MessageType.SleepCompletion,
    id: { kind: "completion", completionId: 5 },
    result: { kind: "void" },
  };
  world.add(1, {}, [sleep(5), sleep(6), arrived]);
  world.attempts.set(1, { ...attempt, awaitingOn: anyOf([5, 6]) });
  const waiting = why(world, 1);
  assert.deepEqual(kindsOf(waiting), ["timer"]);
  assert.equal(at(waiting, "causes", 0, "completion_id"), 6);
  assert.deepEqual(at(waiting, "await_tree", "completions"), [5, 6]);
  world.attempts.set(1, { ...attempt, awaitingOn: anyOf([5]) });
  assert.deepEqual(kindsOf(why(world, 1)), ["attempt"]);
});

test("of a handler that said nothing the commands without a result are shown as possible", () => {
  const world = worldOf("Greeter");
  world.add(1, {}, [sleep(5), sleep(6)]);
  world.attempts.set(1, { ...attempt, awaitingOn: null });
  const answer = why(world, 1);
  assert.deepEqual(kindsOf(answer), ["attempt", "timer", "timer"]);
  assert.equal(at(answer, "causes", 1, "is_certain"), false);
  assert.match(String(at(answer, "explanation")), /has run since .* and may wait for a timer/);
});

test("one whose endpoint cannot be reached says which deployment that is", () => {
  const world = worldOf("Greeter");
  world.add(1, {});
  world.unreached.set(1, DEPLOYMENT);
  const answer = why(world, 1);
  assert.deepEqual(kindsOf(answer), ["endpoint"]);
  assert.equal(at(answer, "causes", 0, "deployment_id"), DEPLOYMENT);
  assert.match(String(at(answer, "explanation")), /waits for the endpoint of dp_\w+, which cannot/);
});

test("one that is to pause says so", () => {
  const world = worldOf("Greeter");
  world.add(1, { state: { status: "running", isPausing: true } });
  assert.deepEqual(kindsOf(why(world, 1)), ["pausing", "room"]);
});

// ---- chains ------------------------------------------------------------------------------------

test("a child is followed to what it waits for itself, and the sentence with it", () => {
  const world = worldOf("Greeter", "Mailer");
  world.add(1, suspendedOn(anyOf([2])), call(2, "Mailer"));
  world.add(2, {
    target: { service: "Mailer", handler: "run", key: null },
    lastFailure: { ...FAILURE, atMs: NOW_MS },
    retryCount: 2,
    state: { status: "backing-off", retryAtMs: NOW_MS + 1000 },
  });
  const answer = why(world, 1);
  const child = at(answer, "causes", 0);
  assert.equal(at(child, "invocation_id"), text(2));
  assert.deepEqual([at(child, "target"), at(child, "status")], ["Mailer/run", "backing-off"]);
  assert.equal(at(child, "why", "id"), text(2));
  assert.equal(at(child, "why", "causes", 0, "last_failure", "error_code"), "RT0010");
  assert.match(
    String(at(answer, "explanation")),
    /waits for the result of Mailer\/run \(inv_\S+\), which waits since attempt 2 failed.*connection refused/,
  );
  assert.equal(at(answer, "cycles"), undefined);
});

test("who waits for a key is told who holds it, its place in the queue, and what the holder waits for", () => {
  const world = worldOf("Counter");
  world.add(1, queued("a"));
  world.add(2, { ...onKey("a"), ...suspendedOn(anyOf([5])) }, [sleep(5)]);
  world.holders.set("Counter/a", 2);
  world.queues.set("Counter/a", [7, 1]);
  const answer = why(world, 1);
  const key = at(answer, "causes", 0);
  assert.deepEqual(
    ["kind", "service", "key", "position", "holder", "since"].map((field) => at(key, field)),
    ["key", "Counter", "a", 2, text(2), NOW_TEXT],
  );
  assert.equal(at(key, "why", "causes", 0, "kind"), "timer");
  assert.match(
    String(at(answer, "explanation")),
    /the key 'a' of Counter, behind 1 more, held by Counter\/a\/run \(inv_\S+\), which has been suspended/,
  );
});

test("an object that calls itself on its own key is found out as a deadlock", () => {
  const world = worldOf("Counter");
  world.add(1, { ...onKey("a"), ...suspendedOn(anyOf([2])) }, call(2, "Counter", "a"));
  world.add(2, queued("a"));
  world.holders.set("Counter/a", 1);
  world.queues.set("Counter/a", [2]);
  for (const seq of [1, 2]) {
    const answer = why(world, seq);
    assert.equal(at(answer, "cycles", 0, "is_deadlock"), true);
    assert.match(String(at(answer, "explanation")), /This is a deadlock/);
  }
  const hops = at(why(world, 1), "cycles", 0, "invocations");
  assert.deepEqual(hops, [
    { id: text(1), target: "Counter/a/run", status: "suspended", waits_by: "call" },
    { id: text(2), target: "Counter/a/run", status: "queued", waits_by: "key" },
  ]);
});

test("two objects that call each other are found out, also from outside the cycle", () => {
  const world = worldOf("Counter", "Greeter");
  world.add(1, { ...onKey("a"), ...suspendedOn(anyOf([2])) }, call(2, "Counter", "b"));
  world.add(2, queued("b"));
  world.add(3, { ...onKey("b"), ...suspendedOn(anyOf([2])) }, call(4, "Counter", "a"));
  world.add(4, queued("a"));
  world.add(5, suspendedOn(anyOf([2])), call(1, "Counter", "a"));
  world.holders.set("Counter/a", 1).set("Counter/b", 3);
  world.queues.set("Counter/a", [4]).set("Counter/b", [2]);
  for (const seq of [1, 5]) {
    const cycles = at(why(world, seq), "cycles");
    assert.equal(at(cycles, 0, "is_deadlock"), true);
    const hops = at(cycles, 0, "invocations");
    assert.ok(Array.isArray(hops));
    assert.deepEqual(
      hops.map((each: unknown) => at(each, "id")),
      [text(1), text(2), text(3), text(4)],
    );
  }
});

test("a cycle that a timer may end is no deadlock", () => {
  const world = worldOf("Counter");
  world.add(1, { ...onKey("a"), ...suspendedOn(anyOf([2, 5])) }, [
    ...call(2, "Counter", "a"),
    sleep(5),
  ]);
  world.add(2, queued("a"));
  world.holders.set("Counter/a", 1);
  world.queues.set("Counter/a", [2]);
  const answer = why(world, 1);
  assert.equal(at(answer, "cycles", 0, "is_deadlock"), false);
  assert.doesNotMatch(String(at(answer, "explanation")), /deadlock/);
  const all = anyOf([], { nested: [anyOf([2, 5], { signals: [], combinator: 2 })] });
  world.add(1, { ...onKey("a"), ...suspendedOn(all) }, [...call(2, "Counter", "a"), sleep(5)]);
  assert.equal(at(why(world, 1), "cycles", 0, "is_deadlock"), true);
});

test("long chains and wide fans are cut, and long journals are not searched to their beginning", () => {
  const world = worldOf("Greeter");
  for (let seq = 1; seq < 30; seq += 1) {
    world.add(seq, suspendedOn(anyOf([2])), call(seq + 1, "Greeter"));
  }
  let depth = 0;
  for (let node = why(world, 1); node !== undefined; node = at(node, "causes", 0, "why"))
    depth += 1;
  assert.equal(depth, 9);
  const long = worldOf("Greeter");
  const steps = Array.from({ length: 10_050 }, (_, index) => sleep(index));
  long.add(1, suspendedOn(anyOf([0, 10_049])), steps);
  assert.deepEqual(kindsOf(why(long, 1)), ["completion", "timer"]);
  const heavy = worldOf("Greeter");
  heavy.add(1, suspendedOn(anyOf([0, 1])), [sleep(0), sleep(1)]);
  const last = heavy.journals.get(1)?.[1];
  assert.ok(last !== undefined);
  const body = Buffer.concat([last.body, new Uint8Array(65 * 1024 * 1024)]);
  heavy.journals.get(1)?.splice(1, 1, { ...last, body });
  assert.deepEqual(kindsOf(why(heavy, 1)), ["completion", "completion"]);
  const wide = worldOf("Greeter");
  wide.add(1, suspendedOn(anyOf(Array.from({ length: 500 }, (_, index) => index))));
  assert.equal(kindsOf(why(wide, 1)).length, 100);
});

test("the answer is served", async () => {
  const { world, request } = await start();
  world.register(service("Greeter", [{ name: "run" }]));
  world.add(1, suspendedOn(anyOf([5])), [sleep(5)]);
  const answer = await request("GET", `/v4/invocations/${text(1)}/why`);
  assert.equal(answer.status, 200);
  assert.deepEqual(answer.json, why(world, 1));
});
