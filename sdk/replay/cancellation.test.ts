import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CANCEL,
  END,
  failure,
  input,
  invocationId,
  MachineTest,
  output,
  ran,
  runCommand,
  sleepCommand,
  slept,
  suspended,
  value,
} from "./machine.suite.ts";
import { call, type CallFields, send, sleep } from "./syscalls.ts";

const FIELDS: CallFields = {
  service: "S",
  handler: "h",
  key: "",
  parameter: bytes(""),
  headers: [],
  name: "",
};
const [FIRST, SECOND] = ["inv_1first", "inv_1second"];

const cancelOf = (targetInvocationId: string): Command => ({
  type: MessageType.SendSignalCommand,
  name: "",
  targetInvocationId,
  signal: { kind: "signal-index", index: 1 },
  result: { kind: "void" },
});

describe("a cancellation", () => {
  it("ends the current await", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 5);
    assert.equal(test.progress(nap), "waiting");
    test.feed(CANCEL);
    assert.equal(test.progress(nap), "cancelled");
    assert.equal(nap.poll(), undefined);
  });

  it("counts only at its place in the journal", () => {
    const test = MachineTest.replaying(input(), sleepCommand(1, 5), slept(1), CANCEL);
    const first = sleep(test.machine, "", 5);
    assert.equal(test.progress(first), "settled");
    const second = sleep(test.machine, "", 6);
    assert.equal(test.progress(second), "cancelled");
    test.expectWritten(sleepCommand(2, 6));
  });

  it("keeps a step from being executed, but not from being written", () => {
    const test = MachineTest.replaying(input(), CANCEL);
    const run = test.machine.run("a", "a");
    assert.equal(test.progress(run), "cancelled");
    test.machine.end(failure(409, "Cancelled"));
    test.expectWritten(runCommand(1, "a"), output(failure(409, "Cancelled")), END);
  });

  it("is passed on to calls, done or not, in call order, but not to one-way calls", () => {
    const test = MachineTest.replaying(input());
    const first = call(test.machine, FIELDS);
    send(test.machine, FIELDS, 0);
    const second = call(test.machine, FIELDS);
    test.written();
    test.feed(
      invocationId(1, FIRST),
      invocationId(3, "inv_1sent"),
      invocationId(4, SECOND),
      called(2, value("1")),
    );
    assert.equal(test.progress(first.result), "settled");
    test.feed(CANCEL);
    assert.equal(test.progress(second.result), "cancelled");
    test.expectWritten(cancelOf(FIRST), cancelOf(SECOND));
  });

  it("waits for the invocation ids of the calls before it passes on", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 5);
    call(test.machine, FIELDS);
    call(test.machine, FIELDS);
    test.written();
    test.feed(invocationId(2, FIRST), CANCEL);
    assert.equal(test.progress(nap), "waiting");
    test.expectWritten(cancelOf(FIRST));
    test.feed(slept(1), invocationId(4, SECOND));
    assert.equal(test.progress(nap), "cancelled");
    test.expectWritten(cancelOf(SECOND));
  });

  it("suspends on the missing invocation id, without waiting for itself", () => {
    const test = MachineTest.replaying(input());
    const { result } = call(test.machine, FIELDS);
    test.written();
    test.feed(CANCEL);
    test.machine.onInputClosed();
    assert.equal(test.progress(result), "closed");
    test.expectWritten(suspended([1], []));
  });

  it("is passed on by the journal's own commands on replay", () => {
    const test = MachineTest.replaying(
      input(),
      {
        type: MessageType.CallCommand,
        ...FIELDS,
        invocationIdCompletionId: 1,
        resultCompletionId: 2,
      },
      invocationId(1, FIRST),
      CANCEL,
      cancelOf(FIRST),
      runCommand(3, "clean up"),
      ran(3, value("")),
    );
    const { result } = call(test.machine, FIELDS);
    assert.equal(test.progress(result), "cancelled");
    const cleanUp = test.machine.run("clean up", "a");
    assert.equal(test.progress(cleanUp), "settled");
    test.machine.end(failure(409, "Cancelled"));
    test.expectWritten(output(failure(409, "Cancelled")), END);
  });

  it("that was survived is not waited for again", () => {
    const test = MachineTest.replaying(input());
    const first = sleep(test.machine, "", 5);
    test.feed(CANCEL);
    assert.equal(test.progress(first), "cancelled");
    const second = sleep(test.machine, "", 6);
    assert.equal(test.progress(second), "waiting");
    test.machine.onInputClosed();
    assert.equal(test.progress(second), "closed");
    test.expectWritten(sleepCommand(1, 5), sleepCommand(2, 6), suspended([2], []));
  });

  it("may come again, and ends the await of that moment", () => {
    const test = MachineTest.replaying(input());
    const first = sleep(test.machine, "", 5);
    test.feed(CANCEL, CANCEL);
    assert.equal(test.progress(first), "cancelled");
    const second = sleep(test.machine, "", 6);
    assert.equal(test.progress(second), "cancelled");
    assert.equal(test.progress(sleep(test.machine, "", 7)), "waiting");
  });

  it("leaves what was awaited to be awaited again", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 5);
    test.feed(CANCEL, slept(1));
    assert.equal(test.progress(nap), "cancelled");
    assert.equal(test.progress(nap), "settled");
  });

  it("leaves a handler that waits for nothing with an error instead of an empty suspension", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 5);
    test.feed(CANCEL);
    assert.equal(test.progress(nap), "cancelled");
    test.machine.onInputClosed();
    assert.equal(test.progress(), "closed");
    test.expectError(500, /waits for nothing/);
  });
});
