/** The journal value codec: every value is encoded on its way out and decoded on its way in, and nothing else is. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { trust } from "../define/any.ts";
import type { Context, InvocationId } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import type { JournalValueCodec } from "../define/journal-value-codec.ts";
import type { ObjectContext, WorkflowSharedContext } from "../define/keyed-context.ts";
import { object, workflow } from "../define/service.ts";
import {
  Exchange,
  type ExchangeOptions,
  rest,
  type Tested,
  type TestHandler,
} from "../endpoint/exchange.suite.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message, Outcome } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CHILD,
  completion,
  END,
  failure,
  input,
  invocationId,
  namedSignal,
  output,
  proposed,
  ran,
  runCommand,
  signal,
  value,
} from "../replay/machine.suite.ts";
import { ValueCodec } from "./value-codec.ts";

/** Encoding the same twice gives other bytes: `<1:text>`, `<2:text>`, … */
function counting(): JournalValueCodec {
  let count = 0;
  return {
    encode: (plain) => {
      count += 1;
      return bytes(`<${count}:${new TextDecoder().decode(plain)}>`);
    },
    decode: async (coded) => {
      await rest();
      const match = /^<\d+:(.*)>$/.exec(new TextDecoder().decode(coded));
      if (match === null) throw new Error("not encoded");
      return bytes(match[1] ?? "");
    },
  };
}

const coded = (text: string, count = 0): Outcome => value(`<${count}:${text}>`);
const replaying = (tested: Tested, entries: Message[], options: ExchangeOptions = {}): Exchange =>
  Exchange.replaying(tested, entries, { codec: async () => counting(), ...options });

/** Decoding takes a while. */
async function written(exchange: Exchange): Promise<Message[]> {
  const messages: Message[] = [];
  for (let turn = 0; turn < 6; turn += 1) messages.push(...(await exchange.written()));
  return messages;
}

describe("the journal value codec", () => {
  it("covers input, output, and results of steps", async () => {
    const handler: TestHandler = async (ctx, name) => `${name} ${await ctx.run("a", () => 7)}`;
    const exchange = replaying(handler, [input('<0:"Ada">')]);
    assert.deepEqual(await written(exchange), [runCommand(1, "a"), proposed(1, coded("7", 1))]);
    exchange.feed(ran(1, coded("7", 1)));
    assert.deepEqual(await written(exchange), [output(coded('"Ada 7"', 2)), END]);
  });

  it("keeps a result that the server only acknowledges as it was", async () => {
    const exchange = replaying(async (ctx) => ctx.run("a", () => 7), [input("<0:>")], {
      version: 7,
    });
    const messages = await written(exchange);
    assert.deepEqual(messages.slice(0, 2), [runCommand(1, "a"), proposed(1, coded("7", 1))]);
    exchange.feed({ type: MessageType.ProposeRunCompletionAck, completionId: 1 });
    assert.deepEqual(await written(exchange), [output(coded("7", 2)), END]);
  });

  it("covers state that is sent along, set, and read", async () => {
    const tested = object({
      name: "S",
      handlers: {
        h: async (ctx: ObjectContext) => {
          ctx.set("b", 2);
          return [await ctx.get("a"), await ctx.get("b"), await ctx.get("c"), await ctx.get("d")];
        },
      },
    });
    const state = [{ key: bytes("a"), value: bytes("<0:1>") }];
    const exchange = replaying(tested, [input("<0:>")], { start: { state, partialState: true } });
    const messages = await written(exchange);
    const eager = (key: string, result: Outcome): Command => ({
      type: MessageType.GetEagerStateCommand,
      name: "",
      key: bytes(key),
      result: trust(result),
    });
    assert.deepEqual(messages.slice(0, 3), [
      { type: MessageType.SetStateCommand, name: "", key: bytes("b"), value: bytes("<1:2>") },
      eager("a", coded("1", 2)),
      eager("b", coded("2", 3)),
    ]);
    exchange.feed(completion(MessageType.GetLazyStateCompletion, 3, coded("3")));
    await written(exchange);
    exchange.feed(completion(MessageType.GetLazyStateCompletion, 4, { kind: "void" }));
    assert.deepEqual(await written(exchange), [output(coded("[1,2,3,null]", 4)), END]);
  });

  it("covers calls, awakeables, and signals, both ways", async () => {
    const handler: TestHandler = async (ctx: Context) => {
      ctx.resolveAwakeable("sign_1x", "w");
      ctx.invocation(trust<InvocationId>(CHILD)).signal("go").resolve("s");
      const echo = { service: "S", method: "h", parameter: bytes("p") };
      ctx.genericSend(echo);
      const results = [await ctx.genericCall(echo), await ctx.awakeable().promise];
      return [...results.map(String), await ctx.signal("go")];
    };
    const exchange = replaying(handler, [input("<0:>")]);
    const texts = (await written(exchange)).map((message) => JSON.stringify(textual(message)));
    assert.match(texts[0] ?? "", /<1:\\"w\\">/);
    assert.match(texts[1] ?? "", /<2:\\"s\\">/);
    assert.match(texts[2] ?? "", /"parameter":"<3:p>"/);
    assert.match(texts[3] ?? "", /"parameter":"<4:p>"/);
    exchange.feed(invocationId(1), invocationId(2), called(3, coded("p")));
    exchange.feed(signal(17, coded('"q"')), namedSignal("go", coded('"r"')));
    // The code of "p".
    assert.deepEqual(await written(exchange), [output(coded('["112","q","r"]', 5)), END]);
  });

  it("covers promises, both ways, and leaves failures alone", async () => {
    const tested = workflow({
      name: "S",
      handlers: {
        run: async () => 1,
        h: async (ctx: WorkflowSharedContext) => {
          await ctx.promise("p").resolve("x");
          await ctx.promise<number>("p").get();
        },
      },
    });
    const exchange = replaying(tested, [input("<0:>")]);
    const [resolve] = await written(exchange);
    assert.ok(resolve?.type === MessageType.CompletePromiseCommand);
    assert.deepEqual(resolve.completion, coded('"x"', 1));
    exchange.feed(completion(MessageType.CompletePromiseCompletion, 1, { kind: "void" }));
    await written(exchange);
    exchange.feed(completion(MessageType.GetPromiseCompletion, 2, failure(418, "no")));
    assert.deepEqual(await written(exchange), [output(failure(418, "no")), END]);
  });

  it("compares what is replayed by value, so that encoding need not repeat itself", async () => {
    const tested = object({
      name: "S",
      handlers: { h: async (ctx: ObjectContext) => ctx.set("b", 2) },
    });
    const set = (text: string): Command => ({
      type: MessageType.SetStateCommand,
      name: "",
      key: bytes("b"),
      value: bytes(text),
    });
    const exchange = replaying(tested, [input("<0:>"), set("<99:2>")]);
    assert.deepEqual(await written(exchange), [output(coded("", 1)), END]);
    const other = replaying(tested, [input("<0:>"), set("<99:3>")]);
    const [error] = await written(other);
    assert.ok(error?.type === MessageType.Error && error.code === 570);
  });

  it("keeps the order of what comes in while values are decoded", async () => {
    const handler: TestHandler = async (ctx) => [await ctx.signal("a"), await ctx.signal("a")];
    const exchange = replaying(handler, [input("<0:>")]);
    exchange.feed(namedSignal("a", coded("1")), namedSignal("a", coded("2")));
    exchange.closeInput();
    assert.deepEqual(await written(exchange), [output(coded("[1,2]", 1)), END]);
  });

  it("that cannot decode or encode a value fails the attempt", async () => {
    const exchange = replaying(async () => 1, [input("plain")]);
    const [error] = await written(exchange);
    assert.ok(error?.type === MessageType.Error);
    assert.match(error.message, /could not be decoded: not encoded/);
    const codec = async (): Promise<JournalValueCodec> => ({
      ...counting(),
      encode: () => {
        throw new Error("no key");
      },
    });
    const silent = replaying(async (ctx) => ctx.run("a", () => 1), [input("<0:>")], { codec });
    const [, failed] = await written(silent);
    assert.ok(failed?.type === MessageType.Error);
    assert.match(failed.message, /no key/);
  });

  it("is made once, and again when that failed", async () => {
    let made = 0;
    const codec = new ValueCodec(async () => {
      made += 1;
      if (made === 1) throw new Error("no keys yet");
      return counting();
    });
    const [first, second] = [codec.decode(input("<0:a>")), codec.decode(input("<0:b>"))];
    await assert.rejects(first, /no keys yet/);
    await assert.rejects(second, /no keys yet/);
    const decoded = [codec.decode(input("<0:a>")), codec.decode(input("<0:b>"))];
    assert.deepEqual(await Promise.all(decoded), [input("a"), input("b")]);
    assert.equal(made, 2);
  });

  it("is not asked about a terminal error", async () => {
    const failing: TestHandler = async () => {
      throw new TerminalError("no", { errorCode: 418 });
    };
    const messages = await written(replaying(failing, [input("<0:>")]));
    assert.deepEqual(messages, [output(failure(418, "no")), END]);
  });
});

/** Bytes as text. */
function textual(message: Message): unknown {
  return JSON.parse(
    JSON.stringify(message, (_key, each: unknown) =>
      each instanceof Uint8Array ? new TextDecoder().decode(each) : each,
    ),
  );
}
