/** What handlers of objects and workflows can do with their contexts, in messages. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Exchange, type ExchangeOptions } from "../endpoint/exchange.suite.ts";
import { trust } from "../define/any.ts";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import { handlers } from "../define/handlers.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  WorkflowContext,
  WorkflowSharedContext,
} from "../define/keyed-context.ts";
import { rpc } from "../define/rpc.ts";
import { serde } from "../define/serde.ts";
import { object, workflow } from "../define/service.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message, Outcome } from "../protocol/messages.ts";
import {
  bytes,
  CANCEL,
  completion,
  END,
  failure,
  input,
  invocationId,
  output,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { RestatePromise } from "./restate-promise.ts";

const KEYED = { start: { key: "k1", partialState: false } } as const;

const exclusive = (h: (ctx: ObjectContext) => Promise<unknown>) =>
  object({ name: "S", handlers: { h } });
const shared = (h: (ctx: ObjectSharedContext) => Promise<unknown>) =>
  object({ name: "S", handlers: { h: handlers.object.shared(h) } });
const get = (key: string, text?: string): Command => ({
  type: MessageType.GetEagerStateCommand,
  name: "",
  key: bytes(key),
  result: text === undefined ? { kind: "void" } : { kind: "value", value: bytes(text) },
});
const set = (key: string, text: string): Command => ({
  type: MessageType.SetStateCommand,
  name: "",
  key: bytes(key),
  value: bytes(text),
});
const promise = (
  type: (typeof MessageType)["GetPromiseCommand" | "PeekPromiseCommand"],
  resultCompletionId: number,
  key: string,
): Message => ({ type, name: "", key, resultCompletionId });
const complete = (resultCompletionId: number, key: string, outcome: Outcome): Message => ({
  type: MessageType.CompletePromiseCommand,
  name: "",
  key,
  completion: outcome,
  resultCompletionId,
});

describe("the context of an object", () => {
  it("has the key, also in the target of the request", async () => {
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => [
        ctx.key,
        ctx.request().target.key,
        ctx.request().target.toString(),
      ]),
      [input()],
      KEYED,
    );
    await exchange.expectWritten(output(value('["k1","k1","S/k1/h"]')), END);
  });

  it("reads and changes the state", async () => {
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => {
        const before = await ctx.get<number>("n");
        ctx.set("n", (before ?? 0) + 1);
        ctx.set("raw", Uint8Array.of(65), serde.binary);
        const after = await ctx.get<number>("n");
        ctx.clear("n");
        return [before, after, await ctx.get("n"), await ctx.stateKeys()];
      }),
      [input()],
      KEYED,
    );
    await exchange.expectWritten(
      get("n"),
      set("n", "1"),
      set("raw", "A"),
      get("n", "1"),
      { type: MessageType.ClearStateCommand, name: "", key: bytes("n") },
      get("n"),
      { type: MessageType.GetEagerStateKeysCommand, name: "", keys: [bytes("raw")] },
      output(value('[null,1,null,["raw"]]')),
      END,
    );
  });

  it("keeps what was set, whatever becomes of the bytes later", async () => {
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => {
        const raw = Uint8Array.of(65);
        ctx.set("raw", raw, serde.binary);
        raw[0] = 66;
        const read = await ctx.get<Uint8Array>("raw", serde.binary);
        read?.fill(67);
        await ctx.get("raw", serde.binary);
      }),
      [input()],
      KEYED,
    );
    await exchange.expectWritten(
      set("raw", "A"),
      get("raw", "A"),
      get("raw", "A"),
      output(value("")),
      END,
    );
  });

  it("asks for state that it was not sent, and can be raced with others", async () => {
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => {
        const first = trust<RestatePromise<number | null>>(ctx.get<number>("a"));
        return RestatePromise.race([first, ctx.awakeable<number>().promise]);
      }),
      [input()],
      { start: { partialState: true } },
    );
    const lazy = { name: "", key: bytes("a"), resultCompletionId: 1 };
    await exchange.expectWritten({ type: MessageType.GetLazyStateCommand, ...lazy });
    exchange.feed(completion(MessageType.GetLazyStateCompletion, 1, value("7")));
    await exchange.expectWritten(output(value("7")), END);
  });

  it("fails the attempt for a value that its serde cannot read", async () => {
    const state = [{ key: bytes("a"), value: bytes("{") }];
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => ctx.get("a")),
      [input()],
      { start: { state } },
    );
    await exchange.expectError(500, /JSON/);
  });

  it("cannot change the state in a shared handler, nor use promises", async () => {
    for (const change of ["set", "clear", "clearAll"] as const) {
      const exchange = Exchange.replaying(
        shared(async (ctx) => {
          const all = trust<ObjectContext>(ctx);
          if (change === "set") all.set("a", 1);
          else if (change === "clear") all.clear("a");
          else all.clearAll();
        }),
        [input()],
        KEYED,
      );
      await exchange.expectError(500, /S\/h is a shared handler/);
    }
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => trust<WorkflowContext>(ctx).promise("p")),
      [input()],
      KEYED,
    );
    await exchange.expectError(500, /ctx.promise is for workflows/);
  });

  it("must not be used inside a step", async () => {
    for (const use of [
      (ctx: ObjectContext) => ctx.get("a"),
      (ctx: ObjectContext) => ctx.set("a", 1),
      (ctx: ObjectContext) => ctx.stateKeys(),
    ]) {
      const exchange = Exchange.replaying(
        exclusive(async (ctx) => ctx.run(async () => use(ctx))),
        [input()],
        KEYED,
      );
      await exchange.expectError(500, /must not be used inside ctx.run/);
    }
  });

  it("throws from a read that is cancelled, and can go on after it", async () => {
    const exchange = Exchange.replaying(
      exclusive(async (ctx) => {
        try {
          return await ctx.get("a");
        } catch (error) {
          assert.ok(error instanceof TerminalError);
          ctx.set("cancelled", error.code);
          return "cleaned";
        }
      }),
      [input(), CANCEL],
      { start: { partialState: true } },
    );
    const [, ...written] = await exchange.written();
    assert.deepEqual(written, [set("cancelled", "409"), output(value('"cleaned"')), END]);
  });
});

describe("a promise of a workflow", () => {
  const attempt = (
    fn: (ctx: WorkflowSharedContext) => Promise<unknown>,
    options: ExchangeOptions = KEYED,
  ): Exchange => {
    const handler = handlers.workflow.shared(fn);
    const handlersOf = { run: async (_ctx: WorkflowContext) => {}, h: handler };
    return Exchange.replaying(workflow({ name: "S", handlers: handlersOf }), [input()], options);
  };

  it("is awaited, combined and looked at, each time anew", async () => {
    const exchange = attempt(async (ctx) => {
      const named = ctx.promise<string>("p");
      const early = await named.peek();
      const first = await named;
      const [second] = await RestatePromise.all([named.get()]);
      return [early ?? null, first, second];
    });
    const { PeekPromiseCommand, GetPromiseCommand } = MessageType;
    await exchange.expectWritten(promise(PeekPromiseCommand, 1, "p"));
    exchange.feed(completion(MessageType.PeekPromiseCompletion, 1, { kind: "void" }));
    await exchange.expectWritten(promise(GetPromiseCommand, 2, "p"));
    exchange.feed(completion(MessageType.GetPromiseCompletion, 2, value('"x"')));
    await exchange.expectWritten(promise(GetPromiseCommand, 3, "p"));
    exchange.feed(completion(MessageType.GetPromiseCompletion, 3, value('"x"')));
    await exchange.expectWritten(output(value('[null,"x","x"]')), END);
  });

  it("is completed, once", async () => {
    const exchange = attempt(async (ctx) => {
      await ctx.promise("p").resolve();
      ctx
        .promise("q")
        .reject("no")
        .catch(() => {});
      try {
        await ctx.promise<Uint8Array>("p", serde.binary).resolve(Uint8Array.of(65));
        return 0;
      } catch (error) {
        return error instanceof TerminalError ? error.code : 0;
      }
    });
    await exchange.expectWritten(complete(1, "p", value("")));
    exchange.feed(completion(MessageType.CompletePromiseCompletion, 1, { kind: "void" }));
    await exchange.expectWritten(
      complete(2, "q", failure(500, "no")),
      complete(3, "p", value("A")),
    );
    exchange.feed(completion(MessageType.CompletePromiseCompletion, 3, failure(409, "completed")));
    await exchange.expectWritten(output(value("409")), END);
  });

  it("that is rejected fails whoever awaits it", async () => {
    const exchange = attempt(async (ctx) => ctx.promise("p"));
    exchange.feed(completion(MessageType.GetPromiseCompletion, 1, failure(500, "no")));
    const [, ...written] = await exchange.written();
    assert.deepEqual(written, [output(failure(500, "no")), END]);
  });

  it("is waited for in a suspension", async () => {
    const exchange = attempt(async (ctx) => {
      await ctx.promise("p").finally(() => {});
    });
    exchange.closeInput();
    await exchange.expectWritten(promise(MessageType.GetPromiseCommand, 1, "p"), suspended([1]));
  });

  it("costs nothing until it is used", async () => {
    const exchange = attempt(async (ctx) => {
      void ctx.promise("p");
    });
    await exchange.expectWritten(output(value("")), END);
  });
});

describe("clients of objects and workflows", () => {
  const counter = object({
    name: "Counter",
    handlers: { add: async (_ctx: ObjectContext, amount: number) => amount },
  });
  const signup = workflow({
    name: "Signup",
    handlers: { run: async (_ctx: WorkflowContext, email: string) => email },
  });

  it("call with the key, whatever the options", async () => {
    const exchange = Exchange.replaying(
      async (ctx: Context) => {
        ctx.objectSendClient(counter, "k").add(1, rpc.sendOpts({ idempotencyKey: "i" }));
        ctx.workflowSendClient<typeof signup>({ name: "Signup" }, "w").run("a");
        const sum: number = await ctx.objectClient(counter, "k").add(2);
        const email: string = await ctx.workflowClient(signup, "w").run("b");
        return [sum, email];
      },
      [input()],
    );
    const sent = await exchange.written();
    exchange.feed(
      invocationId(3),
      completion(MessageType.CallCompletion, 4, value("2")),
      invocationId(5),
    );
    const called = await exchange.written();
    const calls = [...sent, ...called].map((message) => {
      const isCall =
        message.type === MessageType.CallCommand || message.type === MessageType.OneWayCallCommand;
      assert.ok(isCall);
      const { service, key, handler, idempotencyKey } = message;
      return [service, key, handler, idempotencyKey];
    });
    assert.deepEqual(calls, [
      ["Counter", "k", "add", "i"],
      ["Signup", "w", "run", undefined],
      ["Counter", "k", "add", undefined],
      ["Signup", "w", "run", undefined],
    ]);
  });
});
