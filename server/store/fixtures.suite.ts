/** What the tests of the store are made of: ids, invocations, entries, and all that a store holds as one comparable value. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Future, Message } from "../../sdk/protocol/messages.ts";
import type {
  Instance,
  Invocation,
  InvocationState,
  NewInvocation,
} from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import type { Reader, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";

export const NOW_MS = 1_760_000_000_000;

/** 24 bytes that differ in partition key and uuid. */
export function idOf(number: number): Uint8Array {
  const id = Buffer.alloc(24);
  id.writeUInt32BE((number * 0x9e3779b1) % 0x1_0000_0000, 0);
  id.writeUInt32BE(number, 12);
  id.writeUInt32BE(0xabcd, 20);
  return Uint8Array.from(id);
}

export const RUNNING: InvocationState = { status: "running", isPausing: false };

export const PAUSED: InvocationState = { status: "paused", reason: "operator" };

export function newInvocation(number: number, more: Partial<NewInvocation> = {}): NewInvocation {
  const { state = RUNNING } = more;
  return {
    id: idOf(number),
    target: { service: "Greeter", handler: "greet", key: null },
    kind: "plain",
    idempotencyKey: null,
    caller: null,
    restartedFrom: null,
    trace: null,
    createdAtMs: NOW_MS,
    startAtMs: state.status === "scheduled" ? state.startAtMs : null,
    completionRetentionMs: 86_400_000,
    journalRetentionMs: 3_600_000,
    state,
    ...more,
  };
}

const leaves = (completions: readonly number[]): Future => ({
  completions,
  signals: [],
  namedSignals: [],
  nested: [],
  combinator: 1,
});

/** A tree with everything that a tree can have. */
export const TREE: Future = {
  completions: [1, 2],
  signals: [17],
  namedSignals: ["ready", "“quoted”"],
  nested: [leaves([3]), { ...leaves([]), nested: [leaves([4, 5])], combinator: 4 }],
  combinator: 3,
};

export const SUSPENDED: InvocationState = { status: "suspended", awaiting: leaves([1]) };

/** At least one of each status. */
export const STATES: readonly InvocationState[] = [
  { status: "scheduled", startAtMs: NOW_MS + 5000 },
  RUNNING,
  { status: "running", isPausing: true },
  { status: "queued", position: 12 },
  { status: "suspended", awaiting: TREE },
  { status: "backing-off", retryAtMs: NOW_MS + 250 },
  PAUSED,
  { status: "paused", reason: "retries-exhausted" },
  { status: "paused", reason: "handler" },
  { status: "paused", reason: "future-too-deep" },
  { status: "completed", completedAtMs: NOW_MS + 9, outputIndex: 4 },
];

/** Differ in service or key alone, or in where the one ends and the other begins. */
export const INSTANCES: readonly Instance[] = [
  { service: "Cart", key: "a" },
  { service: "Cart", key: "b" },
  { service: "Car", key: "ta" },
  { service: "Cart", key: "" },
];

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

const completion = (completionId: number) => ({ kind: "completion", completionId }) as const;

/** One message of each kind that the summary looks at, and some that it only counts. */
export const MESSAGES = {
  input: {
    type: MessageType.InputCommand,
    headers: [{ key: "a", value: "b" }],
    value: text("in"),
    name: "",
  },
  run1: { type: MessageType.RunCommand, resultCompletionId: 1, name: "charge" },
  run2: { type: MessageType.RunCommand, resultCompletionId: 2, name: "ship" },
  ran1: {
    type: MessageType.RunCompletion,
    id: completion(1),
    result: { kind: "value", value: text("7") },
  },
  slept: { type: MessageType.SleepCompletion, id: completion(3), result: { kind: "void" } },
  signal: {
    type: MessageType.Signal,
    id: { kind: "signal-index", index: 17 },
    result: { kind: "void" },
  },
  namedSignal: {
    type: MessageType.Signal,
    id: { kind: "signal-name", name: "go" },
    result: { kind: "void" },
  },
  message: {
    type: MessageType.Signal,
    id: { kind: "signal-name", name: "hf.msg/a/b/2" },
    result: { kind: "value", value: text("message") },
  },
  event: {
    type: MessageType.Signal,
    id: { kind: "signal-name", name: "hf.event/progress" },
    result: { kind: "value", value: text("event") },
  },
  output: {
    type: MessageType.OutputCommand,
    result: { kind: "value", value: text("out") },
    name: "",
  },
} as const satisfies Record<string, Message>;

export type MessageName = keyof typeof MESSAGES;

export const MESSAGE_NAMES = [
  "input",
  "run1",
  "run2",
  "ran1",
  "slept",
  "signal",
  "namedSignal",
  "output",
] as const satisfies readonly MessageName[];

export function appendMessage(tx: Transactor, invocation: Invocation, name: MessageName): number {
  const message = MESSAGES[name];
  return tx.append(invocation, message.type, encodeBody(message), NOW_MS);
}

export function deploymentOf(id: string, services: readonly string[]): Deployment {
  return {
    id,
    uri: `http://127.0.0.1:9080/${id}/`,
    protocolMode: "BIDI_STREAM",
    httpVersion: "HTTP/2.0",
    minProtocolVersion: 5,
    maxProtocolVersion: 6,
    sdkVersion: "restate-sdk-typescript/1.0",
    additionalHeaders: { authorization: "Bearer x" },
    metadata: { team: "a" },
    createdAtMs: NOW_MS,
    services: services.map((name) => ({
      name,
      ty: "SERVICE",
      metadata: { __proto__key: "v" },
      handlers: [{ name: "greet", journalRetention: 1000 }],
    })),
    drainingSinceMs: null,
  };
}

/** An invocation as a plain value. */
export function plain(invocation: Invocation) {
  const { journal, id, restartedFrom } = invocation;
  return {
    ...Object.assign({}, invocation),
    id: [...id],
    restartedFrom: restartedFrom === null ? null : [...restartedFrom],
    journal: {
      length: journal.length,
      commands: journal.commands,
      outputIndex: journal.outputIndex,
      openRuns: [...journal.openRuns].toSorted((a, b) => a - b),
      signals: [...journal.signals].toSorted(),
    },
  };
}

class Undone extends Error {}

/** Everything in the store under seqs below `seqEnd` and under `INSTANCES`, as one string. Changes nothing. */
export function dump(store: Store, seqEnd: number): string {
  let dumped: unknown;
  try {
    store.transact((tx) => {
      const seqs = Array.from({ length: seqEnd - 1 }, (_, index) => index + 1);
      dumped = {
        invocations: seqs.flatMap((seq) => invocationIn(tx, seq)),
        listeners: seqs.map((seq) => tx.takeListeners(seq)),
        running: tx.running(0, 1_000_000).map(({ seq }) => seq),
        nextDueMs: tx.nextDueMs() ?? null,
        timers: tx.takeDueTimers(Number.MAX_SAFE_INTEGER, 1_000_000),
        instances: INSTANCES.map((instance) => instanceIn(tx, instance)),
        nextPosition: tx.enqueue({ service: "Cart", key: "z" }, { kind: "invocation", seq: 1 }),
        registry: registryIn(tx),
      };
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return JSON.stringify(dumped);
}

function invocationIn(tx: Transactor, seq: number): unknown[] {
  const found = tx.invocation(seq);
  const entries = tx
    .entries(seq, 0, 1_000_000)
    .map(({ body, ...entry }) => [entry.index, entry.type, entry.atMs, latin1(body)]);
  const runs = tx.entriesOfType(seq, MessageType.RunCommand).map(({ index }) => index);
  const events = tx.events(seq).map(({ atMs, afterIndex, ...what }) => [atMs, afterIndex, what]);
  if (found !== undefined) {
    const same = tx.findInvocation(found.id) === found;
    return [{ ...plain(found), entries, runs, events, same }];
  }
  return entries.length > 0 || events.length > 0 ? [{ orphaned: seq, entries, events }] : [];
}

const PROMISE_NAMES = ["p", "q", ""];

function instanceIn(tx: Transactor, instance: Instance): unknown {
  const state = (bytesMax: number) => {
    const { entries, isComplete } = tx.state(instance, bytesMax);
    return [isComplete, entries.map(({ key, value }) => [latin1(key), latin1(value)])];
  };
  return {
    state: [20, 1_000_000].map(state),
    names: tx.stateNames(instance).map(latin1),
    holder: tx.lockHolder(instance) ?? null,
    invocations: tx.queue(instance, 1_000_000),
    queue: dequeueAll(tx, instance),
    promises: PROMISE_NAMES.map((name) => outcomeIn(tx, instance, name)),
    promiseListeners: PROMISE_NAMES.map((name) => tx.takePromiseListeners(instance, name)),
  };
}

function dequeueAll(tx: Transactor, instance: Instance): unknown[] {
  const items: unknown[] = [];
  for (let item = tx.dequeue(instance); item !== undefined; item = tx.dequeue(instance)) {
    if (item.kind === "invocation") items.push(item.seq);
    else {
      const { version, entries } = item.mutation;
      items.push([version, entries.map(({ key, value }) => [latin1(key), latin1(value)])]);
    }
  }
  return items;
}

function outcomeIn(reader: Reader, instance: Instance, name: string): unknown {
  const outcome = reader.promise(instance, name);
  if (outcome === undefined) return null;
  return outcome.kind === "value" ? latin1(outcome.value) : outcome.failure;
}

function registryIn(reader: Reader): unknown {
  const { deployments, revisions, services, overrides } = reader.registry();
  const sorted = <V>(map: ReadonlyMap<string, V>) =>
    [...map].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return [deployments, revisions, services, overrides].map((map) => sorted<unknown>(map));
}

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
