import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CHILD,
  completion,
  END,
  failure,
  input,
  invocationId,
  MachineTest,
  output,
  settledValue,
  suspended,
  value,
} from "./machine.suite.ts";
import { attachInvocation, call, type CallFields, send, sleep } from "./syscalls.ts";

const FIELDS: CallFields = {
  service: "Greeter",
  handler: "greet",
  key: "",
  parameter: bytes("21"),
  headers: [{ key: "h", value: "v" }],
  idempotencyKey: "k",
  name: "label",
};

const callCommand = (first: number): Command => ({
  type: MessageType.CallCommand,
  ...FIELDS,
  invocationIdCompletionId: first,
  resultCompletionId: first + 1,
});

const sendCommand = (first: number, invokeTimeMs: number): Command => ({
  type: MessageType.OneWayCallCommand,
  ...FIELDS,
  invocationIdCompletionId: first,
  invokeTimeMs,
});

describe("a call", () => {
  it("takes two ids: first that of the invocation id, then that of the result", () => {
    const test = MachineTest.replaying(input());
    const { invocationId: id, result } = call(test.machine, FIELDS);
    sleep(test.machine, "", 5);
    const [written, following] = test.written();
    assert.deepEqual(written, callCommand(1));
    assert.ok(following?.type === MessageType.SleepCommand);
    assert.equal(following.resultCompletionId, 3);
    test.feed(invocationId(1), called(2, value("42")));
    assert.equal(test.progress(result), "settled");
    assert.deepEqual(settledValue(result), value("42"));
    assert.deepEqual(settledValue(id), { kind: "invocation-id", invocationId: CHILD });
  });

  it("waits for the result alone when only that is awaited", () => {
    const test = MachineTest.replaying(input());
    const { result } = call(test.machine, FIELDS);
    test.machine.onInputClosed();
    assert.equal(test.progress(result), "closed");
    test.expectWritten(callCommand(1), suspended([2]));
  });

  it("resumes with the callee's failure", () => {
    const journal = [input(), callCommand(1), invocationId(1), called(2, failure(404, "x"))];
    const test = MachineTest.replaying(...journal);
    const { result } = call(test.machine, FIELDS);
    assert.equal(test.progress(result), "settled");
    assert.deepEqual(settledValue(result), failure(404, "x"));
    test.expectWritten();
  });
});

describe("a one-way call", () => {
  it("needs no answer before the handler is done", () => {
    const test = MachineTest.replaying(input());
    send(test.machine, FIELDS, 777);
    test.machine.end(value(""));
    test.expectWritten(sendCommand(1, 777), output(value("")), END);
  });

  it("resumes whatever time it would be sent at now", () => {
    const test = MachineTest.replaying(input(), sendCommand(1, 777), invocationId(1));
    const id = send(test.machine, FIELDS, 888);
    assert.equal(test.progress(id), "settled");
    test.machine.end(value(""));
    test.expectWritten(output(value("")), END);
  });
});

describe("attaching", () => {
  it("waits for the result of the other invocation", () => {
    const test = MachineTest.replaying(input());
    const target = { kind: "invocation-id", invocationId: CHILD } as const;
    const result = attachInvocation(test.machine, target);
    const type = MessageType.AttachInvocationCommand;
    test.expectWritten({ type, name: "", target, resultCompletionId: 1 });
    test.feed(completion(MessageType.AttachInvocationCompletion, 1, value("7")));
    assert.equal(test.progress(result), "settled");
    assert.deepEqual(settledValue(result), value("7"));
  });
});
