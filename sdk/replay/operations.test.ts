/** Every operation of a handler in the situations it can be in: new, replayed, suspended, cancelled, not that of the journal. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message, Notification, NotificationResult } from "../protocol/messages.ts";
import type { AwaitNode } from "./await-node.ts";
import { LocalState } from "./local-state.ts";
import type { ReplayMachine } from "./machine.ts";
import {
  bytes,
  CANCEL,
  CHILD,
  completion,
  failure,
  input,
  MachineTest,
  namedSignal,
  runCommand,
  settledValue,
  signal,
  sleepCommand,
  start,
  suspended,
  value,
} from "./machine.suite.ts";
import { clearAllState, clearState, getState, getStateKeys, setState } from "./state-syscalls.ts";
import * as syscalls from "./syscalls.ts";

interface Operation {
  readonly name: string;
  readonly make: (machine: ReplayMachine<string>, state: LocalState) => AwaitNode<unknown> | void;
  /** What it writes; nothing for a signal, which is only waited for. */
  readonly command?: Command;
  /** What ends the wait for it; nothing for what is not waited for. */
  readonly news?: Notification;
}

const FIELDS: syscalls.CallFields = {
  service: "Counter",
  handler: "add",
  key: "k",
  parameter: bytes("1"),
  headers: [{ key: "a", value: "b" }],
  idempotencyKey: "i",
  name: "label",
};
const TARGET = { kind: "workflow", service: "Signup", key: "k" } as const;
const GO = { kind: "signal-name", name: "go" } as const;
const VOID = { kind: "void" } as const;

const once = (type: Notification["type"], result: NotificationResult): Notification =>
  completion(type, 1, result);
const keyed = { name: "", key: bytes("a") };
const promised = { name: "", key: "p", resultCompletionId: 1 };

const OPERATIONS: readonly Operation[] = [
  {
    name: "a step",
    make: (machine) => machine.run("a", "a"),
    command: runCommand(1, "a"),
    news: once(MessageType.RunCompletion, value("1")),
  },
  {
    name: "a timer",
    make: (machine) => syscalls.sleep(machine, "nap", 5),
    command: sleepCommand(1, 5, "nap"),
    news: once(MessageType.SleepCompletion, VOID),
  },
  {
    name: "a call",
    make: (machine) => syscalls.call(machine, FIELDS).result,
    command: {
      type: MessageType.CallCommand,
      ...FIELDS,
      invocationIdCompletionId: 1,
      resultCompletionId: 2,
    },
    news: completion(MessageType.CallCompletion, 2, failure(404, "gone")),
  },
  {
    name: "a one-way call",
    make: (machine) => syscalls.send(machine, FIELDS, 0),
    command: {
      type: MessageType.OneWayCallCommand,
      ...FIELDS,
      invocationIdCompletionId: 1,
      invokeTimeMs: 0,
    },
    news: once(MessageType.CallInvocationIdCompletion, {
      kind: "invocation-id",
      invocationId: CHILD,
    }),
  },
  {
    name: "an awakeable",
    make: (machine) => machine.signal(17),
    news: signal(17, value("1")),
  },
  {
    name: "a signal by name",
    make: (machine) => machine.namedSignal("go"),
    news: namedSignal("go", failure(500, "no")),
  },
  {
    name: "the completion of an awakeable",
    make: (machine) => syscalls.completeAwakeable(machine, "sign_1x", value("1")),
    command: {
      type: MessageType.CompleteAwakeableCommand,
      name: "",
      awakeableId: "sign_1x",
      result: value("1"),
    },
  },
  {
    name: "a signal to another invocation",
    make: (machine) => syscalls.sendSignal(machine, CHILD, GO, value("1")),
    command: {
      type: MessageType.SendSignalCommand,
      name: "",
      targetInvocationId: CHILD,
      signal: GO,
      result: value("1"),
    },
  },
  {
    name: "the cancellation of another invocation",
    make: (machine) => syscalls.cancelInvocation(machine, CHILD),
    command: {
      type: MessageType.SendSignalCommand,
      name: "",
      targetInvocationId: CHILD,
      signal: { kind: "signal-index", index: 1 },
      result: VOID,
    },
  },
  {
    name: "the result of another invocation",
    make: (machine) => syscalls.attachInvocation(machine, TARGET),
    command: {
      type: MessageType.AttachInvocationCommand,
      name: "",
      target: TARGET,
      resultCompletionId: 1,
    },
    news: once(MessageType.AttachInvocationCompletion, failure(404, "not found")),
  },
  {
    name: "a value of the state",
    make: (machine, state) => getState(machine, state, "a"),
    command: { type: MessageType.GetLazyStateCommand, ...keyed, resultCompletionId: 1 },
    news: once(MessageType.GetLazyStateCompletion, value("1")),
  },
  {
    name: "the keys of the state",
    make: (machine, state) => getStateKeys(machine, state),
    command: { type: MessageType.GetLazyStateKeysCommand, name: "", resultCompletionId: 1 },
    news: once(MessageType.GetLazyStateKeysCompletion, { kind: "state-keys", keys: [] }),
  },
  {
    name: "setting a value",
    make: (machine, state) => setState(machine, state, "a", bytes("1")),
    command: { type: MessageType.SetStateCommand, ...keyed, value: bytes("1") },
  },
  {
    name: "clearing a value",
    make: (machine, state) => clearState(machine, state, "a"),
    command: { type: MessageType.ClearStateCommand, ...keyed },
  },
  {
    name: "clearing the state",
    make: (machine, state) => clearAllState(machine, state),
    command: { type: MessageType.ClearAllStateCommand, name: "" },
  },
  {
    name: "a promise",
    make: (machine) => syscalls.getPromise(machine, "p"),
    command: { type: MessageType.GetPromiseCommand, ...promised },
    news: once(MessageType.GetPromiseCompletion, value("1")),
  },
  {
    name: "a look at a promise",
    make: (machine) => syscalls.peekPromise(machine, "p"),
    command: { type: MessageType.PeekPromiseCommand, ...promised },
    news: once(MessageType.PeekPromiseCompletion, VOID),
  },
  {
    name: "the completion of a promise",
    make: (machine) => syscalls.completePromise(machine, "p", value("1")),
    command: { type: MessageType.CompletePromiseCommand, ...promised, completion: value("1") },
    news: once(MessageType.CompletePromiseCompletion, failure(409, "completed already")),
  },
];

/** What another handler could have recorded at the same place. */
const OTHER: Command = sleepCommand(1, 5, "another");

for (const version of [5, 6, 7] as const) {
  /** The operation after this journal. */
  const made = (
    { make }: Operation,
    ...journal: Message[]
  ): { test: MachineTest; node: AwaitNode<unknown> | undefined } => {
    const test = new MachineTest(version);
    const opening = start(1 + journal.length);
    test.feed(opening, input(), ...journal);
    return { test, node: make(test.machine, new LocalState(opening)) ?? undefined };
  };
  const commandsOf = ({ command }: Operation): Command[] =>
    command === undefined ? [] : [command];

  describe(`on V${version}`, () => {
    for (const operation of OPERATIONS) {
      const commands = commandsOf(operation);
      const { name, news } = operation;

      it(`${name} is written when it is new`, () => {
        const { test } = made(operation);
        test.expectWritten(...commands);
        assert.equal(test.machine.phase, "processing");
      });

      it(`${name} is taken from the journal when it is replayed`, () => {
        const { test, node } = made(operation, ...commands, ...(news === undefined ? [] : [news]));
        assert.equal(node === undefined, news === undefined);
        if (node !== undefined && news !== undefined) {
          assert.equal(test.progress(node), "settled");
          assert.deepEqual(settledValue(node), news.result);
        }
        test.expectWritten();
      });

      if (commands.length > 0) {
        it(`${name} must be what the journal holds`, () => {
          const { test } = made(operation, OTHER);
          const holds =
            /entry 1 \(command 1\): the journal holds Sleep "another", but the code now/;
          const { relatedCommandIndex, behavior } = test.expectError(570, holds);
          assert.deepEqual([relatedCommandIndex, behavior], [1, undefined]);
        });
      }
      if (news === undefined) continue;

      it(`${name} is waited for in a suspension`, () => {
        const { test, node } = made(operation, ...commands);
        assert.ok(node !== undefined);
        test.machine.onInputClosed();
        if (name === "a step") test.execute(value("1"), node);
        assert.equal(test.progress(node), "closed");
        const { id } = news;
        const ids = {
          completions: id.kind === "completion" ? [id.completionId] : [],
          signals: id.kind === "signal-index" ? [1, id.index] : [1],
          namedSignals: id.kind === "signal-name" ? [id.name] : [],
        };
        const last = test.written().at(-1);
        if (version < 7) {
          const { completions, signals, namedSignals } = ids;
          assert.deepEqual(last, suspended(completions, signals, namedSignals));
        } else {
          assert.ok(last?.type === MessageType.Suspension);
          assert.deepEqual(last.awaitingOn, { ...ids, nested: [], combinator: 1 });
        }
      });

      it(`${name} is not waited for any more when the invocation is cancelled`, () => {
        const { test, node } = made(operation, ...commands, CANCEL, news);
        assert.ok(node !== undefined);
        // The id of a child comes first, so that the child can be cancelled too.
        const id: NotificationResult = { kind: "invocation-id", invocationId: CHILD };
        test.feed(once(MessageType.CallInvocationIdCompletion, id));
        assert.equal(test.progress(node), "cancelled");
      });

      it(`${name} may still be waited for after a cancellation`, () => {
        const { test, node } = made(operation, CANCEL, ...commands);
        assert.ok(node !== undefined);
        const id: NotificationResult = { kind: "invocation-id", invocationId: CHILD };
        if (name === "a call") test.feed(once(MessageType.CallInvocationIdCompletion, id));
        assert.equal(test.progress(node), "cancelled");
        test.feed(news);
        assert.equal(test.progress(node), "settled");
        assert.deepEqual(settledValue(node), news.result);
      });
    }
  });
}
