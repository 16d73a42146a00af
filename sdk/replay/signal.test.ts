import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import { Race } from "./combinators.ts";
import {
  CHILD,
  failure,
  input,
  MachineTest,
  namedSignal,
  settledValue,
  signal,
  suspended,
  value,
} from "./machine.suite.ts";
import { cancelInvocation, completeAwakeable, sendSignal } from "./syscalls.ts";

describe("an awakeable", () => {
  it("writes nothing and waits for its signal", () => {
    const test = MachineTest.replaying(input());
    const awakeable = test.machine.signal(17);
    assert.equal(test.progress(awakeable), "waiting");
    test.machine.onInputClosed();
    assert.equal(test.progress(awakeable), "closed");
    test.expectWritten(suspended([], [1, 17]));
  });

  it("takes the signal that came before it, and the first of several", () => {
    const test = MachineTest.replaying(
      input(),
      signal(17, value("1")),
      signal(17, failure(500, "no")),
    );
    const awakeable = test.machine.signal(17);
    assert.equal(test.progress(awakeable), "settled");
    assert.deepEqual(settledValue(awakeable), value("1"));
  });

  it("takes a signal that was made known before it was made", () => {
    const test = MachineTest.replaying(input(), signal(18, value("b")), signal(17, value("a")));
    assert.equal(test.progress(test.machine.signal(17)), "settled");
    const second = test.machine.signal(18);
    assert.deepEqual(settledValue(second), value("b"));
  });

  it("of somebody else is completed by a command", () => {
    const test = MachineTest.replaying(input());
    completeAwakeable(test.machine, "sign_1x", failure(410, "gone"));
    const type = MessageType.CompleteAwakeableCommand;
    const result = failure(410, "gone");
    test.expectWritten({ type, name: "", awakeableId: "sign_1x", result });
  });
});

describe("a named signal", () => {
  it("is awaited by name", () => {
    const test = MachineTest.replaying(input());
    const go = test.machine.namedSignal("go");
    test.machine.onInputClosed();
    assert.equal(test.progress(go), "closed");
    test.expectWritten(suspended([], [1], ["go"]));
  });

  it("is taken by one await each, in the order they come", () => {
    const test = MachineTest.replaying(input());
    test.feed(namedSignal("go", value("1")), namedSignal("go", value("2")));
    const [first, second] = [test.machine.namedSignal("go"), test.machine.namedSignal("go")];
    assert.equal(test.progress(first), "settled");
    assert.equal(test.progress(second), "settled");
    assert.deepEqual([settledValue(first), settledValue(second)], [value("1"), value("2")]);
  });

  it("is not taken by an await that lost a race", () => {
    const test = MachineTest.replaying(input());
    const lost = test.machine.namedSignal("go");
    test.feed(signal(17, value("won")), namedSignal("go", value("1")));
    assert.equal(test.progress(new Race([lost, test.machine.signal(17)])), "settled");
    const next = test.machine.namedSignal("go");
    assert.equal(test.progress(next), "settled");
    assert.deepEqual(settledValue(next), value("1"));
  });

  it("is sent by a command, as is a cancellation", () => {
    const test = MachineTest.replaying(input());
    sendSignal(test.machine, CHILD, { kind: "signal-name", name: "go" }, value("1"));
    cancelInvocation(test.machine, CHILD);
    const command = {
      type: MessageType.SendSignalCommand,
      name: "",
      targetInvocationId: CHILD,
    } as const;
    test.expectWritten(
      { ...command, signal: { kind: "signal-name", name: "go" }, result: value("1") },
      { ...command, signal: { kind: "signal-index", index: 1 }, result: { kind: "void" } },
    );
  });
});
