import assert from "node:assert/strict";
import { test } from "node:test";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Invocation } from "../machine/invocation.ts";
import { adminDocument } from "./admin-document.ts";
import { at, NOW_MS, service } from "./fake-world.suite.ts";
import { start } from "./fixture.suite.ts";
import {
  anyOf,
  attempt,
  call,
  FAILURE,
  onKey,
  queued,
  sleep,
  suspendedOn,
  text,
} from "./why.suite.ts";

const document: unknown = JSON.parse(JSON.stringify(adminDocument("1.2.3")));

/** Paths of the fields in an answer that its schema does not name. */
function undocumented(schema: unknown, value: unknown, path: string): string[] {
  const reference = at(schema, "$ref");
  if (typeof reference === "string") {
    return undocumented(at(document, ...reference.slice(2).split("/")), value, path);
  }
  const either = at(schema, "anyOf");
  if (Array.isArray(either)) {
    const all = either.map((each: unknown) => undocumented(each, value, path));
    return all.find((found) => found.length === 0) ?? all[0] ?? [];
  }
  if (Array.isArray(value)) {
    return value.flatMap((each: unknown) => undocumented(at(schema, "items"), each, `${path}[]`));
  }
  if (typeof value !== "object" || value === null) return [];
  const isOpen = at(schema, "additionalProperties") !== undefined;
  return Object.entries(value).flatMap(([name, part]) => {
    const property = at(schema, "properties", name);
    if (property === undefined) return isOpen ? [] : [`${path}.${name}`];
    return undocumented(property, part, `${path}.${name}`);
  });
}

const lastFailure = {
  ...FAILURE,
  stacktrace: "at f",
  relatedCommandIndex: 2,
  relatedCommandType: MessageType.SleepCommand,
  relatedCommandName: "nap",
  mismatch: {
    entryIndex: 3,
    commandIndex: 2,
    recordedType: MessageType.RunCommand,
    recordedName: "a",
  },
  atMs: NOW_MS,
};

test("the answers about invocations have no field that the document does not name", async () => {
  const { world, request } = await start();
  world.register(service("Greeter", [{ name: "run" }]), service("Counter", [{ name: "run" }]));
  const invocations: readonly Partial<Invocation>[] = [
    { ...onKey("a"), startAtMs: NOW_MS, idempotencyKey: "k" },
    queued("a"),
    { lastFailure, retryCount: 1, state: { status: "backing-off", retryAtMs: NOW_MS } },
    { lastFailure, state: { status: "paused", reason: "handler" } },
    suspendedOn(anyOf([5], { signals: [1, 17], nested: [anyOf([])] })),
    { state: { status: "completed", completedAtMs: NOW_MS, outputIndex: 0 } },
  ];
  for (const [index, fields] of invocations.entries()) {
    world.add(index + 1, fields, [sleep(5), ...call(2, "Counter", "a")]);
  }
  world.attempts.set(1, { ...attempt, sdkVersion: "test/1", awaitingOn: anyOf([2]) });
  world.holders.set("Counter/a", 1);
  world.queues.set("Counter/a", [2]);
  world.happened.set(3, [
    { kind: "attempt-failed", failure: lastFailure, atMs: NOW_MS, afterIndex: 0 },
    { kind: "suspended", awaiting: anyOf([5]), atMs: NOW_MS, afterIndex: 0 },
    { kind: "paused", reason: "handler", lastFailure, atMs: NOW_MS, afterIndex: 0 },
    { kind: "resumed", deploymentId: attempt.deploymentId, atMs: NOW_MS, afterIndex: 0 },
  ]);
  for (const seq of invocations.keys()) {
    for (const what of ["", "/why", "/journal"]) {
      const { status, json } = await request("GET", `/invocations/${text(seq + 1)}${what}`);
      const where = `${status} ${seq + 1}${what}`;
      assert.equal(status, 200, where);
      const operation = at(document, "paths", `/invocations/{id}${what}`, "get");
      const schema = at(operation, "responses", "200", "content", "application/json", "schema");
      assert.notEqual(schema, undefined, where);
      assert.deepEqual(undocumented(schema, json, where), []);
    }
  }
});
