import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command } from "../protocol/messages.ts";
import {
  bytes,
  failure,
  input,
  invocationId,
  MachineTest,
  output,
  ran,
  runCommand,
  signal,
  sleepCommand,
  value,
} from "./machine.suite.ts";
import { call, type CallFields, completeAwakeable, send, sleep } from "./syscalls.ts";

const FIELDS: CallFields = {
  service: "Greeter",
  handler: "greet",
  key: "",
  parameter: bytes('{"a":1}'),
  headers: [{ key: "h", value: "v" }],
  name: "",
};
const callCommand: Command = {
  type: MessageType.CallCommand,
  ...FIELDS,
  invocationIdCompletionId: 1,
  resultCompletionId: 2,
};

describe("code that does not match the journal", () => {
  it("fails with both sides: place, recorded command, what the code does", () => {
    const test = MachineTest.replaying(
      input(),
      signal(17, value("x")),
      runCommand(1, "charge"),
      ran(1, value("")),
    );
    sleep(test.machine, "nap", 5);
    const error = test.expectError(
      570,
      /at entry 2 \(command 1\): the journal holds Run "charge", but the code now does Sleep "nap"/,
    );
    assert.deepEqual(
      [error.relatedCommandIndex, error.relatedCommandName, error.relatedCommandType],
      [1, "nap", MessageType.SleepCommand],
    );
  });

  it("fails when only a name differs", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"));
    test.machine.run("b", "b");
    test.expectError(570, /different: name \("a" recorded, "b" now\)/);
    const sleeping = MachineTest.replaying(input(), sleepCommand(1, 5, "a"));
    sleep(sleeping.machine, "b", 5);
    sleeping.expectError(570, /Sleep "a".*Sleep "b"/);
  });

  it("fails when a payload differs, without showing it", () => {
    const test = MachineTest.replaying(input(), callCommand);
    call(test.machine, { ...FIELDS, parameter: bytes('{"a":22}') });
    const { message } = test.expectError(
      570,
      /parameter \(7 bytes recorded, 8 now, different from byte 5\)/,
    );
    assert.doesNotMatch(message, /"a"/);
  });

  const variants: readonly (readonly [string, Partial<CallFields>])[] = [
    ["service", { service: "Other" }],
    ["handler", { handler: "other" }],
    ["key", { key: "k" }],
    ["headers", { headers: [] }],
    ["idempotencyKey", { idempotencyKey: "i" }],
    ["name", { name: "n" }],
  ];
  for (const [field, change] of variants) {
    it(`fails when the ${field} of a call differs`, () => {
      const test = MachineTest.replaying(input(), callCommand);
      call(test.machine, { ...FIELDS, ...change });
      test.expectError(570, new RegExp(`different: ${field}`));
    });
  }

  it("fails when ids differ, which the order of operations decides", () => {
    const test = MachineTest.replaying(input(), runCommand(2, "a"));
    test.machine.run("a", "a");
    test.expectError(570, /resultCompletionId \(2 recorded, 1 now\)/);
  });

  it("fails when a call has become a one-way call", () => {
    const test = MachineTest.replaying(input(), callCommand, invocationId(1));
    send(test.machine, FIELDS, 0);
    test.expectError(570, /Call of Greeter\/greet, but the code now does Send to Greeter\/greet/);
  });

  it("fails when another awakeable is completed", () => {
    const type = MessageType.CompleteAwakeableCommand;
    const recorded: Command = { type, name: "", awakeableId: "sign_1a", result: value("1") };
    const test = MachineTest.replaying(input(), recorded);
    completeAwakeable(test.machine, "sign_1b", value("1"));
    test.expectError(570, /awakeableId/);
    const rejecting = MachineTest.replaying(input(), recorded);
    completeAwakeable(rejecting.machine, "sign_1a", failure(500, "no"));
    rejecting.expectError(570, /result/);
  });

  it("fails when the output differs", () => {
    const test = MachineTest.replaying(input(), output(value("1")));
    test.machine.end(value("2"));
    const error = test.expectError(570, /journal holds Output.*different: result/);
    assert.equal(error.relatedCommandType, MessageType.OutputCommand);
  });

  it("fails when the code is done before the journal is", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"));
    test.machine.end(value("1"));
    test.expectError(570, /journal holds Run "a", but the code now does Output/);
    const after = MachineTest.replaying(input(), output(value("1")), runCommand(1, "a"));
    after.machine.end(value("1"));
    after.expectError(570, /at entry 2.*Run "a", but the code now is done after its Output/);
  });

  it("fails when it awaits what the journal went on without", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"), runCommand(2, "b"));
    const run = test.machine.run("a", "a");
    assert.equal(test.progress(run), "closed");
    test.expectError(
      570,
      /at entry 2 \(command 2\): the journal holds Run "b", but the code now waits for completion 1/,
    );
  });

  it("gives handles that never answer afterwards, and writes nothing more", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"));
    const run = test.machine.run("b", "b");
    test.written();
    const nap = sleep(test.machine, "", 5);
    test.feed(ran(1, value("1")));
    assert.equal(test.progress(run, nap), "closed");
    assert.equal(run.poll(), undefined);
    test.machine.end(value("x"));
    test.expectWritten();
  });
});
