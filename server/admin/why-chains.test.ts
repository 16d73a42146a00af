import assert from "node:assert/strict";
import { test } from "node:test";
import { at, NOW_MS, NOW_TEXT, service } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";
import {
  FAILURE,
  text,
  worldOf,
  why,
  kindsOf,
  anyOf,
  suspendedOn,
  call,
  sleep,
  onKey,
  queued,
  attempt,
} from "./why.suite.ts";

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
    /waits for the result of Mailer\/run \(inv_\S+\), which failed in attempt 2 and is tried again.*connection refused/,
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

test("a cycle through a handler that did not say what it awaits may be a deadlock", () => {
  const world = worldOf("Counter");
  world.add(1, onKey("a"), call(2, "Counter", "a"));
  world.attempts.set(1, { ...attempt, awaitingOn: null });
  world.add(2, queued("a"));
  world.holders.set("Counter/a", 1);
  world.queues.set("Counter/a", [2]);
  for (const seq of [1, 2]) {
    const answer = why(world, seq);
    assert.equal(at(answer, "cycles", 0, "is_deadlock"), false);
    assert.equal(at(answer, "cycles", 0, "is_certain"), false);
    assert.match(String(at(answer, "explanation")), /\. This may be a deadlock: it is known/);
  }
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
