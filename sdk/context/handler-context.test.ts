/** What a handler can do with its context, in messages. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Exchange, NOW_MS, rest, type TestHandler } from "../endpoint/exchange.suite.ts";
import { CancelledError, RetryableError, TerminalError, TimeoutError } from "../define/errors.ts";
import { trust } from "../define/any.ts";
import { InvocationIdParser } from "../define/context.ts";
import { rpc } from "../define/rpc.ts";
import { type Serde, serde } from "../define/serde.ts";
import { awakeableIdToString } from "../protocol/ids.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CANCEL,
  CHILD,
  completion,
  END,
  failure,
  input,
  INVOCATION_ID,
  invocationId,
  namedSignal,
  output,
  proposed,
  ran,
  runCommand,
  signal,
  sleepCommand,
  slept,
  start,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { isRestatePromise } from "./journal-promise.ts";
import { RestatePromise } from "./restate-promise.ts";

/** What the handler writes on an empty journal, the request being closed. */
async function suspendedRun(handler: TestHandler): Promise<Message[]> {
  const exchange = Exchange.replaying(handler, [input()]);
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

describe("ctx.run", () => {
  it("takes a name or none, and a serde", async () => {
    assert.deepEqual(await suspendedRun(async (ctx) => ctx.run(() => 1)), [
      runCommand(1, ""),
      proposed(1, value("1")),
      suspended([1]),
    ]);
    const action = () => Uint8Array.of(65);
    const binary = await suspendedRun(async (ctx) => ctx.run("a", action, { serde: serde.binary }));
    assert.deepEqual(binary[1], proposed(1, value("A")));
  });

  it("records a terminal error as the result of the step", async () => {
    const exchange = Exchange.replaying(
      async (ctx) =>
        ctx.run("a", () => {
          throw new TerminalError("nope", { errorCode: 418 });
        }),
      [input()],
    );
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, failure(418, "nope")));
    exchange.feed(ran(1, failure(418, "nope")));
    await exchange.expectWritten(output(failure(418, "nope")), END);
  });

  const flaky: TestHandler = async (ctx) =>
    ctx.run(
      "flaky",
      async () => {
        throw new Error("boom");
      },
      { maxRetryAttempts: 3 },
    );

  it("fails the attempt and asks to be tried again by its own policy", async () => {
    const exchange = Exchange.replaying(flaky, [input()]);
    const error = await exchange.expectError(500, /^boom$/);
    assert.deepEqual([error.relatedCommandIndex, error.nextRetryDelayMs], [1, 50]);
    assert.equal(exchange.log.length, 1);
  });

  it("gives up after the last attempt, which the server has counted", async () => {
    const exchange = new Exchange(flaky);
    exchange.feed(start(2, 2, 150), input(), runCommand(1, "flaky"));
    await exchange.expectWritten(proposed(1, failure(500, "boom")));
  });

  it("is tried again when the error says", async () => {
    const exchange = Exchange.replaying(
      async (ctx) =>
        ctx.run("a", () => {
          throw new RetryableError("busy", { retryAfter: { seconds: 2 }, errorCode: 503 });
        }),
      [input()],
    );
    const error = await exchange.expectError(503, /^busy$/);
    assert.equal(error.nextRetryDelayMs, 2000);
  });

  it("has errors of the service's own made final", async () => {
    class Invalid extends Error {}
    const exchange = Exchange.replaying(
      async (ctx) =>
        ctx.run("a", () => {
          throw new Invalid("bad");
        }),
      [input()],
      {
        options: {
          asTerminalError: (error) =>
            error instanceof Invalid ? new TerminalError("invalid", { errorCode: 400 }) : undefined,
        },
      },
    );
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, failure(400, "invalid")));
  });

  it("refuses operations of the context inside a step", async () => {
    const exchange = Exchange.replaying(
      async (ctx) => ctx.run("outer", async () => ctx.sleep(1)),
      [input()],
    );
    await exchange.expectError(500, /must not be used inside ctx.run/);
  });

  it("fails the attempt when the result has no bytes", async () => {
    const exchange = Exchange.replaying(async (ctx) => ctx.run("a", () => 1n), [input()]);
    await exchange.expectError(500, /BigInt/);
    const broken: Serde<number> = {
      serialize: () => trust<Uint8Array>(undefined),
      deserialize: () => 1,
    };
    const step = Exchange.replaying(
      async (ctx) => ctx.run("a", () => 1, { serde: broken }),
      [input()],
    );
    await step.expectError(500, /./);
    const result = Exchange.replaying(async () => 1, [input()], { options: { serde: broken } });
    await result.expectError(500, /./);
  });

  it("fails the attempt also when the logger does", async () => {
    const exchange = Exchange.replaying(
      async () => {
        throw new Error("boom");
      },
      [input()],
      { isLoggerBroken: true },
    );
    await exchange.expectError(500, /boom/);
  });

  it("refuses retry options that make no sense", async () => {
    for (const options of [{ retryIntervalFactor: Number.NaN }, { maxRetryAttempts: -1 }]) {
      const exchange = Exchange.replaying(async (ctx) => ctx.run("a", () => 1, options), [input()]);
      await exchange.expectError(500, /at least 0/);
    }
  });
});

describe("ctx.sleep", () => {
  it("is a lower bound, in whole milliseconds, and never in the past", async () => {
    const [sleep] = await suspendedRun(async (ctx) => ctx.sleep(50.2, "nap"));
    assert.deepEqual(sleep, sleepCommand(1, NOW_MS + 51, "nap"));
    const [long] = await suspendedRun(async (ctx) => ctx.sleep({ minutes: 1, seconds: 5 }));
    assert.deepEqual(long, sleepCommand(1, NOW_MS + 65_000));
    const [past] = await suspendedRun(async (ctx) => ctx.sleep(-5));
    assert.deepEqual(past, sleepCommand(1, NOW_MS));
  });
});

describe("ctx.awakeable", () => {
  it("has an id of the invocation and its number", async () => {
    const ids = await resultOf(async (ctx) => [ctx.awakeable().id, ctx.awakeable().id]);
    assert.deepEqual(
      ids,
      [17, 18].map((index) => awakeableIdToString(INVOCATION_ID, index)),
    );
  });

  it("resolves with its payload, and rejects with its reason", async () => {
    const wait: TestHandler = async (ctx) => ctx.awakeable<{ x: number }>().promise;
    assert.deepEqual(await resultOf(wait, signal(17, value('{"x":1}'))), { x: 1 });
    assert.deepEqual(await resultOf(wait, signal(17, failure(500, "no"))), {
      code: 500,
      message: "no",
    });
    assert.equal(await resultOf(wait, signal(17, { kind: "void" })), undefined);
  });

  it("of others is resolved and rejected by id", async () => {
    const written = await suspendedRun(async (ctx) => {
      ctx.resolveAwakeable("sign_1x", { a: 1 });
      ctx.resolveAwakeable("sign_1x");
      ctx.resolveAwakeable("sign_1x", Uint8Array.of(65), serde.binary);
      ctx.rejectAwakeable("sign_1x", "why");
      ctx.rejectAwakeable("sign_1x", new TerminalError("gone", { errorCode: 410 }));
    });
    const results = written.flatMap((message) =>
      message.type === MessageType.CompleteAwakeableCommand ? [message.result] : [],
    );
    assert.deepEqual(results, [
      value('{"a":1}'),
      value("null"),
      value("A"),
      failure(500, "why"),
      failure(410, "gone"),
    ]);
  });
});

describe("calls", () => {
  interface Greeter {
    greet(ctx: unknown, name: string): Promise<string>;
    ping(ctx: unknown): Promise<void>;
  }

  it("are typed clients with options behind the argument", async () => {
    const [command] = await suspendedRun(async (ctx) =>
      ctx
        .serviceClient<Greeter>({ name: "Greeter" })
        .greet("Bob", rpc.opts({ idempotencyKey: "k", headers: { h: "v" }, name: "label" })),
    );
    assert.deepEqual(command, {
      type: MessageType.CallCommand,
      service: "Greeter",
      handler: "greet",
      key: "",
      parameter: bytes('"Bob"'),
      headers: [{ key: "h", value: "v" }],
      idempotencyKey: "k",
      name: "label",
      invocationIdCompletionId: 1,
      resultCompletionId: 2,
    });
  });

  it("take options in place of an argument that does not exist", async () => {
    const [command] = await suspendedRun(async (ctx) =>
      ctx.serviceClient<Greeter>({ name: "Greeter" }).ping(rpc.opts({ idempotencyKey: "k" })),
    );
    assert.ok(command?.type === MessageType.CallCommand);
    assert.deepEqual([command.parameter, command.idempotencyKey], [bytes(""), "k"]);
  });

  it("give the result, the failure, and the id of the callee", async () => {
    const handler: TestHandler = async (ctx) => {
      const call = ctx.serviceClient<Greeter>({ name: "Greeter" }).greet("Bob");
      return [await call.invocationId, await call];
    };
    const exchange = Exchange.replaying(handler, [input()]);
    await rest();
    exchange.feed(invocationId(1), called(2, value('"Hello"')));
    const [, result] = await exchange.written();
    assert.deepEqual(result, output(value(`["${CHILD}","Hello"]`)));
  });

  it("one-way are sent with a delay from now, and give an id", async () => {
    const exchange = Exchange.replaying(
      async (ctx) => {
        const send = ctx.serviceSendClient<Greeter>({ name: "Greeter" });
        const { invocationId: id } = send.greet("Bob", rpc.sendOpts({ delay: { seconds: 1 } }));
        send.ping();
        return id;
      },
      [input()],
    );
    const sent = await exchange.written();
    assert.deepEqual(
      sent.map((message) => message.type === MessageType.OneWayCallCommand && message.invokeTimeMs),
      [NOW_MS + 1000, 0],
    );
    exchange.feed(invocationId(1));
    await exchange.expectWritten(output(value(`"${CHILD}"`)), END);
  });

  it("by names take bytes, and a key", async () => {
    const [command] = await suspendedRun(async (ctx) =>
      ctx.genericCall({ service: "O", method: "m", key: "k", parameter: Uint8Array.of(65) }),
    );
    assert.ok(command?.type === MessageType.CallCommand);
    assert.deepEqual([command.key, command.parameter], ["k", bytes("A")]);
  });

  it("use the serde of the service for what does not say", async () => {
    const exchange = Exchange.replaying(
      async (ctx) => ctx.genericCall({ service: "T", method: "m", parameter: bytes("A") }),
      [input("raw")],
      { options: { serde: serde.binary } },
    );
    await rest();
    exchange.feed(called(2, value("bytes")));
    assert.deepEqual((await exchange.written()).at(-2), output(value("bytes")));
  });

  it("are not mistaken for a promise when the client itself is awaited", async () => {
    const isClient = await resultOf(async (ctx) => {
      const client = ctx.serviceClient({ name: "T" });
      return (await Promise.resolve(client)) === client;
    });
    assert.equal(isClient, true);
  });
});

describe("other invocations", () => {
  const id = InvocationIdParser.fromString(CHILD);

  it("are cancelled, signalled and attached to", async () => {
    const written = await suspendedRun(async (ctx) => {
      ctx.invocation(id).cancel();
      ctx.cancel(id);
      ctx.invocation(id).signal("go").resolve(1);
      ctx.invocation(id).signal("go").reject("no");
      await ctx.invocation(id).attach();
    });
    const results = written.flatMap((message) =>
      message.type === MessageType.SendSignalCommand ? [message.result] : [],
    );
    const cancel = { kind: "void" } as const;
    assert.deepEqual(results, [cancel, cancel, value("1"), failure(500, "no")]);
    assert.equal(written.at(-2)?.type, MessageType.AttachInvocationCommand);
    assert.deepEqual(written.at(-1), suspended([1]));
  });

  it("answer attaching with their result", async () => {
    const exchange = Exchange.replaying(async (ctx) => ctx.attach(id), [input()]);
    await rest();
    exchange.feed(completion(MessageType.AttachInvocationCompletion, 1, value("7")));
    assert.deepEqual((await exchange.written()).at(-2), output(value("7")));
  });

  it("signal this one by name", async () => {
    const wait: TestHandler = async (ctx) => ctx.signal<number>("go");
    assert.equal(await resultOf(wait, namedSignal("go", value("1"))), 1);
  });
});

describe("RestatePromise", () => {
  it("times out with a durable timer", async () => {
    const wait: TestHandler = async (ctx) => {
      try {
        return await ctx.awakeable().promise.orTimeout({ seconds: 1 });
      } catch (error) {
        return error instanceof TimeoutError ? `timeout ${error.code}` : String(error);
      }
    };
    assert.deepEqual(await suspendedRun(wait), [
      sleepCommand(1, NOW_MS + 1000),
      suspended([1], [1, 17]),
    ]);
    assert.equal(await resultOf(wait, sleepCommand(1, 0), slept(1)), "timeout 408");
    const inTime = [sleepCommand(1, 0), signal(17, value('"x"')), slept(1)];
    assert.equal(await resultOf(wait, ...inTime), "x");
  });

  it("maps values and failures", async () => {
    const mapped: TestHandler = async (ctx) =>
      ctx.awakeable<number>().promise.map((got, failed) => failed?.message ?? (got ?? 0) + 1);
    assert.equal(await resultOf(mapped, signal(17, value("1"))), 2);
    assert.equal(await resultOf(mapped, signal(17, failure(500, "no"))), "no");
    const throwing: TestHandler = async (ctx) =>
      ctx.awakeable().promise.map(() => {
        throw new TerminalError("mapped", { errorCode: 410 });
      });
    assert.deepEqual(await resultOf(throwing, signal(17, value("1"))), {
      code: 410,
      message: "mapped",
    });
  });

  it("combines", async () => {
    const handler: TestHandler = async (ctx) => {
      const [a, b, c] = [1, 2, 3].map(() => ctx.awakeable<string>().promise);
      assert.ok(a && b && c);
      return [
        await RestatePromise.race([a, b]),
        await RestatePromise.any([a, c]),
        await RestatePromise.all([a, b]),
        await RestatePromise.allSettled([b, c]),
      ];
    };
    const result = await resultOf(
      handler,
      signal(18, value('"b"')),
      signal(19, failure(500, "c failed")),
      signal(17, value('"a"')),
    );
    const reason = { code: 500, name: "TerminalError" };
    const settled = [
      { status: "fulfilled", value: "b" },
      { status: "rejected", reason },
    ];
    assert.deepEqual(result, ["b", "a", ["a", "b"], settled]);
  });

  it("refuses other promises, whose outcome is not in the journal", () => {
    const other = Promise.resolve(1) as unknown as RestatePromise<number>;
    assert.throws(() => RestatePromise.race([other]), TypeError);
    assert.equal(isRestatePromise(Promise.resolve(1)), false);
  });

  it("has constants, which belong to no handler", async () => {
    const one = RestatePromise.resolve(1);
    assert.equal(RestatePromise.resolve(one), one);
    assert.deepEqual(await RestatePromise.all([one, RestatePromise.resolve("a")]), [1, "a"]);
    await assert.rejects(RestatePromise.reject(new TerminalError("no")), /no/);
    assert.equal(await one.orTimeout(5).map((got) => (got ?? 0) + 1), 2);
    assert.equal(isRestatePromise(one), true);
  });

  it("can be awaited twice, and has catch and finally", async () => {
    const handler: TestHandler = async (ctx) => {
      const { promise } = ctx.awakeable<number>();
      const seen = [await promise, await promise];
      await promise.finally(() => seen.push(9));
      const failed = await RestatePromise.reject<number>(new TerminalError("no")).catch(() => 8);
      return [...seen, failed];
    };
    assert.deepEqual(await resultOf(handler, signal(17, value("1"))), [1, 1, 9, 8]);
  });

  it("in several flows at once lets each go on with its own result", async () => {
    const handler: TestHandler = async (ctx) => {
      const order: string[] = [];
      const flow = async (name: string): Promise<void> => {
        await ctx.awakeable().promise;
        order.push(name);
        await ctx.run(name, () => name);
        order.push(`${name} ran`);
      };
      await Promise.all([flow("a"), flow("b")]);
      return order;
    };
    const exchange = Exchange.replaying(handler, [input()]);
    await rest();
    exchange.feed(signal(18, value("")), signal(17, value("")));
    const commands = await exchange.written();
    assert.deepEqual(
      commands.filter(({ type }) => type === MessageType.RunCommand),
      [runCommand(1, "b"), runCommand(2, "a")],
    );
  });
});

describe("a cancelled handler", () => {
  it("gets an error it can clean up after", async () => {
    const exchange = Exchange.replaying(
      async (ctx) => {
        try {
          await ctx.sleep(5);
        } catch (error) {
          assert.ok(error instanceof CancelledError && error instanceof TerminalError);
          await ctx.run("clean up", () => 1);
          throw error;
        }
      },
      [input()],
    );
    await rest();
    exchange.feed(CANCEL);
    await exchange.expectWritten(
      sleepCommand(1, NOW_MS + 5),
      runCommand(2, "clean up"),
      proposed(2, value("1")),
    );
    exchange.feed(ran(2, value("1")));
    await exchange.expectWritten(output(failure(409, "Cancelled")), END);
  });
});

describe("the rest of the context", () => {
  it("has random values that are the same in every attempt, and differ among invocations", async () => {
    const handler: TestHandler = async (ctx) => [ctx.rand.random(), ctx.rand.uuidv4()];
    const first = await resultOf(handler);
    assert.deepEqual(await resultOf(handler), first);
    const v5 = Exchange.replaying(handler, [input()], { version: 5 });
    assert.notDeepEqual((await v5.written())[0], output(value(JSON.stringify(first))));
  });

  it("records the time", async () => {
    assert.deepEqual(
      (await suspendedRun(async (ctx) => ctx.date.now()))[1],
      proposed(1, value(`${NOW_MS}`)),
    );
    const text = JSON.stringify(new Date(NOW_MS).toJSON());
    assert.deepEqual(
      (await suspendedRun(async (ctx) => ctx.date.toJSON()))[1],
      proposed(1, value(text)),
    );
  });

  it("knows the request", async () => {
    const headers = [{ key: "A", value: "1" }];
    const exchange = Exchange.replaying(
      async (ctx) => {
        const { target, id, headers: given, attemptHeaders, body } = ctx.request();
        return [
          target.toString(),
          id,
          [...given],
          [...attemptHeaders],
          new TextDecoder().decode(body),
        ];
      },
      [{ type: MessageType.InputCommand, name: "", headers, value: bytes('"hi"') }],
    );
    const expected = ["S/h", CHILD, [["A", "1"]], [["x-attempt", "1"]], '"hi"'];
    assert.deepEqual((await exchange.written())[0], output(value(JSON.stringify(expected))));
  });

  it("says when the attempt is over", async () => {
    const over: boolean[] = [];
    const exchange = Exchange.replaying(
      async (ctx) => {
        const { attemptCompletedSignal: completed } = ctx.request();
        over.push(completed.aborted);
        completed.addEventListener("abort", () => over.push(completed.aborted));
        await ctx.sleep(5);
      },
      [input()],
    );
    await rest();
    exchange.closeInput();
    await rest();
    assert.deepEqual(over, [false, true]);
  });

  it("logs with the invocation, and says what is said again", async () => {
    const exchange = Exchange.replaying(
      async (ctx) => {
        ctx.console.info("before", 1);
        await ctx.sleep(5);
        ctx.console.error("after");
      },
      [input(), sleepCommand(1, 0), slept(1)],
    );
    await exchange.written();
    const lines = exchange.log.map(([{ source, level, replaying, context }, ...message]) => [
      source,
      level,
      replaying,
      context?.invocationId,
      ...message,
    ]);
    assert.deepEqual(lines, [
      ["USER", "info", true, CHILD, "before", 1],
      ["USER", "error", false, CHILD, "after"],
    ]);
  });
});
