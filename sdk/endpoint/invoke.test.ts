/** A handler against the protocol: every row of the peer-test table that concerns services on V5 and V6, and more. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { TerminalError } from "../define/errors.ts";
import { encodeFrame } from "../protocol/frame.ts";
import { encodeMessage } from "../protocol/codec.ts";
import { MessageType } from "../protocol/message-type.ts";
import {
  CANCEL,
  END,
  failure,
  input,
  output,
  proposed,
  ran,
  runCommand,
  sleepCommand,
  slept,
  start,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { Exchange, NOW_MS, rest, type TestHandler } from "./exchange.suite.ts";

const echo: TestHandler = async (_ctx, text) => text;
const oneRun: TestHandler = async (ctx) => ctx.run("a", () => 42);
const nap: TestHandler = async (ctx) => {
  await ctx.sleep(5, "nap");
  return "slept";
};

describe("the peer tests of the protocol", () => {
  it("a journal of no entries is Error 500", async () => {
    const exchange = new Exchange(echo);
    exchange.feed(start(0));
    await exchange.expectError(500, /no entries/);
  });

  it("an end within the replay is Error 571", async () => {
    const exchange = new Exchange(echo);
    exchange.feed(start(2), input());
    exchange.closeInput();
    await exchange.expectError(571, /1 of 2/);
  });

  it("an unknown type is Error 500", async () => {
    const exchange = new Exchange(nap);
    exchange.feed(start(1), input());
    exchange.invocation.onData(encodeFrame(0x0300, new Uint8Array(0)));
    await exchange.expectError(500, /0x0300/);
  });

  it("a command after the replay is Error 571", async () => {
    const exchange = new Exchange(nap);
    exchange.feed(start(1), input());
    await rest();
    exchange.feed(runCommand(1, "a"));
    await exchange.expectError(571, /RunCommand came after/);
  });

  it("an equal Output in the journal is End only", async () => {
    const exchange = Exchange.replaying(echo, [input('"x"'), output(value('"x"'))]);
    await exchange.expectWritten(END);
    assert.ok(exchange.isEnded);
  });

  it("another Output in the journal is Error 570 about it", async () => {
    const exchange = Exchange.replaying(echo, [input('"x"'), output(value('"y"'))]);
    const error = await exchange.expectError(570, /Output/);
    assert.equal(error.relatedCommandType, 1025);
  });

  it("a completion before its step keeps the step from being executed", async () => {
    let executions = 0;
    const exchange = Exchange.replaying(
      async (ctx) => ctx.run("a", () => (executions += 1)),
      [input(), ran(1, value("7")), runCommand(1, "a")],
    );
    await exchange.expectWritten(output(value("7")), END);
    assert.equal(executions, 0);
  });

  it("a step without a result is executed and proposed, then suspended on", async () => {
    const exchange = Exchange.replaying(oneRun, [input(), runCommand(1, "a")]);
    exchange.closeInput();
    await exchange.expectWritten(proposed(1, value("42")), suspended([1]));
    assert.ok(exchange.isEnded);
  });

  it("a completion that comes twice is taken once", async () => {
    const journal = [input(), sleepCommand(1, 1, "nap"), slept(1)];
    const exchange = new Exchange(nap);
    exchange.feed(start(4), ...journal, slept(1));
    await exchange.expectWritten(output(value('"slept"')), END);
  });

  it("a sleep with another id is accepted, with another name it is Error 570", async () => {
    const other = Exchange.replaying(nap, [input(), sleepCommand(9, 1, "nap"), slept(9)]);
    await other.expectWritten(output(value('"slept"')), END);
    const renamed = Exchange.replaying(nap, [input(), sleepCommand(1, 1, "doze")]);
    await renamed.expectError(570, /Sleep "doze".*Sleep "nap"/);
  });

  it("an acknowledgement instead of a run's result is Error 571", async () => {
    const exchange = Exchange.replaying(oneRun, [input()]);
    await rest();
    exchange.feed({ type: MessageType.ProposeRunCompletionAck, completionId: 1 });
    await exchange.expectError(571, /ProposeRunCompletionAck/);
  });

  it("a cancellation in the journal keeps a step from being executed, not from being written", async () => {
    let executions = 0;
    const exchange = Exchange.replaying(
      async (ctx) => ctx.run("a", () => (executions += 1)),
      [input(), CANCEL],
    );
    await exchange.expectWritten(runCommand(1, "a"), output(failure(409, "Cancelled")), END);
    assert.equal(executions, 0);
  });

  it("the response ends after the terminal message, while the request stays open", async () => {
    const exchange = Exchange.replaying(echo, [input('"x"')]);
    await exchange.expectWritten(output(value('"x"')), END);
    assert.ok(exchange.isEnded);
  });
});

describe("an invocation", () => {
  it("takes the request in any cut of its bytes", async () => {
    const journal = [start(3), input(), sleepCommand(1, 1, "nap"), slept(1)];
    const request = Buffer.concat(journal.map((message) => encodeMessage(message)));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 40 })), async (sizes) => {
        const exchange = new Exchange(nap);
        let at = 0;
        for (const size of [...sizes, request.length]) {
          exchange.invocation.onData(request.subarray(at, at + size));
          at += size;
        }
        await exchange.expectWritten(output(value('"slept"')), END);
      }),
      { numRuns: 50 },
    );
  });

  it("fails when the request ends within a message", async () => {
    const exchange = Exchange.replaying(nap, [input()]);
    exchange.invocation.onData(encodeMessage(slept(1)).subarray(0, 9));
    exchange.closeInput();
    await exchange.expectError(571, /within a message/);
  });

  it("fails when a message does not decode", async () => {
    const exchange = Exchange.replaying(nap, [input()]);
    exchange.invocation.onData(encodeFrame(MessageType.SleepCompletion, Uint8Array.of(0xff)));
    await exchange.expectError(500, /./);
  });

  it("writes a step and its result as one write", async () => {
    const exchange = Exchange.replaying(async (ctx) => ctx.run("a", async () => 42), [input()]);
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, value("42")));
    assert.equal(exchange.writes, 1);
  });

  it("writes a step that takes its time before it is done", async () => {
    let finish = (_result: number): void => {};
    const done = new Promise<number>((resolve) => {
      finish = resolve;
    });
    const exchange = Exchange.replaying(async (ctx) => ctx.run("slow", () => done), [input()]);
    await exchange.expectWritten(runCommand(1, "slow"));
    finish(1);
    await exchange.expectWritten(proposed(1, value("1")));
  });

  it("writes what a handler does while it awaits something else", async () => {
    let go = (): void => {};
    const other = new Promise<void>((resolve) => {
      go = resolve;
    });
    const exchange = Exchange.replaying(
      async (ctx) => {
        ctx.resolveAwakeable("sign_1x", 1);
        await other;
        return "done";
      },
      [input()],
    );
    const [command] = await exchange.written();
    assert.equal(command?.type, MessageType.CompleteAwakeableCommand);
    go();
    await exchange.expectWritten(output(value('"done"')), END);
  });

  it("gives a handler nothing more to do while the sink is full", async () => {
    const exchange = Exchange.replaying(oneRun, [input()], { sinkBytes: 1 });
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, value("42")));
    exchange.feed(ran(1, value("42")));
    await exchange.expectWritten();
    exchange.invocation.onDrained();
    await exchange.expectWritten(output(value("42")), END);
  });

  it("writes nothing any more once it is aborted, whatever the handler does", async () => {
    let finish = (): void => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const seen: boolean[] = [];
    const exchange = Exchange.replaying(
      async (ctx) => {
        const { attemptCompletedSignal } = ctx.request();
        attemptCompletedSignal.addEventListener("abort", () => seen.push(true));
        await ctx.run("a", () => done);
        ctx.resolveAwakeable("sign_1x", 1);
      },
      [input()],
    );
    await exchange.expectWritten(runCommand(1, "a"));
    exchange.invocation.onAborted();
    finish();
    exchange.feed(ran(1, value("1")));
    exchange.closeInput();
    await exchange.expectWritten();
    assert.equal(exchange.isEnded, false);
    assert.deepEqual(seen, [true]);
  });

  it("never resumes a handler that is suspended", async () => {
    const steps: string[] = [];
    const exchange = Exchange.replaying(
      async (ctx) => {
        try {
          await ctx.sleep(5, "nap");
          steps.push("resumed");
        } finally {
          steps.push("cleaned up");
        }
      },
      [input()],
    );
    exchange.closeInput();
    await exchange.expectWritten(sleepCommand(1, NOW_MS + 5, "nap"), suspended([1]));
    exchange.feed(slept(1));
    await rest();
    assert.deepEqual(steps, []);
  });

  it("fails with what the handler throws, and logs it", async () => {
    const exchange = Exchange.replaying(async () => {
      throw new TypeError("bad");
    }, [input()]);
    const error = await exchange.expectError(500, /^bad$/);
    assert.match(error.stacktrace, /TypeError: bad/);
    const [line] = exchange.log;
    assert.equal(line?.[0].level, "warn");
    assert.equal(line?.[0].context?.invocationTarget, "S/h");
  });

  it("ends with a terminal error as its result, metadata only from V6 on", async () => {
    const throwing: TestHandler = async () => {
      throw new TerminalError("nope", { errorCode: 418, metadata: { a: "b" } });
    };
    const metadata = [{ key: "a", value: "b" }];
    const failed = { code: 418, message: "nope" };
    await Exchange.replaying(throwing, [input()]).expectWritten(
      output({ kind: "failure", failure: { ...failed, metadata } }),
      END,
    );
    await Exchange.replaying(throwing, [input()], { version: 5 }).expectWritten(
      output({ kind: "failure", failure: failed }),
      END,
    );
  });

  it("refuses an input that its serde cannot read with 400, for good", async () => {
    const exchange = Exchange.replaying(echo, [input("{nope")]);
    const [first, second] = await exchange.written();
    assert.ok(first?.type === MessageType.OutputCommand && first.result.kind === "failure");
    assert.equal(first.result.failure.code, 400);
    assert.deepEqual(second, END);
  });

  it("takes an empty input for undefined, and a handler without result for no bytes", async () => {
    const seen: unknown[] = [];
    const exchange = Exchange.replaying(async (_ctx, given) => void seen.push(given), [input()]);
    await exchange.expectWritten(output(value("")), END);
    assert.deepEqual(seen, [undefined]);
  });

  it("is no worse for a handler that is no async function", async () => {
    const plain = Exchange.replaying(() => "x", [input()]);
    await plain.expectWritten(output(value('"x"')), END);
    const throwing = Exchange.replaying(() => {
      throw new Error("at once");
    }, [input()]);
    await throwing.expectError(500, /at once/);
  });
});
