/** Handlers that ask for their cancellation instead of being ended by it. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import { handlers } from "../define/handlers.ts";
import type { ContextInternal } from "../define/internal.ts";
import { service } from "../define/service.ts";
import { Exchange, NOW_MS, type TestHandler } from "../endpoint/exchange.suite.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CANCEL,
  END,
  failure,
  input,
  invocationId,
  output,
  proposed,
  ran,
  runCommand,
  sleepCommand,
  slept,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { RestatePromise } from "./restate-promise.ts";

type Handler = (ctx: Context & ContextInternal) => Promise<unknown>;

const options = { explicitCancellation: true };
/** Every context is one. */
const of =
  (handler: Handler): TestHandler =>
  (ctx) =>
    handler(ctx as Context & ContextInternal);
const attempt = (handler: Handler, ...entries: Message[]): Exchange =>
  Exchange.replaying(of(handler), [input(), ...entries], { options });

const racing: Handler = async (ctx) =>
  RestatePromise.race([ctx.sleep(5).map(() => "slept"), ctx.cancellation().map(() => "cancelled")]);

const [FIRST, SECOND] = ["inv_1first", "inv_1second"];
const call = (id: number): Command => ({
  type: MessageType.CallCommand,
  service: "X",
  handler: "y",
  key: "",
  parameter: bytes("p"),
  headers: [],
  name: "",
  invocationIdCompletionId: id,
  resultCompletionId: id + 1,
});
const cancelOf = (targetInvocationId: string): Command => ({
  type: MessageType.SendSignalCommand,
  name: "",
  targetInvocationId,
  signal: { kind: "signal-index", index: 1 },
  result: { kind: "void" },
});
const callX = (ctx: Context) =>
  ctx.genericCall({ service: "X", method: "y", parameter: bytes("p") });

describe("explicit cancellation", () => {
  it("leaves the await of the handler alone, and its calls", async () => {
    const exchange = attempt(async (ctx) => {
      const result = callX(ctx);
      await ctx.sleep(5);
      return [...(await result)].length;
    });
    await exchange.expectWritten(call(1), sleepCommand(3, NOW_MS + 5));
    exchange.feed(CANCEL, invocationId(1, FIRST));
    await exchange.expectWritten();
    exchange.feed(slept(3), called(2, value("ab")));
    await exchange.expectWritten(output(value("2")), END);
  });

  it("is a result: fresh, replayed, and one among others", async () => {
    const fresh = attempt(racing);
    await fresh.expectWritten(sleepCommand(1, NOW_MS + 5));
    fresh.feed(CANCEL);
    await fresh.expectWritten(output(value('"cancelled"')), END);
    const replayed = attempt(racing, sleepCommand(1, 0), CANCEL, slept(1));
    await replayed.expectWritten(output(value('"cancelled"')), END);
    const late = attempt(racing, sleepCommand(1, 0), slept(1), CANCEL);
    await late.expectWritten(output(value('"slept"')), END);
  });

  it("wakes a suspended handler only when it is waited for", async () => {
    const waiting = attempt(racing);
    waiting.closeInput();
    await waiting.expectWritten(sleepCommand(1, NOW_MS + 5), suspended([1], [1]));
    const asleep = attempt(async (ctx) => ctx.sleep(5));
    asleep.closeInput();
    await asleep.expectWritten(sleepCommand(1, NOW_MS + 5), suspended([1], []));
  });

  it("becomes an error where the handler makes one of it", async () => {
    const stop = attempt(async (ctx) => {
      const cancelled = ctx.cancellation().map((): never => {
        throw new TerminalError("stopped", { errorCode: 409 });
      });
      return RestatePromise.race([ctx.sleep(5), cancelled]);
    }, CANCEL);
    const [, ...ending] = await stop.written();
    assert.deepEqual(ending, [output(failure(409, "stopped")), END]);
  });

  it("can come while a step is executed, whose result is kept", async () => {
    const exchange = attempt(async (ctx) => {
      const step = ctx.run("a", () => 7);
      const first = await RestatePromise.race([
        step.map(() => "ran"),
        ctx.cancellation().map(() => "cancelled"),
      ]);
      return [first, await step];
    });
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, value("7")));
    exchange.feed(CANCEL);
    await exchange.expectWritten();
    exchange.feed(ran(1, value("7")));
    await exchange.expectWritten(output(value('["cancelled",7]')), END);
  });

  it("is one promise until it has come, and then another one for the next", async () => {
    const exchange = attempt(async (ctx) => {
      const first = ctx.cancellation();
      assert.equal(ctx.cancellation(), first);
      await first;
      const second = ctx.cancellation();
      assert.notEqual(second, first);
      await second;
      return "twice";
    }, CANCEL);
    await exchange.expectWritten();
    exchange.feed(CANCEL);
    await exchange.expectWritten(output(value('"twice"')), END);
  });

  it("is not missed when it comes while the handler waits for something else", async () => {
    const exchange = attempt(
      async (ctx) => {
        await RestatePromise.race([ctx.sleep(1), ctx.cancellation()]);
        await ctx.sleep(2);
        await ctx.cancellation();
        return "seen";
      },
      sleepCommand(1, 0),
      slept(1),
      sleepCommand(2, 0),
      CANCEL,
      slept(2),
    );
    await exchange.expectWritten(output(value('"seen"')), END);
  });

  it("may be of one handler only, and of a whole endpoint", async () => {
    const wait: TestHandler = async (ctx) => ctx.sleep(5);
    const one = service({ name: "S", handlers: { h: handlers.handler(options, wait) } });
    const tested = [Exchange.replaying(one, [input(), sleepCommand(1, 0), CANCEL])];
    tested.push(
      Exchange.replaying(wait, [input(), sleepCommand(1, 0), CANCEL], { defaults: options }),
    );
    for (const exchange of tested) {
      await exchange.expectWritten();
      exchange.feed(slept(1));
      await exchange.expectWritten(output(value("")), END);
    }
  });

  it("left to the SDK, ends the await, and never resolves the promise", async () => {
    const exchange = Exchange.replaying(of(racing), [input(), CANCEL]);
    const [, ...ending] = await exchange.written();
    assert.deepEqual(ending, [output(failure(409, "Cancelled")), END]);
  });
});

describe("cancelPreviousCalls", () => {
  const cancelling: Handler = async (ctx) => {
    void callX(ctx);
    ctx.genericSend({ service: "X", method: "y", parameter: bytes("p") });
    void callX(ctx);
    const ids = await ctx.cancelPreviousCalls();
    const none = await ctx.cancelPreviousCalls();
    return [ids, none];
  };
  const sent: Command = {
    type: MessageType.OneWayCallCommand,
    service: "X",
    handler: "y",
    key: "",
    parameter: bytes("p"),
    headers: [],
    name: "",
    invocationIdCompletionId: 3,
    invokeTimeMs: 0,
  };
  const result = output(value(`[["${FIRST}","${SECOND}"],[]]`));

  it("fresh, cancels the calls once their ids are known, one-way calls left alone", async () => {
    const exchange = attempt(cancelling);
    await exchange.expectWritten(call(1), sent, call(4));
    exchange.feed(invocationId(1, FIRST), invocationId(3, "inv_1sent"));
    await exchange.expectWritten();
    exchange.feed(invocationId(4, SECOND));
    await exchange.expectWritten(cancelOf(FIRST), cancelOf(SECOND), result, END);
  });

  it("replayed, takes its commands from the journal", async () => {
    const exchange = attempt(
      cancelling,
      call(1),
      sent,
      call(4),
      invocationId(1, FIRST),
      invocationId(4, SECOND),
      cancelOf(FIRST),
      cancelOf(SECOND),
    );
    await exchange.expectWritten(result, END);
  });

  it("suspended, waits for the ids", async () => {
    const exchange = attempt(cancelling);
    exchange.feed(invocationId(1, FIRST));
    exchange.closeInput();
    await exchange.expectWritten(call(1), sent, call(4), suspended([4], []));
  });

  it("does nothing when cancellation is left to the SDK", async () => {
    const exchange = Exchange.replaying(
      of(async (ctx) => {
        void callX(ctx);
        return ctx.cancelPreviousCalls();
      }),
      [input()],
    );
    await exchange.expectWritten(call(1), output(value("[]")), END);
  });
});

describe("isProcessing", () => {
  it("is false while the journal is repeated", async () => {
    const seen: boolean[] = [];
    const handler: Handler = async (ctx) => {
      seen.push(ctx.isProcessing());
      await ctx.sleep(5);
      seen.push(ctx.isProcessing());
    };
    await attempt(handler, sleepCommand(1, 0), slept(1)).written();
    assert.deepEqual(seen, [false, true]);
  });
});
