import assert from "node:assert/strict";
import { test } from "node:test";
import { awakeableIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message, Outcome } from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, Invocation } from "../machine/invocation.ts";
import { at, FakeWorld, idOf, NOW_MS, NOW_TEXT } from "./fake-world.suite.ts";
import {
  DEPLOYMENT,
  PIN,
  FAILURE,
  text,
  worldOf,
  why,
  kindsOf,
  anyOf,
  suspendedOn,
  sleep,
  attempt,
} from "./why.suite.ts";

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

test("a message is named by its topic", () => {
  const world = worldOf("Greeter");
  world.add(1, suspendedOn(anyOf([], { namedSignals: ["hf.msg/a/b/2"] })));
  const answer = why(world, 1);
  assert.deepEqual(kindsOf(answer), ["message"]);
  assert.deepEqual(
    [at(answer, "causes", 0, "topic"), at(answer, "causes", 0, "number")],
    ["a/b", 2],
  );
  assert.match(String(at(answer, "explanation")), /waits for message 2 on the topic 'a\/b'$/);
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
  assert.match(
    String(at(answer, "explanation")),
    /^it failed in attempt 4 and is tried again at \S+: RT0010 connection refused$/,
  );
  world.add(2, {
    lastFailure: { ...FAILURE, errorCode: "RT0023", atMs: NOW_MS },
    state: { status: "backing-off", retryAtMs: NOW_MS + 1000 },
  });
  assert.match(String(at(why(world, 2), "explanation")), /^it failed and is tried again at/);
});

test("of a mismatch both sides are told, whatever the SDK says, and long messages are one short line", () => {
  const failed = (more: Partial<AttemptFailure>): Partial<Invocation> => ({
    retryCount: 1,
    lastFailure: { ...FAILURE, errorCode: "RT0016", ...more, atMs: NOW_MS },
    state: { status: "backing-off", retryAtMs: NOW_MS + 1000 },
  });
  const mismatch = { entryIndex: 3, commandIndex: 2, recordedType: MessageType.RunCommand };
  const sides = {
    mismatch: { ...mismatch, recordedName: "charge" },
    relatedCommandType: MessageType.SleepCommand,
    relatedCommandName: "nap",
    message: "something else",
  };
  const world = worldOf("Greeter");
  world.add(1, failed(sides));
  const told =
    /: RT0016 the journal holds RunCommand 'charge' at entry 3, and the code now does SleepCommand 'nap'$/;
  assert.match(String(at(why(world, 1), "explanation")), told);
  world.add(
    2,
    failed({ ...sides, relatedCommandType: MessageType.RunCommand, relatedCommandName: "charge" }),
  );
  assert.match(String(at(why(world, 2), "explanation")), /: RT0016 something else \(at RunCommand/);
  world.add(3, failed({ message: `first\n  second ${"x".repeat(5000)}` }));
  const line = String(at(why(world, 3), "explanation"));
  assert.match(line, /: RT0016 first second x+…$/);
  assert.ok(line.length < 1000);
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
  assert.match(String(at(answer, "explanation")), /are used up\. Mend the cause, then PATCH \S+$/);
});

test("one that an operator paused is not said to be broken", () => {
  const world = worldOf("Greeter");
  const state = { status: "paused", reason: "operator" } as const;
  world.add(1, { state, lastFailure: { ...FAILURE, atMs: NOW_MS } });
  assert.match(
    String(at(why(world, 1), "explanation")),
    /because an operator asked for it; it had failed before: RT0010 connection refused\. PATCH \S+\/resume lets it go on$/,
  );
});

test("what is missing is not told twice", () => {
  const world = worldOf("Other");
  world.add(1, {
    retryCount: 1,
    lastFailure: {
      ...FAILURE,
      errorCode: "RT0011",
      message: "no deployment offers it",
      atMs: NOW_MS,
    },
    state: { status: "backing-off", retryAtMs: NOW_MS + 1000 },
  });
  assert.deepEqual(kindsOf(why(world, 1)), ["retry", "no-deployment"]);
  assert.match(String(at(why(world, 1), "explanation")), /: RT0011 no deployment offers it$/);
});

test("all of a list are joined with and, also where a failure of one would do", () => {
  const world = worldOf("Greeter");
  for (const [combinator, joint] of [
    [2, "and"],
    [4, "and"],
    [1, "or"],
    [3, "or"],
  ] as const) {
    const both = { completions: [], signals: [17, 18], namedSignals: [], nested: [], combinator };
    world.add(1, suspendedOn(anyOf([], { nested: [both] })));
    const line = String(at(why(world, 1), "explanation"));
    assert.match(line, new RegExp(`resolved ${joint} the awakeable`), String(combinator));
  }
});

test("since when a signal is awaited is since when the invocation is suspended", () => {
  const world = worldOf("Greeter");
  world.add(1, suspendedOn(anyOf([], { signals: [1, 17], namedSignals: ["go"] })));
  const event = {
    kind: "suspended",
    awaiting: anyOf([]),
    atMs: NOW_MS - 1000,
    afterIndex: 0,
  } as const;
  world.happened.set(1, [event]);
  const answer = why(world, 1);
  for (const index of [0, 1]) {
    assert.equal(at(answer, "causes", index, "since"), "2026-11-23T09:04:45.167000000Z");
  }
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
  assert.equal(at(why(world, 2), "explanation"), `it completed at ${NOW_TEXT}`);
});

test("a completed one says how it ended", () => {
  const world = worldOf("Greeter");
  const state = { status: "completed", completedAtMs: NOW_MS, outputIndex: 0 } as const;
  const output = (result: Outcome): Message => ({
    type: MessageType.OutputCommand,
    result,
    name: "",
  });
  world.add(1, { state }, [output({ kind: "value", value: new Uint8Array(0) })]);
  assert.equal(at(why(world, 1), "explanation"), `it completed at ${NOW_TEXT} with a value`);
  const failure = { code: 409, message: "cancelled", metadata: [] };
  world.add(2, { state }, [output({ kind: "failure", failure })]);
  assert.equal(
    at(why(world, 2), "explanation"),
    `it completed at ${NOW_TEXT} with failure 409: cancelled`,
  );
});

// ---- what runs ---------------------------------------------------------------------------------

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

test("of a handler that said nothing and has no open command, it is told that more is known later", () => {
  const world = worldOf("Greeter");
  world.add(1, {});
  world.attempts.set(1, { ...attempt, awaitingOn: null });
  assert.match(
    String(at(why(world, 1), "explanation")),
    /has run since \S+ on dp_\w+; what it awaits, if anything, it says when it suspends$/,
  );
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
