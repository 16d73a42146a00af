import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import { RunLeaf } from "./await-node.ts";
import { All, Race } from "./combinators.ts";
import {
  END,
  failure,
  input,
  MachineTest,
  output,
  proposed,
  ran,
  runCommand,
  settledValue,
  start,
  suspended,
  value,
} from "./machine.suite.ts";

describe("a step", () => {
  it("is written when it is made, executed when it is awaited, known when it is recorded", () => {
    const test = MachineTest.replaying(input());
    const run = test.machine.run("a", "action a");
    test.expectWritten(runCommand(1, "a"));

    const progress = test.ask(run);
    assert.ok(progress.kind === "execute");
    assert.deepEqual(
      progress.runs.map(({ action }) => action),
      ["action a"],
    );
    assert.equal(test.progress(run), "waiting");

    test.machine.proposeRun(run, value("42"));
    test.expectWritten(proposed(1, value("42")));
    assert.equal(test.progress(run), "waiting");
    assert.equal(run.poll(), undefined);

    test.feed(ran(1, value("42")));
    assert.equal(test.progress(run), "settled");
    assert.deepEqual(settledValue(run), value("42"));
    test.machine.end(value("43"));
    test.expectWritten(output(value("43")), END);
  });

  it("is not executed when nobody awaits it", () => {
    const test = MachineTest.replaying(input());
    test.machine.run("a", "a");
    test.machine.end(value(""));
    test.expectWritten(runCommand(1, "a"), output(value("")), END);
  });

  it("is not executed when the journal has its result", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"), ran(1, value("42")));
    const run = test.machine.run("a", "a");
    assert.equal(test.progress(run), "settled");
    test.expectWritten();
  });

  it("is not executed when its result comes before it in the journal", () => {
    const test = MachineTest.replaying(input(), ran(1, value("42")), runCommand(1, "a"));
    const run = test.machine.run("a", "a");
    assert.equal(test.progress(run), "settled");
    test.expectWritten();
  });

  it("is executed again when the journal has the step without a result", () => {
    const test = MachineTest.replaying(input(), runCommand(1, "a"));
    const run = test.machine.run("a", "a");
    test.machine.onInputClosed();
    test.execute(value("1"), run);
    assert.equal(test.progress(run), "closed");
    test.expectWritten(proposed(1, value("1")), suspended([1]));
  });

  it("may end after the server has closed its half", () => {
    const test = MachineTest.replaying(input());
    const run = test.machine.run("a", "a");
    assert.equal(test.progress(run), "execute");
    test.machine.onInputClosed();
    assert.equal(test.progress(run), "waiting");
    test.machine.proposeRun(run, failure(418, "nope"));
    assert.equal(test.progress(run), "closed");
    test.expectWritten(runCommand(1, "a"), proposed(1, failure(418, "nope")), suspended([1]));
  });

  it("is executed in its turn when two are awaited one after the other", () => {
    const test = MachineTest.replaying(input());
    const [a, b] = [test.machine.run("a", "a"), test.machine.run("b", "b")];
    test.execute(value("1"), a);
    assert.equal(test.progress(a), "waiting");
    assert.equal(b.state, "waiting");
    test.feed(ran(1, value("1")));
    assert.equal(test.progress(a), "settled");
    test.execute(value("2"), b);
    test.expectWritten(
      runCommand(1, "a"),
      runCommand(2, "b"),
      proposed(1, value("1")),
      proposed(2, value("2")),
    );
  });

  it("is executed along with the others that are awaited", () => {
    const test = MachineTest.replaying(input());
    const all = new All([test.machine.run("a", "a"), test.machine.run("b", "b")]);
    const progress = test.ask(all);
    assert.ok(progress.kind === "execute");
    assert.deepEqual(
      progress.runs.map(({ name }) => name),
      ["a", "b"],
    );
    assert.equal(test.progress(all), "waiting");
  });

  it("that lost a race is given up with the attempt", () => {
    const test = MachineTest.replaying(input());
    const run = test.machine.run("a", "a");
    const signal = test.machine.namedSignal("go");
    assert.equal(test.progress(new Race([run, signal])), "execute");
    test.machine.onInputClosed();
    assert.equal(test.progress(signal), "closed");
    test.expectWritten(runCommand(1, "a"), suspended([], [1], ["go"]));
    test.machine.proposeRun(run, value("late"));
    test.expectWritten();
  });

  it("that fails to be tried again fails the attempt with its name and place", () => {
    const test = MachineTest.replaying(input());
    const run = test.machine.run("flaky", "a");
    test.machine.failRun(run, { code: 500, message: "boom", nextRetryDelayMs: 50 });
    const error = test.expectError(500, /^boom$/);
    assert.deepEqual(
      {
        index: error.relatedCommandIndex,
        name: error.relatedCommandName,
        type: error.relatedCommandType,
        delayMs: error.nextRetryDelayMs,
      },
      { index: 1, name: "flaky", type: MessageType.RunCommand, delayMs: 50 },
    );
  });
});

describe("how often a step has been tried", () => {
  const replayed = (): MachineTest => {
    const test = new MachineTest();
    test.feed(start(2, 3, 700), input(), runCommand(1, "a"));
    return test;
  };

  it("is what the server counted, when the step is the first work of the attempt", () => {
    const test = replayed();
    const run = test.machine.run("a", "a");
    assert.deepEqual(test.machine.triedBefore(run), { attempts: 3, durationMs: 700 });
  });

  it("is not counted for a step after new work", () => {
    const test = replayed();
    test.execute(value("1"), test.machine.run("a", "a"));
    const second = test.machine.run("b", "b");
    assert.deepEqual(test.machine.triedBefore(second), { attempts: 0, durationMs: 0 });
  });

  it("counts for a new step that nothing new precedes", () => {
    const test = new MachineTest();
    test.feed(start(1, 2, 60), input());
    const run = test.machine.run("a", "a");
    assert.deepEqual(test.machine.triedBefore(run), { attempts: 2, durationMs: 60 });
    assert.ok(run instanceof RunLeaf);
  });

  it("takes the server's duration for nothing on a first attempt", () => {
    const test = new MachineTest();
    test.feed(start(1, 0, 2), input());
    const run = test.machine.run("a", "a");
    assert.deepEqual(test.machine.triedBefore(run), { attempts: 0, durationMs: 0 });
  });
});
