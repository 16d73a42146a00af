/** For tests: a machine with what it wrote, and messages to feed it with. */
import assert from "node:assert/strict";
import { MessageType } from "../protocol/message-type.ts";
import type {
  Command,
  Message,
  Notification,
  NotificationResult,
  Outcome,
  Start,
} from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import type { AwaitNode } from "./await-node.ts";
import { ReplayMachine } from "./machine.ts";
import type { MachineOptions, Progress } from "./progress.ts";

export const INVOCATION_ID = Uint8Array.from({ length: 24 }, (_, index) => index);
export const CHILD = "inv_1jKWrCo9TdeA1XzIHSPAMVM9ySPdRCFvyB";

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const value = (text: string): Outcome => ({ kind: "value", value: bytes(text) });
export const failure = (code: number, message: string): Outcome => ({
  kind: "failure",
  failure: { code, message },
});

export function start(knownEntries: number, retries = 0, durationMs = 0): Start {
  return {
    type: MessageType.Start,
    id: INVOCATION_ID,
    debugId: CHILD,
    knownEntries,
    state: [],
    partialState: true,
    key: "",
    retryCountSinceLastStoredEntry: retries,
    durationSinceLastStoredEntryMs: durationMs,
    randomSeed: 42n,
  };
}

export const input = (text = ""): Command => ({
  type: MessageType.InputCommand,
  name: "",
  headers: [],
  value: bytes(text),
});
export const output = (result: Outcome): Command => ({
  type: MessageType.OutputCommand,
  name: "",
  result,
});
export const runCommand = (resultCompletionId: number, name: string): Command => ({
  type: MessageType.RunCommand,
  name,
  resultCompletionId,
});
export const sleepCommand = (
  resultCompletionId: number,
  wakeUpTimeMs: number,
  name = "",
): Command => ({ type: MessageType.SleepCommand, name, wakeUpTimeMs, resultCompletionId });

export const completion = (
  type: Notification["type"],
  completionId: number,
  result: NotificationResult,
): Notification => ({ type, id: { kind: "completion", completionId }, result });
export const ran = (completionId: number, result: Outcome): Notification =>
  completion(MessageType.RunCompletion, completionId, result);
export const slept = (completionId: number): Notification =>
  completion(MessageType.SleepCompletion, completionId, { kind: "void" });
export const called = (completionId: number, result: Outcome): Notification =>
  completion(MessageType.CallCompletion, completionId, result);
export const invocationId = (completionId: number, id = CHILD): Notification =>
  completion(MessageType.CallInvocationIdCompletion, completionId, {
    kind: "invocation-id",
    invocationId: id,
  });
export const signal = (index: number, result: NotificationResult): Notification => ({
  type: MessageType.Signal,
  id: { kind: "signal-index", index },
  result,
});
export const namedSignal = (name: string, result: NotificationResult): Notification => ({
  type: MessageType.Signal,
  id: { kind: "signal-name", name },
  result,
});
export const CANCEL: Notification = signal(1, { kind: "void" });

export const proposed = (resultCompletionId: number, result: Outcome): Message => ({
  type: MessageType.ProposeRunCompletion,
  resultCompletionId,
  result,
});
export const suspended = (
  completions: number[],
  signals: number[] = [1],
  namedSignals: string[] = [],
): Message => ({ type: MessageType.Suspension, completions, signals, namedSignals });
export const END: Message = { type: MessageType.End };

export class MachineTest {
  readonly machine: ReplayMachine<string>;
  #written: Message[] = [];
  #awaited: readonly AwaitNode<unknown>[] = [];
  #generation = 0;

  constructor(version: ProtocolVersion = 6, options: MachineOptions = {}) {
    const emit = (message: Message, ackRequested: boolean): void => {
      const isAsked = version === 7 && message.type === MessageType.ProposeRunCompletion;
      assert.equal(ackRequested, isAsked);
      this.#written.push(message);
    };
    this.machine = new ReplayMachine({ emit }, version, options);
  }

  /** Start and the journal. */
  static replaying(...entries: Message[]): MachineTest {
    const test = new MachineTest();
    test.feed(start(entries.length), ...entries);
    return test;
  }

  /** As `replaying`, with protocol V7. */
  static replayingTrees(...entries: Message[]): MachineTest {
    const test = new MachineTest(7);
    test.feed(start(entries.length), ...entries);
    return test;
  }

  feed(...messages: Message[]): void {
    for (const message of messages) this.machine.onMessage(message);
  }

  /** What was written since the last look. */
  written(): Message[] {
    const written = this.#written;
    this.#written = [];
    return written;
  }

  expectWritten(...messages: Message[]): void {
    assert.deepEqual(this.written(), messages);
  }

  /** The last message was an Error; its fields. */
  expectError(code: number, message: RegExp): Message & { type: typeof MessageType.Error } {
    const error = this.written().at(-1);
    assert.ok(error?.type === MessageType.Error, "the last message is no Error");
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.equal(this.machine.phase, "closed");
    return error;
  }

  progress(...nodes: AwaitNode<unknown>[]): Progress<string>["kind"] {
    return this.ask(...nodes).kind;
  }

  /** As if the handler awaited these, one in each of its flows. */
  ask(...nodes: AwaitNode<unknown>[]): Progress<string> {
    const isSame = nodes.every((node, place) => node === this.#awaited[place]);
    if (!isSame || nodes.length !== this.#awaited.length) this.#generation += 1;
    this.#awaited = nodes;
    return this.machine.progress({
      generation: this.#generation,
      poll: () => nodes.filter((node) => node.poll() !== undefined).length > 0,
      collect: (leaves) => {
        for (const node of nodes) node.collect(leaves);
      },
      describe: (tree, depth) => {
        for (const node of nodes) node.describe(tree, depth);
      },
    });
  }

  /** Executes the steps that must be next. */
  execute(result: Outcome, ...nodes: AwaitNode<unknown>[]): void {
    const progress = this.ask(...nodes);
    assert.ok(progress.kind === "execute", `${progress.kind} instead of execute`);
    for (const run of progress.runs) this.machine.proposeRun(run, result);
  }
}

export const settledValue = (node: AwaitNode<unknown>): unknown => {
  const settled = node.poll();
  assert.ok(settled?.ok, "not decided, or not with a value");
  return settled.value;
};
