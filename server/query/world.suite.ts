/** A database with at least one of everything that the views show, made through the real store. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { awakeableIdToString, invocationIdToString } from "../../sdk/protocol/ids.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command, Message, NotificationResult } from "../../sdk/protocol/messages.ts";
import { workflowInvocationId } from "../base/ids.ts";
import type { Invocation, NewInvocation } from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import type { Transactor } from "../machine/tx.ts";
import type { LiveAttempt } from "../processor/ports.ts";
import { deploymentOf, idOf, newInvocation, text } from "../store/fixtures.suite.ts";
import { openSqliteStore, type SqliteStore } from "../store/sqlite-store.ts";

/** 2026-11-23T07:51:27.264Z */
export const CREATED_MS = 1_795_420_287_264;
export const DEPLOYMENT = "dp_124pWqE8CpJPkZIuJ2kg6BP";

export const idText = (number: number): string => invocationIdToString(idOf(number));

const completion = (completionId: number) => ({ kind: "completion", completionId }) as const;
const value = (of: string) => ({ kind: "value", value: text(of) }) as const;
const CALLEE = 2;

/** One of every command. */
const COMMANDS: readonly Command[] = [
  {
    type: MessageType.InputCommand,
    headers: [{ key: "a", value: "b" }],
    value: text("1"),
    name: "",
  },
  { type: MessageType.RunCommand, resultCompletionId: 1, name: "step-a" },
  {
    type: MessageType.SleepCommand,
    wakeUpTimeMs: CREATED_MS + 1000,
    resultCompletionId: 2,
    name: "nap",
  },
  {
    type: MessageType.CallCommand,
    service: "Greeter",
    handler: "callee",
    key: "",
    parameter: text('"x"'),
    headers: [],
    invocationIdCompletionId: 4,
    resultCompletionId: 5,
    name: "",
  },
  {
    type: MessageType.OneWayCallCommand,
    service: "Counter",
    handler: "add",
    key: "k1",
    parameter: text("1"),
    headers: [{ key: "h", value: "v" }],
    idempotencyKey: "once",
    invokeTimeMs: 0,
    invocationIdCompletionId: 6,
    name: "",
  },
  { type: MessageType.GetLazyStateCommand, key: text("count"), resultCompletionId: 7, name: "" },
  { type: MessageType.SetStateCommand, key: text("count"), value: text("3"), name: "" },
  { type: MessageType.ClearStateCommand, key: text("count"), name: "" },
  { type: MessageType.ClearAllStateCommand, name: "" },
  { type: MessageType.GetLazyStateKeysCommand, resultCompletionId: 8, name: "" },
  { type: MessageType.GetEagerStateCommand, key: text("count"), result: value("1"), name: "" },
  { type: MessageType.GetEagerStateCommand, key: text("none"), result: { kind: "void" }, name: "" },
  { type: MessageType.GetEagerStateKeysCommand, keys: [text("a"), text("b")], name: "" },
  { type: MessageType.GetPromiseCommand, key: "p", resultCompletionId: 9, name: "" },
  { type: MessageType.PeekPromiseCommand, key: "p", resultCompletionId: 10, name: "" },
  {
    type: MessageType.CompletePromiseCommand,
    key: "p",
    completion: value("1"),
    resultCompletionId: 11,
    name: "",
  },
  {
    type: MessageType.SendSignalCommand,
    targetInvocationId: idText(CALLEE),
    signal: { kind: "signal-index", index: 17 },
    result: { kind: "void" },
    name: "",
  },
  {
    type: MessageType.AttachInvocationCommand,
    target: { kind: "invocation-id", invocationId: idText(CALLEE) },
    resultCompletionId: 12,
    name: "",
  },
  {
    type: MessageType.GetInvocationOutputCommand,
    target: { kind: "workflow", service: "Flow", key: "w1" },
    resultCompletionId: 13,
    name: "",
  },
  {
    type: MessageType.CompleteAwakeableCommand,
    awakeableId: awakeableIdToString(idOf(CALLEE), 17),
    result: value("1"),
    name: "",
  },
];

const notified = (type: number, id: number, result: NotificationResult): Message =>
  ({ type, id: completion(id), result }) as Message;

/** One of every notification. */
const NOTIFICATIONS: readonly Message[] = [
  notified(MessageType.RunCompletion, 1, value("7")),
  notified(MessageType.SleepCompletion, 2, { kind: "void" }),
  notified(MessageType.CallInvocationIdCompletion, 4, {
    kind: "invocation-id",
    invocationId: idText(CALLEE),
  }),
  notified(MessageType.CallCompletion, 5, {
    kind: "failure",
    failure: { code: 409, message: "Cancelled" },
  }),
  notified(MessageType.GetLazyStateCompletion, 7, { kind: "void" }),
  notified(MessageType.GetLazyStateKeysCompletion, 8, { kind: "state-keys", keys: [text("a")] }),
  notified(MessageType.GetPromiseCompletion, 9, value("1")),
  notified(MessageType.PeekPromiseCompletion, 10, { kind: "void" }),
  notified(MessageType.CompletePromiseCompletion, 11, { kind: "void" }),
  notified(MessageType.AttachInvocationCompletion, 12, value("1")),
  notified(MessageType.GetInvocationOutputCompletion, 13, { kind: "void" }),
  { type: MessageType.Signal, id: { kind: "signal-index", index: 17 }, result: value("1") },
  { type: MessageType.Signal, id: { kind: "signal-name", name: "go" }, result: { kind: "void" } },
];

const WORLD_DEPLOYMENT: Deployment = {
  ...deploymentOf(DEPLOYMENT, ["Greeter"]),
  uri: "http://127.0.0.1:9080/",
  createdAtMs: CREATED_MS - 1000,
  services: [
    { name: "Greeter", ty: "SERVICE", handlers: [{ name: "multi" }, { name: "callee" }] },
    {
      name: "Counter",
      ty: "VIRTUAL_OBJECT",
      ingressPrivate: true,
      handlers: [{ name: "add" }, { name: "get", ty: "SHARED" }],
    },
    {
      name: "Flow",
      ty: "WORKFLOW",
      handlers: [{ name: "run", ty: "WORKFLOW" }, { name: "poke" }],
    },
  ],
};

/** The numbers of its invocations, which stand in their ids. */
export const WORLD = {
  completed: 1,
  callee: CALLEE,
  scheduled: 3,
  queued: 4,
  running: 5,
  suspended: 6,
  backingOff: 7,
  paused: 8,
  failed: 9,
  ready: 10,
  run: 11,
} as const;

const COUNTER = { service: "Counter", key: "k1" };
const FLOW = { service: "Flow", key: "w1" };

/** Fills an empty store. */
function makeWorld(store: SqliteStore): void {
  store.transact((tx) => {
    const revisions = WORLD_DEPLOYMENT.services.map(({ name }) => ({
      service: name,
      revision: 1,
      deploymentId: DEPLOYMENT,
    }));
    tx.putDeployment(WORLD_DEPLOYMENT, revisions);
    tx.putOverrides("Flow", { ingressPrivate: true });
    completedOnes(tx);
    unfinishedOnes(tx);
    tx.setState(COUNTER, text("count"), text("5"));
    tx.setState(COUNTER, text("raw"), Uint8Array.of(0xff, 0x00));
    tx.completePromise(FLOW, "p", { kind: "value", value: text('"v"') });
    tx.completePromise(FLOW, "q", { kind: "failure", failure: { code: 400, message: "no" } });
    tx.addPromiseListener(FLOW, "open", { seq: 1, completionId: 1 });
  });
}

function insert(tx: Transactor, number: number, more: Partial<NewInvocation>): Invocation {
  const invocation = tx.insertInvocation(
    newInvocation(number, {
      target: { service: "Greeter", handler: "multi", key: null },
      createdAtMs: CREATED_MS + number,
      journalRetentionMs: 86_400_000,
      ...more,
    }),
  );
  append(tx, invocation, {
    type: MessageType.InputCommand,
    headers: [],
    value: text('"in"'),
    name: "",
  });
  return invocation;
}

function append(tx: Transactor, invocation: Invocation, message: Message): void {
  tx.append(invocation, message.type, encodeBody(message), CREATED_MS + 10);
}

function completedOnes(tx: Transactor): void {
  const first = tx.insertInvocation(
    newInvocation(WORLD.completed, {
      target: { service: "Greeter", handler: "multi", key: null },
      createdAtMs: CREATED_MS,
      idempotencyKey: "idem-1",
      journalRetentionMs: 0,
      trace: { traceId: "a".repeat(32), spanId: "b".repeat(16), flags: "01", state: null },
    }),
  );
  for (const message of [...COMMANDS, ...NOTIFICATIONS]) append(tx, first, message);
  append(tx, first, { type: MessageType.OutputCommand, result: value('"done"'), name: "" });
  first.pin = { deploymentId: DEPLOYMENT, protocolVersion: 7 };
  first.runningAtMs = CREATED_MS + 4;
  first.modifiedAtMs = CREATED_MS + 70;
  first.state = {
    status: "completed",
    completedAtMs: CREATED_MS + 70,
    outputIndex: first.journal.outputIndex,
  };
  tx.save(first);

  const failed = insert(tx, WORLD.failed, { caller: { seq: first.seq, completionId: 5 } });
  const failure = { code: 409, message: "Cancelled" };
  append(tx, failed, {
    type: MessageType.OutputCommand,
    result: { kind: "failure", failure },
    name: "",
  });
  failed.state = { status: "completed", completedAtMs: CREATED_MS + 80, outputIndex: 1 };
  tx.save(failed);

  const callee = insert(tx, WORLD.callee, {
    target: { service: "Greeter", handler: "callee", key: null },
    caller: { seq: first.seq, completionId: 5 },
    restartedFrom: idOf(WORLD.completed),
  });
  append(tx, callee, { type: MessageType.OutputCommand, result: value("1"), name: "" });
  callee.state = { status: "completed", completedAtMs: CREATED_MS + 60, outputIndex: 1 };
  tx.save(callee);
}

const FAILURE = {
  code: 500,
  errorCode: "RT0007",
  message: "boom",
  stacktrace: "Error: boom\n    at f",
  relatedCommandIndex: 1,
  relatedCommandName: "step-a",
  relatedCommandType: MessageType.RunCommand,
} as const;

function unfinishedOnes(tx: Transactor): void {
  insert(tx, WORLD.scheduled, {
    state: { status: "scheduled", startAtMs: CREATED_MS + 60_000 },
    startAtMs: CREATED_MS + 60_000,
  });
  const running = insert(tx, WORLD.running, {
    target: { service: "Counter", handler: "add", key: "k1" },
    kind: "exclusive",
  });
  running.epoch = 2;
  running.runningAtMs = CREATED_MS + 20;
  running.lastStartAtMs = CREATED_MS + 25;
  tx.save(running);
  tx.lock(COUNTER, running.seq);
  const queued = insert(tx, WORLD.queued, {
    target: { service: "Counter", handler: "add", key: "k1" },
    kind: "exclusive",
  });
  const position = tx.enqueue(COUNTER, { kind: "invocation", seq: queued.seq });
  queued.state = { status: "queued", position };
  queued.queuedAtMs = CREATED_MS + 30;
  tx.save(queued);
  const suspended = insert(tx, WORLD.suspended, {});
  const awaiting = {
    completions: [1],
    signals: [1],
    namedSignals: ["go"],
    nested: [{ completions: [2], signals: [], namedSignals: [], nested: [], combinator: 2 }],
    combinator: 1,
  } as const;
  suspended.state = { status: "suspended", awaiting };
  tx.save(suspended);
  tx.addEvent(suspended.seq, { kind: "suspended", awaiting, atMs: CREATED_MS + 50, afterIndex: 0 });
  failing(tx);
  insert(tx, WORLD.ready, {});
  insert(tx, WORLD.run, {
    id: workflowInvocationId("Flow", "w1"),
    target: { service: "Flow", handler: "run", key: "w1" },
    kind: "run",
  });
}

function failing(tx: Transactor): void {
  const backingOff = insert(tx, WORLD.backingOff, {});
  append(tx, backingOff, { type: MessageType.RunCommand, resultCompletionId: 1, name: "step-a" });
  backingOff.pin = { deploymentId: DEPLOYMENT, protocolVersion: 6 };
  backingOff.retryCount = 2;
  backingOff.lastStartAtMs = CREATED_MS + 35;
  backingOff.lastFailure = { ...FAILURE, atMs: CREATED_MS + 40 };
  backingOff.state = { status: "backing-off", retryAtMs: CREATED_MS + 1040 };
  tx.save(backingOff);
  const at = { atMs: CREATED_MS + 40, afterIndex: 1 };
  tx.addEvent(backingOff.seq, { kind: "attempt-failed", failure: FAILURE, ...at });
  const paused = insert(tx, WORLD.paused, {});
  paused.pin = { deploymentId: "dp_gone", protocolVersion: 6 };
  paused.lastFailure = { ...FAILURE, relatedCommandIndex: 7, atMs: CREATED_MS + 45 };
  paused.state = { status: "paused", reason: "retries-exhausted" };
  tx.save(paused);
  tx.addEvent(paused.seq, {
    kind: "paused",
    reason: "retries-exhausted",
    lastFailure: FAILURE,
    ...at,
  });
  tx.addEvent(paused.seq, { kind: "resumed", deploymentId: DEPLOYMENT, ...at });
}

/** The attempt of the running invocation, and one that is not current any more. */
export function liveAttempts(store: SqliteStore): readonly LiveAttempt[] {
  const seqOf = (number: number) =>
    store.read((reader) => reader.findInvocation(idOf(number))?.seq ?? 0);
  const attempt = {
    deploymentId: DEPLOYMENT,
    sdkVersion: "restate-sdk-typescript/1.17.2",
    startedAtMs: CREATED_MS + 26,
    awaitingOn: { completions: [3], signals: [], namedSignals: [], nested: [], combinator: 1 },
  } as const;
  return [
    { ...attempt, seq: seqOf(WORLD.running), epoch: 2 },
    { ...attempt, seq: seqOf(WORLD.ready), epoch: 99 },
  ];
}

/** With a threshold, values from that length on lie beside the database. */
export function openWorld(directory: string, blobThresholdBytes?: number): SqliteStore {
  const durability = "none";
  const store = openSqliteStore(
    directory,
    blobThresholdBytes === undefined ? { durability } : { durability, blobThresholdBytes },
  );
  makeWorld(store);
  return store;
}
