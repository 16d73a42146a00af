/** The promises of workflows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Notification, Outcome } from "../protocol/messages.ts";
import {
  CANCEL,
  completion,
  failure,
  input,
  MachineTest,
  settledValue,
  sleepCommand,
  suspended,
  value,
} from "./machine.suite.ts";
import { completePromise, getPromise, peekPromise, sleep } from "./syscalls.ts";

const get = (resultCompletionId: number, key: string): Command => ({
  type: MessageType.GetPromiseCommand,
  name: "",
  key,
  resultCompletionId,
});
const peek = (resultCompletionId: number, key: string): Command => ({
  type: MessageType.PeekPromiseCommand,
  name: "",
  key,
  resultCompletionId,
});
const complete = (resultCompletionId: number, key: string, outcome: Outcome): Command => ({
  type: MessageType.CompletePromiseCommand,
  name: "",
  key,
  completion: outcome,
  resultCompletionId,
});

const DONE: Notification = completion(MessageType.CompletePromiseCompletion, 1, { kind: "void" });

describe("a promise of a workflow", () => {
  it("is asked for, looked at and completed, each under an id of its own", () => {
    const test = MachineTest.replaying(input());
    peekPromise(test.machine, "p");
    getPromise(test.machine, "p");
    completePromise(test.machine, "p", value("1"));
    completePromise(test.machine, "q", failure(500, "no"));
    sleep(test.machine, "", 5);
    test.expectWritten(
      peek(1, "p"),
      get(2, "p"),
      complete(3, "p", value("1")),
      complete(4, "q", failure(500, "no")),
      sleepCommand(5, 5),
    );
  });

  it("has the result of the journal on replay", () => {
    const completed = completion(MessageType.GetPromiseCompletion, 1, value("1"));
    const test = MachineTest.replaying(input(), get(1, "p"), completed);
    const node = getPromise(test.machine, "p");
    assert.equal(test.progress(node), "settled");
    assert.deepEqual(settledValue(node), value("1"));

    const done = MachineTest.replaying(input(), complete(1, "p", value("1")), DONE);
    const completing = completePromise(done.machine, "p", value("1"));
    assert.equal(done.progress(completing), "settled");
    test.expectWritten();
    done.expectWritten();
  });

  it("is waited for in a suspension", () => {
    const test = MachineTest.replaying(input(), get(1, "p"));
    const node = getPromise(test.machine, "p");
    test.machine.onInputClosed();
    assert.equal(test.progress(node), "closed");
    test.expectWritten(suspended([1]));
  });

  it("is not waited for once the invocation is cancelled", () => {
    const test = MachineTest.replaying(input(), get(1, "p"), CANCEL);
    assert.equal(test.progress(getPromise(test.machine, "p")), "cancelled");
  });

  it("must be the one of the journal", () => {
    const test = MachineTest.replaying(input(), get(1, "p"));
    getPromise(test.machine, "q");
    test.expectError(570, /holds GetPromise "p", but the code now does GetPromise "q"/);
    const other = MachineTest.replaying(input(), complete(1, "p", value("1")));
    completePromise(other.machine, "p", failure(500, "no"));
    other.expectError(570, /holds ResolvePromise "p", but the code now does RejectPromise "p"/);
    const third = MachineTest.replaying(input(), peek(1, "p"));
    getPromise(third.machine, "p");
    third.expectError(570, /holds PeekPromise "p", but the code now does GetPromise "p"/);
  });
});
