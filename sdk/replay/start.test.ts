import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MessageType } from "../protocol/message-type.ts";
import type { Message } from "../protocol/messages.ts";
import {
  bytes,
  END,
  input,
  MachineTest,
  output,
  ran,
  signal,
  sleepCommand,
  slept,
  start,
  value,
} from "./machine.suite.ts";

describe("an attempt that is about to start", () => {
  it("is ready once Start and all known entries are here", () => {
    const test = new MachineTest();
    assert.equal(test.machine.phase, "waiting-start");
    test.feed(start(2));
    assert.equal(test.machine.phase, "receiving");
    test.feed(signal(17, value("early")));
    const openings = [test.machine.opening];
    test.feed(input("hi"));
    assert.equal(test.machine.phase, "processing");
    openings.push(test.machine.opening);
    assert.deepEqual(
      openings.map((opening) => opening?.input.value),
      [undefined, bytes("hi")],
    );
    test.expectWritten();
  });

  it("replays while the journal holds commands", () => {
    const test = MachineTest.replaying(input(), sleepCommand(1, 5));
    assert.equal(test.machine.phase, "replaying");
  });

  const refused: readonly (readonly [string, number, RegExp, (test: MachineTest) => void])[] = [
    ["a journal without entries", 500, /no entries/, (test) => test.feed(start(0))],
    ["an entry before Start", 571, /InputCommand came before Start/, (test) => test.feed(input())],
    ["an end before Start", 571, /before Start/, (test) => test.machine.onInputClosed()],
    [
      "an end within the replay",
      571,
      /after 1 of 2 known entries/,
      (test) => {
        test.feed(start(2), input());
        test.machine.onInputClosed();
      },
    ],
    [
      "a second Start within the replay",
      571,
      /within the replay/,
      (test) => {
        test.feed(start(2), input(), start(1));
      },
    ],
    [
      "an acknowledgement within the replay",
      571,
      /ProposeRunCompletionAck came within/,
      (test) => {
        test.feed(start(2), input(), {
          type: MessageType.ProposeRunCompletionAck,
          completionId: 1,
        });
      },
    ],
    [
      "a journal that does not begin with Input",
      571,
      /not Input/,
      (test) => {
        test.feed(start(1), output(value("x")));
      },
    ],
    ["a journal of notifications alone", 571, /not Input/, (test) => test.feed(start(1), slept(1))],
  ];
  for (const [what, code, message, feed] of refused) {
    it(`refuses ${what}`, () => {
      const test = new MachineTest();
      feed(test);
      test.expectError(code, message);
    });
  }

  const unwelcome: readonly Message[] = [
    sleepCommand(1, 5),
    start(1),
    END,
    { type: MessageType.ProposeRunCompletionAck, completionId: 1 },
    { type: MessageType.CommandAck, commandIndex: 1 },
  ];
  for (const message of unwelcome) {
    it(`refuses 0x${message.type.toString(16)} after the replay`, () => {
      const test = MachineTest.replaying(input());
      test.feed(message);
      test.expectError(571, /came after the replay/);
    });
  }

  it("ignores notifications nobody asked for", () => {
    const test = MachineTest.replaying(input());
    test.feed(slept(99), ran(98, value("x")), signal(40, value("x")));
    test.machine.end(value("ok"));
    test.expectWritten(output(value("ok")), END);
  });

  it("is deaf and dumb once it is over", () => {
    const test = MachineTest.replaying(input());
    test.machine.end(value("ok"));
    test.written();
    test.feed(sleepCommand(1, 5), start(1));
    test.machine.onInputClosed();
    test.machine.end(value("again"));
    test.machine.fail({ code: 500, message: "late" });
    test.machine.run("late", "a");
    test.expectWritten();
  });

  it("writes nothing after an abort", () => {
    const test = MachineTest.replaying(input());
    const run = test.machine.run("a", "a");
    test.written();
    test.machine.abort();
    test.machine.proposeRun(run, value("1"));
    test.machine.end(value("ok"));
    test.expectWritten();
    assert.equal(test.progress(run), "closed");
  });
});

describe("an echo", () => {
  it("is an Output and an End", () => {
    const test = MachineTest.replaying(input("hi"));
    test.machine.end(value("hi"));
    test.expectWritten(output(value("hi")), END);
  });

  it("is an End alone when the Output is in the journal", () => {
    const test = MachineTest.replaying(input("hi"), output(value("hi")));
    test.machine.end(value("hi"));
    test.expectWritten(END);
  });
});
