import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { FIRST_USER_SIGNAL, type Command } from "../../sdk/protocol/messages.ts";
import { deploymentOf } from "./deployment.suite.ts";
import type { DeploymentChoice } from "./input.ts";
import {
  attemptIn,
  attemptOf,
  call,
  DEPLOYMENT,
  failed,
  id,
  invoke,
  output,
  run,
  sleep,
  suspendOn,
  T0,
  text,
  types,
  value,
  World,
} from "./world.suite.ts";

const cancel = { type: "cancel", id: id(1), replyTo: 1 } as const;
const kill = { type: "kill", id: id(1), replyTo: 1 } as const;
const pause = { type: "pause", id: id(1), replyTo: 1 } as const;
const resume = (deployment: DeploymentChoice = "keep") =>
  ({ type: "resume", id: id(1), deployment, replyTo: 1 }) as const;
const purge = (journalOnly = false) =>
  ({ type: "purge", id: id(1), journalOnly, replyTo: 1 }) as const;
const restart = (upToIndex = 0, deployment: DeploymentChoice = "latest") =>
  ({
    type: "restart-as-new",
    id: id(1),
    newId: id(99),
    upToIndex,
    deployment,
    replyTo: 1,
  }) as const;

function completed(): World {
  const world = new World();
  const attempt = world.start();
  world.send(attempt, run(1));
  world.apply({
    type: "propose-run",
    attempt,
    completionId: 1,
    result: value("r"),
    ackRequested: false,
  });
  world.send(attempt, output("out"));
  world.apply({ type: "end", attempt });
  return world;
}

describe("an operation on an invocation", () => {
  it("that is unknown says so", () => {
    const world = new World();
    for (const input of [cancel, kill, pause, resume(), purge(), restart()]) {
      assert.deepEqual(world.ask(input), { kind: "not-found" });
    }
  });

  it("that is completed is a conflict, but for purge and restart", () => {
    const world = completed();
    for (const input of [cancel, kill, pause, resume()]) {
      assert.deepEqual(world.ask(input), { kind: "conflict", status: "completed" });
    }
  });

  it("that is not completed is a conflict for purge and restart", () => {
    const world = new World();
    world.start();
    for (const input of [purge(), purge(true), restart()]) {
      assert.deepEqual(world.ask(input), { kind: "conflict", status: "running" });
    }
  });
});

describe("cancel", () => {
  it("is told to a running handler, and wakes one that is suspended", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(suspendOn(attempt, 1, [5]));
    assert.deepEqual(world.ask(cancel), { kind: "done", status: "suspended" });
    assert.equal(world.status(attempt.seq), "running");
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand", "Signal"]);
  });

  it("wakes one that does not await it, and once", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(suspendOn(attempt, 1, [5], []));
    const second = attemptIn(world.apply(cancel));
    world.apply(suspendOn(second, 2, [5], []));
    assert.equal(world.status(attempt.seq), "suspended");
  });

  it("does not wait for the next try of one that backs off", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(failed(attempt));
    attemptIn(world.apply(cancel));
  });

  it("survived by the handler does not wake it again and again", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(suspendOn(attempt, 1, [5]));
    const second = attemptIn(world.apply(cancel));
    // The cancellation is part of what it replayed, and stays in its await set.
    world.apply(suspendOn(second, 2, [5]));
    assert.equal(world.status(attempt.seq), "suspended");
  });

  it("ends what is scheduled, and its record stays", () => {
    const world = new World();
    world.apply(invoke({ startAtMs: T0 + 1000 }));
    assert.deepEqual(world.ask(cancel), { kind: "done", status: "scheduled" });
    const reply = world.ask({ type: "attach", id: id(1), wait: false, replyTo: 2 });
    assert(reply.kind === "completed" && reply.outcome.kind === "failure");
    assert.deepEqual(reply.outcome.failure, { code: 409, message: "canceled" });
  });
});

describe("cancel of an invocation that is about to pause", () => {
  it("lets it go on, so that it learns of it", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(pause);
    world.apply(cancel);
    attemptIn(world.apply(suspendOn(attempt, 1, [5])));
    assert.equal(world.status(attempt.seq), "running");
  });
});

describe("kill", () => {
  it("ends the invocation and what it called and sent, down the tree", () => {
    const world = new World();
    const parent = world.start();
    const child = attemptOf(world.send(parent, call()), parent.seq + 1);
    const later: Command = {
      ...call(),
      type: MessageType.OneWayCallCommand,
      invokeTimeMs: T0 + 60_000,
      invocationIdCompletionId: 3,
    } as Command;
    world.send(child, later);
    assert.equal(world.status(child.seq + 1), "scheduled");
    const effects = world.apply(kill);
    assert.deepEqual(
      [parent.seq, child.seq, child.seq + 1].map((seq) => world.status(seq)),
      ["completed", "completed", "completed"],
    );
    assert.deepEqual(types(effects).filter((type) => type === "close-attempt").length, 2);
    assert.equal(world.send(child, run(9)).length, 0, "what the attempt says is stale");
  });
});

describe("kill of one of several that want the same callee", () => {
  const workflow: Command = { ...call({ service: "Order" }), handler: "run", key: "o1" } as Command;

  it("leaves a callee alone that another invocation started", () => {
    for (const shared of [call({ idempotencyKey: "same" }), workflow]) {
      const world = new World();
      const starter = world.start({ id: id(2) });
      const callee = attemptOf(world.send(starter, shared), starter.seq + 1);
      const joiner = world.start();
      world.send(joiner, shared);
      world.apply(kill);
      assert.equal(world.status(joiner.seq), "completed");
      assert.equal(world.status(callee.seq), "running");
      world.apply({ ...kill, id: id(2) });
      assert.equal(world.status(callee.seq), "completed");
    }
  });

  it("ends calls that go round in a circle", () => {
    const world = new World();
    const first = world.start();
    const second = attemptOf(world.send(first, call()), first.seq + 1);
    world.send(second, {
      type: MessageType.AttachInvocationCommand,
      target: { kind: "invocation-id", invocationId: invocationIdToString(id(1)) },
      resultCompletionId: 1,
      name: "",
    });
    world.apply(kill);
    assert.deepEqual(
      [first, second].map(({ seq }) => world.status(seq)),
      ["completed", "completed"],
    );
  });
});

describe("pause", () => {
  it("lets the attempt suspend, and then keeps it from going on", () => {
    const world = new World();
    const attempt = world.start();
    const effects = world.apply(pause);
    assert.deepEqual(types(effects), ["suspend-attempt", "reply"]);
    assert.equal(world.status(attempt.seq), "running");
    world.send(attempt, sleep(1, T0 + 10));
    world.apply(suspendOn(attempt, 1, [1]));
    assert.equal(world.status(attempt.seq), "paused");
    world.nowMs += 10;
    world.apply({ type: "timers-due" });
    assert.equal(world.status(attempt.seq), "paused");
    const again = attemptIn(world.apply(resume()));
    assert.deepEqual(world.journal(again.seq), ["InputCommand", "SleepCommand", "SleepCompletion"]);
  });

  it("is kept over a failure of the attempt, and over its end", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(pause);
    world.apply(failed(attempt));
    assert.deepEqual(world.invocation(attempt.seq).state, { status: "paused", reason: "operator" });
    const other = attemptIn(world.apply(invoke({ id: id(2) })));
    world.apply({ ...pause, id: id(2) });
    world.send(other, output("done"));
    world.apply({ type: "end", attempt: other });
    assert.equal(world.status(other.seq), "completed");
  });

  it("needs no attempt: after a restart the invoker yields", () => {
    const world = new World();
    const { seq, epoch } = world.start();
    world.apply(pause);
    const effects = world.apply({ type: "fetch-ready", afterSeq: 0, limit: 10 });
    assert.equal(effects[0]?.type, "suspend-attempt");
    world.apply({ type: "yield", seq, epoch: epoch + 7 });
    assert.equal(world.status(seq), "running", "of a stale epoch it changes nothing");
    world.apply({ type: "yield", seq, epoch });
    assert.equal(world.status(seq), "paused");
  });

  it("that is taken back before the invoker yields leaves nobody without an attempt", () => {
    for (const back of [resume(), cancel]) {
      const world = new World();
      const { seq, epoch } = world.start();
      world.apply(pause);
      // The process has started anew: nothing but this would start the attempt.
      const effects = world.apply({ type: "fetch-ready", afterSeq: 0, limit: 10 });
      assert.deepEqual(types(effects).slice(0, 1), ["suspend-attempt"]);
      world.apply(back);
      const again = attemptIn(world.apply({ type: "yield", seq, epoch }));
      assert.deepEqual([again.seq, again.epoch], [seq, epoch]);
    }
  });

  it("stops retries, and what is suspended", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(failed(attempt));
    assert.deepEqual(world.ask(pause), { kind: "done", status: "backing-off" });
    world.nowMs += 100_000;
    world.apply({ type: "timers-due" });
    assert.equal(world.status(attempt.seq), "paused");
    const other = world.start({ id: id(2) });
    world.apply(suspendOn(other, 1, [], [FIRST_USER_SIGNAL]));
    assert.deepEqual(world.ask({ ...pause, id: id(2) }), { kind: "done", status: "suspended" });
    const events = ["suspended", "paused", "resumed"];
    world.apply({ ...resume(), id: id(2) });
    assert.deepEqual(world.events(other.seq), events);
  });
});

describe("resume", () => {
  const OTHER = {
    ...deploymentOf(T0, DEPLOYMENT.services),
    id: "dp_2",
  };

  it("gives a paused invocation all its tries again", () => {
    const world = new World();
    let attempt = world.start();
    for (let tries = 0; tries < 3; tries += 1) {
      world.apply(failed(attempt));
      world.nowMs += 10_000;
      const effects = world.apply({ type: "timers-due" });
      if (tries < 2) attempt = attemptIn(effects);
    }
    assert.deepEqual(world.invocation(attempt.seq).state, {
      status: "paused",
      reason: "retries-exhausted",
    });
    const again = attemptIn(world.apply(resume()));
    world.apply(failed(again));
    assert.equal(world.status(again.seq), "backing-off");
  });

  it("moves the pin to another deployment that offers the handler", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, run(1));
    world.apply(suspendOn(attempt, 1, [], [17]));
    world.apply({ type: "register-deployment", deployment: OTHER, replyTo: null });
    assert.equal(world.ask(resume({ id: "dp_2" })).kind, "done");
    assert.equal(world.invocation(attempt.seq).pin?.deploymentId, "dp_2");
    assert.deepEqual(world.ask(resume("latest")), { kind: "conflict", status: "running" });
  });

  it("refuses a deployment that cannot go on with the journal", () => {
    const world = new World();
    const attempt = world.start();
    world.apply(suspendOn(attempt, 1, [], [17]));
    const notPinned = world.ask(resume("latest"));
    assert(notPinned.kind === "refused" && notPinned.reason === "not-pinned");
    const second = attemptIn(world.apply(resume()));
    world.send(second, run(1));
    world.apply(suspendOn(second, 1, [], [17]));
    const unknown = world.ask(resume({ id: "dp_9" }));
    assert(unknown.kind === "refused" && unknown.reason === "unknown-deployment");
    const empty = { ...OTHER, services: [] };
    world.apply({ type: "register-deployment", deployment: empty, replyTo: null });
    const foreign = world.ask(resume({ id: "dp_2" }));
    assert(foreign.kind === "refused" && foreign.reason === "incompatible-deployment");
    const newer = { ...OTHER, minProtocolVersion: 7, maxProtocolVersion: 7 };
    world.apply({ type: "register-deployment", deployment: newer, replyTo: null });
    const version = world.ask(resume({ id: "dp_2" }));
    assert(version.kind === "refused" && version.reason === "incompatible-deployment");
    assert.equal(world.invocation(attempt.seq).pin?.deploymentId, "dp_1");
  });
});

describe("purge", () => {
  it("forgets the invocation", () => {
    const world = completed();
    assert.deepEqual(world.ask(purge()), { kind: "done", status: "completed" });
    assert.deepEqual(world.ask(purge()), { kind: "not-found" });
  });

  it("of the journal keeps the result, however often", () => {
    const world = completed();
    for (let times = 0; times < 2; times += 1) assert.equal(world.ask(purge(true)).kind, "done");
    const reply = world.ask({ type: "attach", id: id(1), wait: false, replyTo: 2 });
    assert(reply.kind === "completed");
    assert.deepEqual(reply.outcome, value("out"));
    const refused = world.ask(restart());
    assert(refused.kind === "refused" && refused.reason === "journal-purged");
  });
});

describe("restart as new", () => {
  it("runs the same input once more", () => {
    const world = completed();
    const effects = world.apply(restart());
    const attempt = attemptIn(effects);
    const made = world.invocation(attempt.seq);
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand"]);
    assert.deepEqual([...(made.restartedFrom ?? [])], [...id(1)]);
    assert.equal(made.pin, null);
    assert.deepEqual([...made.id], [...id(99)]);
  });

  it("runs on the deployment that is named", () => {
    const world = completed();
    const other = { ...deploymentOf(T0, DEPLOYMENT.services), id: "dp_2" };
    world.apply({ type: "register-deployment", deployment: other, replyTo: null });
    const { seq } = attemptIn(world.apply(restart(0, { id: "dp_1" })));
    assert.equal(world.invocation(seq).pin?.deploymentId, "dp_1");
  });

  it("goes on from a place in the journal where nothing is open", () => {
    const world = completed();
    const early = world.ask(restart(1));
    assert(early.kind === "refused" && early.reason === "incomplete-prefix");
    const late = world.ask(restart(3));
    assert(late.kind === "refused" && late.reason === "incomplete-prefix");
    const attempt = attemptIn(world.apply(restart(2)));
    assert.deepEqual(world.journal(attempt.seq), ["InputCommand", "RunCommand", "RunCompletion"]);
    assert.equal(world.invocation(attempt.seq).pin?.deploymentId, "dp_1");
  });
});

describe("a determinism error", () => {
  it("names what the journal holds where the code did something else", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, run(1), sleep(2, T0 + 5));
    const failure = {
      code: 570,
      errorCode: "RT0016",
      message: "differs",
      relatedCommandIndex: 2,
      relatedCommandType: MessageType.RunCommand,
      relatedCommandName: "beta",
    };
    world.apply(failed(attempt, { failure }));
    const { lastFailure } = world.invocation(attempt.seq);
    assert.deepEqual(lastFailure?.mismatch, {
      entryIndex: 2,
      commandIndex: 2,
      recordedType: MessageType.SleepCommand,
      recordedName: "",
    });
    const both = "journal entry 2 is SleepCommand, and the code now makes RunCommand 'beta'";
    assert.equal(lastFailure.message, `${both}: differs`);
  });
});

describe("a failing invocation", () => {
  it("leaves an event for each failure, and for doublings of their number when they go on and on", () => {
    const world = new World();
    let attempt = world.start({
      target: { service: "Greeter", handler: "eager", key: null },
      parameter: text("x"),
    });
    for (let tries = 0; tries < 200; tries += 1) {
      world.apply(failed(attempt));
      attempt = attemptIn(world.apply({ type: "timers-due" }));
    }
    assert.equal(world.events(attempt.seq).length, 32 + 2);
  });
});

describe("an invocation whose deployment is gone", () => {
  it("is retried by the policy of the latest revision", () => {
    const world = new World();
    const attempt = world.start();
    world.send(attempt, run(1));
    const newer = { ...deploymentOf(T0, DEPLOYMENT.services), id: "dp_2" };
    world.apply({ type: "register-deployment", deployment: newer, replyTo: null });
    world.apply({ type: "delete-deployment", id: "dp_1", force: true, replyTo: null });
    world.apply(failed(attempt));
    for (let tries = 1; tries < 3; tries += 1) {
      world.nowMs += 10_000;
      world.apply(failed(attemptIn(world.apply({ type: "timers-due" }))));
    }
    assert.equal(world.status(attempt.seq), "paused", "Greeter/greet has three tries");
  });
});

describe("deployments", () => {
  const NEWER = { ...deploymentOf(T0, DEPLOYMENT.services), id: "dp_2" };

  it("that are latest for a service are deleted only by force", () => {
    const world = new World();
    const input = { type: "delete-deployment", id: "dp_1", force: false, replyTo: 1 } as const;
    const refused = world.ask(input);
    assert(refused.kind === "refused" && refused.reason === "deployment-in-use");
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    assert.deepEqual(world.ask(input), { kind: "done" });
    assert.deepEqual(world.ask({ ...input, id: "dp_2", force: true }), { kind: "done" });
    const reply = world.ask(invoke());
    assert(reply.kind === "refused" && reply.reason === "unknown-target");
  });

  it("that drain leave new invocations to the revision before", () => {
    const world = new World();
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    const latest = () =>
      world.store.read((reader) => reader.registry().services.get("Greeter")?.deploymentId);
    assert.equal(latest(), "dp_2");
    const draining = { ...NEWER, drainingSinceMs: T0 };
    world.apply({ type: "update-deployment", deployment: draining, replyTo: null });
    assert.equal(latest(), "dp_1");
    world.apply({ type: "update-deployment", deployment: NEWER, replyTo: null });
    assert.equal(latest(), "dp_2");
  });

  it("that are deleted while an unpinned attempt runs bind nothing to them", () => {
    const world = new World();
    const attempt = world.start();
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    world.apply({ type: "delete-deployment", id: "dp_1", force: true, replyTo: null });
    world.send(attempt, run(1));
    const { pin, lastFailure } = world.invocation(attempt.seq);
    assert.equal(pin, null);
    assert.equal(lastFailure?.errorCode, "RT0011");
  });

  it("that are deleted while an unpinned attempt runs cost it none of its tries", () => {
    const world = new World();
    const target = { service: "Greeter", handler: "fragile", key: null };
    const attempt = world.start({ target });
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    const deleted = world.ask({ type: "delete-deployment", id: "dp_1", force: false, replyTo: 1 });
    assert.equal(deleted.kind, "done");
    world.send(attempt, run(1));
    const again = attemptIn(world.apply({ type: "timers-due" }));
    assert.equal(again.seq, attempt.seq, "it has one try, and a failure of it would be the end");
  });

  it("overwritten without the service while an unpinned attempt runs bind nothing to them", () => {
    const world = new World();
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    const attempt = { ...world.start(), deploymentId: "dp_2" };
    const services = NEWER.services.filter(({ name }) => name !== "Greeter");
    const deployment = { ...NEWER, services };
    world.apply({ type: "register-deployment", deployment, replyTo: null });
    world.send(attempt, run(1));
    const { pin, lastFailure } = world.invocation(attempt.seq);
    assert.equal(pin, null, "the next attempt goes to the revision before");
    assert.equal(lastFailure?.errorCode, "RT0011");
  });

  it("overridden by an operator keep the override over new revisions", () => {
    const world = new World();
    const overrides = { ingressPrivate: true, journalRetention: 5000 };
    world.apply({ type: "override-service", service: "Greeter", overrides, replyTo: null });
    world.apply({ type: "register-deployment", deployment: NEWER, replyTo: null });
    const { seq } = world.start();
    assert.equal(world.invocation(seq).journalRetentionMs, 5000);
    const reply = world.ask({ type: "override-service", service: "No", overrides, replyTo: 1 });
    assert(reply.kind === "refused" && reply.reason === "unknown-service");
  });
});
