/** What the tests of `why` stand on. */
import assert from "node:assert/strict";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future, Message } from "../../sdk/protocol/messages.ts";
import type { AttemptFailure, Invocation } from "../machine/invocation.ts";
import { at, FakeWorld, idOf, NOW_MS, service, testDeployment } from "./fake-world.suite.ts";
import { whyView } from "./why.ts";

export const DEPLOYMENT = testDeployment([]).id;
export const PIN = { deploymentId: DEPLOYMENT, protocolVersion: 6 };
export const FAILURE: AttemptFailure = {
  code: 500,
  errorCode: "RT0010",
  message: "connection refused",
};
export const text = (seq: number): string => invocationIdToString(idOf(seq));

export function worldOf(...names: readonly string[]): FakeWorld {
  const world = new FakeWorld();
  world.register(...names.map((name) => service(name, [{ name: "run" }])));
  return world;
}

export function why(world: FakeWorld, seq: number): unknown {
  const invocation = world.invocations.get(seq);
  assert.ok(invocation !== undefined);
  return JSON.parse(JSON.stringify(whyView({ reader: world.reader, live: world }, invocation)));
}

export function kindsOf(answer: unknown): unknown[] {
  const causes = at(answer, "causes");
  assert.ok(Array.isArray(causes));
  return causes.map((each: unknown) => at(each, "kind"));
}

/** As protocol 6 says it: any of these, or a cancellation. */
export function anyOf(completions: readonly number[], more: Partial<Future> = {}): Future {
  return { completions, signals: [1], namedSignals: [], nested: [], combinator: 1, ...more };
}

export const suspendedOn = (awaiting: Future): Partial<Invocation> => ({
  state: { status: "suspended", awaiting },
});

/** A call of `seq` and what tells its id; the result has completion id 2. */
export function call(seq: number, name: string, key = ""): readonly Message[] {
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

export const sleep = (id: number, name = ""): Message => ({
  type: MessageType.SleepCommand,
  wakeUpTimeMs: NOW_MS + 1000,
  resultCompletionId: id,
  name,
});

export const onKey = (key: string): Pick<Invocation, "target" | "kind"> => ({
  target: { service: "Counter", handler: "run", key },
  kind: "exclusive",
});

export const queued = (key: string, position = 1): Partial<Invocation> => ({
  ...onKey(key),
  queuedAtMs: NOW_MS,
  state: { status: "queued", position },
});

/** One in flight, of the invocation 1. */
export const attempt = {
  seq: 1,
  epoch: 0,
  deploymentId: DEPLOYMENT,
  sdkVersion: null,
  startedAtMs: NOW_MS,
};
