/** State of objects and workflows: what is known, what is asked for, and what the journal says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message, Notification, StateEntry } from "../protocol/messages.ts";
import { LocalState } from "./local-state.ts";
import {
  bytes,
  CANCEL,
  completion,
  input,
  MachineTest,
  settledValue,
  sleepCommand,
  slept,
  start,
  suspended,
  value,
} from "./machine.suite.ts";
import { clearAllState, clearState, getState, getStateKeys, setState } from "./state-syscalls.ts";
import { sleep } from "./syscalls.ts";

const VOID = { kind: "void" } as const;

const entry = (key: string, text: string): StateEntry => ({ key: bytes(key), value: bytes(text) });
const getEager = (key: string, text?: string): Command => ({
  type: MessageType.GetEagerStateCommand,
  name: "",
  key: bytes(key),
  result: text === undefined ? VOID : { kind: "value", value: bytes(text) },
});
const getLazy = (resultCompletionId: number, key: string): Command => ({
  type: MessageType.GetLazyStateCommand,
  name: "",
  key: bytes(key),
  resultCompletionId,
});
const got = (completionId: number, result: Notification["result"]): Notification =>
  completion(MessageType.GetLazyStateCompletion, completionId, result);
const set = (key: string, text: string): Command => ({
  type: MessageType.SetStateCommand,
  name: "",
  key: bytes(key),
  value: bytes(text),
});
const clear = (key: string): Command => ({
  type: MessageType.ClearStateCommand,
  name: "",
  key: bytes(key),
});
const CLEAR_ALL: Command = { type: MessageType.ClearAllStateCommand, name: "" };
const eagerKeys = (...keys: string[]): Command => ({
  type: MessageType.GetEagerStateKeysCommand,
  name: "",
  keys: keys.map(bytes),
});
const lazyKeys = (resultCompletionId: number): Command => ({
  type: MessageType.GetLazyStateKeysCommand,
  name: "",
  resultCompletionId,
});

interface Known {
  readonly entries?: readonly StateEntry[];
  readonly isPartial?: boolean;
}

/** An attempt of an object's handler. */
function attempt(
  { entries = [], isPartial = false }: Known,
  ...journal: Message[]
): [MachineTest, LocalState] {
  const test = new MachineTest();
  const opening = { ...start(journal.length), state: entries, partialState: isPartial };
  test.feed(opening, ...journal);
  return [test, new LocalState(opening)];
}

describe("a value of the state that was sent along", () => {
  const known = { entries: [entry("a", "1"), entry("empty", "")], isPartial: true };

  it("is recorded with the question, and takes an id all the same", () => {
    const [test, state] = attempt(known, input());
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), value("1"));
    assert.deepEqual(settledValue(getState(test.machine, state, "empty")), value(""));
    sleep(test.machine, "", 5);
    test.expectWritten(getEager("a", "1"), getEager("empty", ""), sleepCommand(3, 5));
  });

  it("is void when everything was sent along and it was not", () => {
    const [test, state] = attempt({ ...known, isPartial: false }, input());
    assert.deepEqual(settledValue(getState(test.machine, state, "b")), VOID);
    test.expectWritten(getEager("b"));
  });

  it("is that of the journal on replay, whatever has become of it since", () => {
    const [test, state] = attempt({ entries: [entry("a", "9")] }, input(), getEager("a", "1"));
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), value("1"));
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), value("9"));
    test.expectWritten(getEager("a", "9"));
  });

  it("is that of the journal also when it had to be asked for then", () => {
    const [test, state] = attempt(known, input(), getLazy(1, "a"), got(1, value("0")));
    const node = getState(test.machine, state, "a");
    assert.equal(test.progress(node), "settled");
    assert.deepEqual(settledValue(node), value("0"));
    test.expectWritten();
  });
});

describe("a value of the state that was not sent along", () => {
  const unknown = { isPartial: true };

  it("is asked for", () => {
    const [test, state] = attempt(unknown, input());
    const node = getState(test.machine, state, "a");
    assert.equal(test.progress(node), "waiting");
    test.expectWritten(getLazy(1, "a"));
    test.feed(got(1, VOID));
    assert.equal(test.progress(node), "settled");
    assert.deepEqual(settledValue(node), VOID);
  });

  it("is that of the journal when it was known then", () => {
    const [test, state] = attempt(unknown, input(), getEager("a", "1"));
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), value("1"));
    test.expectWritten();
  });

  it("is waited for in a suspension", () => {
    const [test, state] = attempt(unknown, input());
    test.machine.onInputClosed();
    assert.equal(test.progress(getState(test.machine, state, "a")), "closed");
    test.expectWritten(getLazy(1, "a"), suspended([1]));
  });

  it("is not waited for once the invocation is cancelled", () => {
    const [test, state] = attempt(unknown, input(), CANCEL);
    assert.equal(test.progress(getState(test.machine, state, "a")), "cancelled");
    test.expectWritten(getLazy(1, "a"));
  });
});

describe("changes of the state", () => {
  it("are seen by what is read after them", () => {
    const [test, state] = attempt(
      { entries: [entry("a", "1"), entry("b", "2")], isPartial: true },
      input(),
    );
    setState(test.machine, state, "c", bytes("3"));
    clearState(test.machine, state, "a");
    assert.deepEqual(settledValue(getState(test.machine, state, "c")), value("3"));
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), VOID);
    clearAllState(test.machine, state);
    assert.deepEqual(settledValue(getState(test.machine, state, "b")), VOID);
    assert.deepEqual(settledValue(getState(test.machine, state, "never")), VOID);
    test.expectWritten(
      set("c", "3"),
      clear("a"),
      getEager("c", "3"),
      getEager("a"),
      CLEAR_ALL,
      getEager("b"),
      getEager("never"),
    );
  });

  it("are seen also when they are replayed", () => {
    const [test, state] = attempt(
      { isPartial: true },
      input(),
      set("a", "1"),
      CLEAR_ALL,
      set("b", "2"),
    );
    setState(test.machine, state, "a", bytes("1"));
    clearAllState(test.machine, state);
    setState(test.machine, state, "b", bytes("2"));
    test.expectWritten();
    assert.deepEqual(settledValue(getState(test.machine, state, "a")), VOID);
    assert.deepEqual(settledValue(getState(test.machine, state, "b")), value("2"));
    getStateKeys(test.machine, state);
    test.expectWritten(getEager("a"), getEager("b", "2"), eagerKeys("b"));
  });

  it("must be those of the journal", () => {
    const [test, state] = attempt({}, input(), set("a", "1"));
    setState(test.machine, state, "a", bytes("22"));
    test.expectError(
      570,
      /entry 1 .* holds SetState "a", but the code now does SetState "a" \(different: value \(1 bytes recorded, 2 now/,
    );
    const [other, otherState] = attempt({}, input(), set("a", "1"));
    clearState(other.machine, otherState, "a");
    other.expectError(570, /holds SetState "a", but the code now does ClearState "a"/);
    const [third, thirdState] = attempt({}, input(), getEager("x", "1"));
    getState(third.machine, thirdState, "y");
    third.expectError(570, /holds GetState "x", but the code now does GetState "y"/);
  });
});

describe("the keys of the state", () => {
  it("are recorded with the question, sorted, when all are known", () => {
    const [test, state] = attempt({ entries: [entry("b", ""), entry("a", "1")] }, input());
    clearState(test.machine, state, "none");
    setState(test.machine, state, "c", bytes(""));
    getStateKeys(test.machine, state);
    clearState(test.machine, state, "b");
    const node = getStateKeys(test.machine, state);
    assert.deepEqual(settledValue(node), { kind: "state-keys", keys: [bytes("a"), bytes("c")] });
    test.expectWritten(
      clear("none"),
      set("c", ""),
      eagerKeys("a", "b", "c"),
      clear("b"),
      eagerKeys("a", "c"),
    );
  });

  it("are asked for when they are not, and waited for", () => {
    const [test, state] = attempt({ entries: [entry("a", "1")], isPartial: true }, input());
    const node = getStateKeys(test.machine, state);
    test.expectWritten(lazyKeys(1));
    const keys = { kind: "state-keys", keys: [bytes("z")] } as const;
    test.feed(completion(MessageType.GetLazyStateKeysCompletion, 1, keys));
    assert.equal(test.progress(node), "settled");
    assert.deepEqual(settledValue(node), keys);

    const [other, otherState] = attempt({ isPartial: true }, input());
    other.machine.onInputClosed();
    assert.equal(other.progress(getStateKeys(other.machine, otherState)), "closed");
    other.expectWritten(lazyKeys(1), suspended([1]));
  });

  it("are those of the journal, however they were got", () => {
    const [test, state] = attempt({ isPartial: true }, input(), eagerKeys("b"));
    assert.deepEqual(settledValue(getStateKeys(test.machine, state)), {
      kind: "state-keys",
      keys: [bytes("b")],
    });
    const [other, otherState] = attempt({}, input(), lazyKeys(1), slept(7));
    assert.equal(getStateKeys(other.machine, otherState).poll(), undefined);
    test.expectWritten();
    other.expectWritten();
  });
});
