/** What the tests of this room share: a door that records, a deployment, an invocation with its journal. */
import assert from "node:assert/strict";
import { encodeBody, encodeMessage } from "../../sdk/protocol/codec.ts";
import { type Frame, FrameDecoder } from "../../sdk/protocol/frame.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Command, Message, Notification } from "../../sdk/protocol/messages.ts";
import type { ManifestService } from "../../sdk/protocol/manifest.ts";
import { emptySummary, type Entry } from "../journal/summary.ts";
import { deploymentOf } from "../machine/deployment.suite.ts";
import type { AttemptRef, FailAttempt, Input } from "../machine/input.ts";
import type { Invocation } from "../machine/invocation.ts";
import {
  type Deployment,
  EMPTY_REGISTRY,
  type Registry,
  withDeployment,
} from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door } from "../processor/ports.ts";

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

export const ATTEMPT: AttemptRef = { seq: 1, epoch: 0, deploymentId: "dp_1", protocolVersion: 6 };

export const INPUT: Command = {
  type: MessageType.InputCommand,
  headers: [],
  value: text("hello"),
  name: "",
};
export const OUTPUT: Command = {
  type: MessageType.OutputCommand,
  result: { kind: "value", value: text("bye") },
  name: "",
};
export const RUN: Command = { type: MessageType.RunCommand, resultCompletionId: 1, name: "step" };
export const END: Message = { type: MessageType.End };
export const SUSPENSION: Message = {
  type: MessageType.Suspension,
  completions: [1],
  signals: [1],
  namedSignals: [],
};

export function runCompletion(completionId: number): Notification {
  return {
    type: MessageType.RunCompletion,
    id: { kind: "completion", completionId },
    result: { kind: "value", value: text("done") },
  };
}

/** The frames of messages, one after the other. */
export function bytesOf(...messages: Message[]): Uint8Array {
  return Buffer.concat(messages.map((message) => encodeMessage(message)));
}

export function framesOf(bytes: Uint8Array): Frame[] {
  const decoder = new FrameDecoder(1 << 28);
  decoder.push(bytes);
  const frames: Frame[] = [];
  for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) frames.push(frame);
  assert.equal(decoder.pendingBytes, 0, "the bytes end within a frame");
  return frames;
}

export const COUNTER: ManifestService = {
  name: "Counter",
  ty: "VIRTUAL_OBJECT",
  handlers: [
    { name: "add" },
    { name: "get", ty: "SHARED" },
    { name: "lazy", enableLazyState: true },
  ],
};

export const SERVICE: ManifestService = {
  name: "Greeter",
  ty: "SERVICE",
  handlers: [
    { name: "greet" },
    { name: "hasty", inactivityTimeout: 200, abortTimeout: 200 },
    { name: "closed", inactivityTimeout: 0, abortTimeout: 300 },
  ],
};

export function deployment(over: Partial<Deployment> = {}): Deployment {
  return deploymentOf(0, [SERVICE], over);
}

export function invocationId(seq: number): Uint8Array {
  const id = new Uint8Array(24);
  new DataView(id.buffer).setUint32(20, seq);
  return id;
}

/** A door behind which nothing happens: inputs are kept, reads see what the test put there. */
export class FakeDoor implements Door {
  isCongested = false;
  isDurable = true;
  readonly #relieved: (() => void)[] = [];

  whenRelieved(fn: () => void): void {
    this.#relieved.push(fn);
  }

  relieve(): void {
    for (const fn of this.#relieved.splice(0)) fn();
  }

  readonly inputs: Input[] = [];
  readonly invocations = new Map<number, Invocation>();
  readonly journals = new Map<number, Entry[]>();
  /** What is stored for instances; a test replaces it. */
  state: Reader["state"] = () => ({ entries: [], isComplete: true });
  #registry: Registry = EMPTY_REGISTRY;
  #waiters: { until: () => boolean; resolve: () => void }[] = [];

  register(added: Deployment): void {
    this.#registry = withDeployment(this.#registry, added).registry;
  }

  /** Adds a running invocation whose journal is these messages, an Input by default. */
  add(seq: number, over: Partial<Invocation> = {}, journal: readonly Message[] = [INPUT]): void {
    this.invocations.set(seq, {
      seq,
      id: invocationId(seq),
      target: { service: "Greeter", handler: "greet", key: null },
      kind: "plain",
      idempotencyKey: null,
      caller: null,
      restartedFrom: null,
      trace: null,
      createdAtMs: 0,
      startAtMs: null,
      completionRetentionMs: 0,
      journalRetentionMs: 0,
      modifiedAtMs: 0,
      queuedAtMs: null,
      runningAtMs: null,
      lastStartAtMs: null,
      epoch: 0,
      state: { status: "running", isPausing: false },
      pin: null,
      retryCount: 0,
      retryCountSinceLastStoredEntry: 0,
      lastFailure: null,
      isJournalPurged: false,
      journal: emptySummary(),
      ...over,
    });
    this.journals.set(seq, []);
    for (const message of journal) this.append(seq, message);
  }

  append(seq: number, message: Message): number {
    const journal = this.journals.get(seq) ?? [];
    const index = journal.length;
    journal.push({ index, type: message.type, body: encodeBody(message), atMs: 0 });
    return index;
  }

  submit(input: Input): void {
    this.inputs.push(input);
    const met = this.#waiters.filter(({ until }) => until());
    this.#waiters = this.#waiters.filter((waiter) => !met.includes(waiter));
    for (const { resolve } of met) resolve();
  }

  ask(): void {
    throw new Error("nothing in this room asks");
  }

  read<T>(fn: (reader: Reader) => T): T {
    return fn({
      registry: () => this.#registry,
      invocation: (seq) => this.invocations.get(seq),
      findInvocation: () => undefined,
      entries: (seq, from, to) => (this.journals.get(seq) ?? []).slice(from, to),
      entriesOfType: () => [],
      events: () => [],
      nextDueMs: () => undefined,
      running: () => [],
      isPinned: () => false,
      state: (instance, bytesMax) => this.state(instance, bytesMax),
      stateValue: () => undefined,
      stateNames: () => [],
      lockHolder: () => undefined,
      queue: () => [],
      promise: () => undefined,
    });
  }

  readDurable<T>(fn: (reader: Reader) => T): Promise<T> {
    return Promise.resolve(this.read(fn));
  }

  /** The inputs by type, in order. */
  get types(): string[] {
    return this.inputs.map((input) => input.type);
  }

  /** The one failure there is. */
  get failure(): FailAttempt {
    const failures = this.inputs.filter((input) => input.type === "fail");
    const [failure] = failures;
    assert(failure !== undefined && failures.length === 1, `failures: ${JSON.stringify(failures)}`);
    return failure;
  }

  /** Resolves once so many inputs have come. */
  async received(count: number): Promise<void> {
    await this.until(() => this.inputs.length >= count, `${count} inputs`);
  }

  until(met: () => boolean, what: string): Promise<void> {
    if (met()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited for ${what}, got ${JSON.stringify(this.types)}`)),
        10_000,
      );
      this.#waiters.push({
        until: met,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      });
    });
  }
}

/** Polls, for what nothing announces. */
export async function eventually(met: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!met()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
