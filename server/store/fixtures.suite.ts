/** What the tests of the store are made of: ids, invocations, entries, and all that a store holds as one comparable value. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import type { Invocation, InvocationState, NewInvocation } from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import type { Listener, Transactor } from "../machine/tx.ts";
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

export function newInvocation(number: number, more: Partial<NewInvocation> = {}): NewInvocation {
  return {
    id: idOf(number),
    target: { service: "Greeter", handler: "greet", key: null },
    idempotencyKey: null,
    caller: null,
    createdAtMs: NOW_MS,
    retentionMs: 86_400_000,
    state: { status: "running" },
    ...more,
  };
}

export const STATES: readonly InvocationState[] = [
  { status: "scheduled", startAtMs: NOW_MS + 5000 },
  { status: "running" },
  {
    status: "suspended",
    awaiting: { completions: [1, 2], signals: [17], namedSignals: ["ready", "“quoted”"] },
  },
  { status: "backing-off", retryAtMs: NOW_MS + 250 },
  { status: "paused" },
  { status: "completed", completedAtMs: NOW_MS + 9, outputIndex: 4 },
];

export const SUSPENDED: InvocationState = {
  status: "suspended",
  awaiting: { completions: [1], signals: [], namedSignals: [] },
};

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

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
  };
}

/** An invocation as a plain value: the two stores hand out objects of different make. */
export function plain(invocation: Invocation) {
  const { seq, id, target, idempotencyKey, caller, createdAtMs, retentionMs, journal } = invocation;
  const { modifiedAtMs, epoch, state, pin, retryCount, lastFailure } = invocation;
  return {
    seq,
    id: [...id],
    target,
    idempotencyKey,
    caller,
    createdAtMs,
    retentionMs,
    modifiedAtMs,
    epoch,
    state,
    pin,
    retryCount,
    sinceLastEntry: invocation.retryCountSinceLastStoredEntry,
    lastFailure,
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

/** Everything in the store under seqs below `seqEnd`, as one string. Changes nothing. */
export function dump(store: Store, seqEnd: number): string {
  let dumped: unknown;
  try {
    store.transact((tx) => {
      const invocations: unknown[] = [];
      const listeners: (readonly [number, readonly Listener[]])[] = [];
      for (let seq = 1; seq < seqEnd; seq++) {
        const found = tx.invocation(seq);
        const entries = tx
          .entries(seq, 0, 1_000_000)
          .map(({ index, type, body }) => [index, type, Buffer.from(body).toString("latin1")]);
        if (found !== undefined) {
          const same = tx.findInvocation(found.id) === found;
          invocations.push({ ...plain(found), entries, same });
        } else if (entries.length > 0) {
          invocations.push({ orphaned: seq, entries });
        }
        const waiting = tx.takeListeners(seq);
        if (waiting.length > 0) listeners.push([seq, waiting]);
      }
      const running = tx.running(0, 1_000_000).map(({ seq }) => seq);
      const nextDueMs = tx.nextDueMs() ?? null;
      const timers = tx.takeDueTimers(Number.MAX_SAFE_INTEGER, 1_000_000);
      const { deployments, services } = tx.registry();
      dumped = {
        invocations,
        listeners,
        running,
        nextDueMs,
        timers,
        deployments: [...deployments].toSorted(([a], [b]) => (a < b ? -1 : 1)),
        services: [...services].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      };
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return JSON.stringify(dumped);
}
