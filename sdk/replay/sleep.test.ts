import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  END,
  input,
  MachineTest,
  output,
  sleepCommand,
  slept,
  suspended,
  value,
} from "./machine.suite.ts";
import { sleep } from "./syscalls.ts";

describe("a sleep", () => {
  it("is written, and ends when its completion comes", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "nap", 5000);
    test.expectWritten(sleepCommand(1, 5000, "nap"));
    assert.equal(test.progress(nap), "waiting");
    test.feed(slept(1));
    assert.equal(test.progress(nap), "settled");
  });

  it("suspends the handler once the server has closed its half", () => {
    const test = MachineTest.replaying(input());
    const nap = sleep(test.machine, "", 5000);
    assert.equal(test.progress(nap), "waiting");
    test.machine.onInputClosed();
    assert.equal(test.progress(nap), "closed");
    test.expectWritten(sleepCommand(1, 5000), suspended([1]));
  });

  it("resumes with another clock", () => {
    const test = MachineTest.replaying(input(), sleepCommand(1, 5000, "nap"), slept(1));
    const nap = sleep(test.machine, "nap", 9999);
    assert.equal(test.progress(nap), "settled");
    test.machine.end(value("slept"));
    test.expectWritten(output(value("slept")), END);
  });

  it("goes by the id in the journal", () => {
    const test = MachineTest.replaying(input(), sleepCommand(7, 5000), slept(7));
    assert.equal(test.progress(sleep(test.machine, "", 5000)), "settled");
    test.expectWritten();
  });

  it("ends once, however often its completion comes", () => {
    const test = MachineTest.replaying(input(), sleepCommand(1, 5), slept(1), slept(1));
    assert.equal(test.progress(sleep(test.machine, "", 5)), "settled");
    const next = sleep(test.machine, "", 6);
    assert.equal(test.progress(next), "waiting");
    test.expectWritten(sleepCommand(2, 6));
  });
});
