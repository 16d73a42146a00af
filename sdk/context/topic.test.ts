/** Messages and events, as a handler sees them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { InvocationIdParser } from "../define/context.ts";
import { CancelledError, TerminalError, TimeoutError } from "../define/errors.ts";
import { serde } from "../define/serde.ts";
import { Exchange, NOW_MS, type TestHandler } from "../endpoint/exchange.suite.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message } from "../protocol/messages.ts";
import {
  CANCEL,
  CHILD,
  failure,
  input,
  namedSignal,
  signal,
  sleepCommand,
  slept,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { RestatePromise } from "./restate-promise.ts";

async function suspendedRun(handler: TestHandler, ...entries: Message[]): Promise<Message[]> {
  const exchange = Exchange.replaying(handler, [input(), ...entries]);
  exchange.closeInput();
  return exchange.written();
}

/** The JSON a handler ends with. */
async function resultOf(handler: TestHandler, ...entries: Message[]): Promise<unknown> {
  const exchange = Exchange.replaying(handler, [input(), ...entries]);
  const written = await exchange.written();
  const last = written.at(-2);
  assert.ok(last?.type === MessageType.OutputCommand, JSON.stringify(written));
  if (last.result.kind === "failure") return last.result.failure;
  return serde.json.deserialize(last.result.value);
}

const message = (topic: string, number: number, json: string): Message =>
  namedSignal(`hf.msg/${topic}/${number}`, value(json));

describe("ctx.recv", () => {
  it("waits for the first message, then for the second", async () => {
    const handler: TestHandler = async (ctx) => [await ctx.recv("t"), await ctx.recv("t")];
    assert.deepEqual(await suspendedRun(handler), [suspended([], [1], ["hf.msg/t/0"])]);
    assert.deepEqual(await suspendedRun(handler, message("t", 0, "1")), [
      suspended([], [1], ["hf.msg/t/1"]),
    ]);
    assert.deepEqual(await resultOf(handler, message("t", 0, "1"), message("t", 1, "2")), [1, 2]);
  });

  it("gives messages that came before it, each topic its own", async () => {
    const handler: TestHandler = async (ctx) => {
      await ctx.awakeable().promise;
      return [await ctx.recv("b"), await ctx.recv("a"), await ctx.recv("b")];
    };
    const early = [message("a", 0, "1"), message("b", 0, "2"), message("b", 1, "3")];
    assert.deepEqual(await resultOf(handler, ...early, signal(17, value("0"))), [2, 1, 3]);
  });

  it("takes no message away when its time is out", async () => {
    const handler: TestHandler = async (ctx) => {
      try {
        return await ctx.recv("t", { timeout: { seconds: 1 } });
      } catch (error) {
        assert.ok(error instanceof TimeoutError);
        return `late ${String(await ctx.recv("t"))}`;
      }
    };
    assert.deepEqual(await suspendedRun(handler), [
      sleepCommand(1, NOW_MS + 1000),
      suspended([1], [1], ["hf.msg/t/0"]),
    ]);
    const slow = [sleepCommand(1, 0), slept(1), message("t", 0, "1")];
    assert.equal(await resultOf(handler, ...slow), "late 1");
    const inTime = [sleepCommand(1, 0), message("t", 0, "1"), slept(1)];
    assert.equal(await resultOf(handler, ...inTime), 1);
  });

  it("takes no message away when it lost a race", async () => {
    const handler: TestHandler = async (ctx) => {
      const won = await RestatePromise.race([ctx.recv("a"), ctx.recv("b")]);
      return [won, await ctx.recv("a"), await ctx.recv("b")];
    };
    const entries = [message("b", 0, "1"), message("a", 0, "2"), message("b", 1, "3")];
    assert.deepEqual(await resultOf(handler, ...entries), [1, 2, 3]);
  });

  it("shares the messages out when several wait at once", async () => {
    const handler: TestHandler = async (ctx) =>
      RestatePromise.all([ctx.recv("t"), ctx.recv("t"), ctx.recv("t")]);
    const entries = [0, 1, 2].map((number) => message("t", number, `${number}`));
    assert.deepEqual(await resultOf(handler, ...entries), [0, 1, 2]);
  });

  it("takes no message away when the invocation was cancelled meanwhile", async () => {
    const handler: TestHandler = async (ctx) => {
      try {
        return await ctx.recv("t");
      } catch (error) {
        assert.ok(error instanceof CancelledError);
        return `cleaned up with ${String(await ctx.recv("t"))}`;
      }
    };
    const entries = [CANCEL, message("t", 0, "1")];
    assert.equal(await resultOf(handler, ...entries), "cleaned up with 1");
  });

  it("gives a rejected message as a terminal error, and reads with a serde", async () => {
    const handler: TestHandler = async (ctx) => {
      const bytes = await ctx.recv("t", { serde: serde.binary });
      try {
        return await ctx.recv("t");
      } catch (error) {
        assert.ok(error instanceof TerminalError);
        return [...bytes, error.message];
      }
    };
    const rejected = namedSignal("hf.msg/t/1", failure(500, "no"));
    assert.deepEqual(await resultOf(handler, message("t", 0, "A"), rejected), [65, "no"]);
  });
});

describe("ctx.send and ctx.setEvent", () => {
  it("send a message to another invocation, and an event to this one", async () => {
    const id = InvocationIdParser.fromString("inv_1other");
    const written = await suspendedRun(async (ctx) => {
      ctx.send(id, "a/b", { x: 1 });
      ctx.send(id, "raw", Uint8Array.of(65), serde.binary);
      ctx.setEvent("progress", 0.5);
      await ctx.recv("t");
    });
    const sent = written.flatMap((each) =>
      each.type === MessageType.SendSignalCommand
        ? [[each.targetInvocationId, each.signal, each.result]]
        : [],
    );
    const named = (name: string) => ({ kind: "signal-name", name });
    assert.deepEqual(sent, [
      [id, named("hf.msg/a/b"), value('{"x":1}')],
      [id, named("hf.msg/raw"), value("A")],
      [CHILD, named("hf.event/progress"), value("0.5")],
    ]);
  });
});
