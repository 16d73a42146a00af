/**
 * Every operation of the context that is awaited, in each form an attempt can find it in: fresh, replayed, suspended, cancelled.
 * What is particular to one of them is in the tests beside its code.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { InvocationId } from "../define/context.ts";
import { trust } from "../define/any.ts";
import { iface } from "../define/descriptor.ts";
import type { WorkflowContext, WorkflowSharedContext } from "../define/keyed-context.ts";
import { workflow } from "../define/service.ts";
import { serde } from "../define/serde.ts";
import { Exchange, NOW_MS, type Tested } from "../endpoint/exchange.suite.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Command, Message, Notification } from "../protocol/messages.ts";
import {
  bytes,
  called,
  CANCEL,
  CHILD,
  completion,
  END,
  failure,
  input,
  invocationId,
  namedSignal,
  output,
  ran,
  runCommand,
  signal,
  sleepCommand,
  slept,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { RestatePromise } from "./restate-promise.ts";

type Operate = (ctx: WorkflowContext) => PromiseLike<unknown>;

interface Operation {
  readonly name: string;
  readonly operate: Operate;
  /** What it writes on an empty journal. */
  readonly commands: readonly Command[];
  /** What answers it. */
  readonly answers: readonly Notification[];
  /** What the handler is given, as JSON. */
  readonly result: unknown;
  /** What it waits for, cancellation left out. */
  readonly awaits: readonly [completions: number[], signals?: number[], namedSignals?: string[]];
}

const OTHER: InvocationId = trust(CHILD);
const bank = iface.object("Bank", { sum: iface.json<number, number>() });

const call = (
  fields: Partial<Command & { type: typeof MessageType.CallCommand }> = {},
): Command => ({
  type: MessageType.CallCommand,
  service: "Bank",
  handler: "sum",
  key: "k",
  parameter: bytes("1"),
  headers: [],
  name: "",
  invocationIdCompletionId: 1,
  resultCompletionId: 2,
  ...fields,
});
const send: Command = {
  type: MessageType.OneWayCallCommand,
  service: "Bank",
  handler: "sum",
  key: "k",
  parameter: bytes("1"),
  headers: [],
  name: "",
  invocationIdCompletionId: 1,
  invokeTimeMs: 0,
};
const promiseCommand = (
  type: typeof MessageType.GetPromiseCommand | typeof MessageType.PeekPromiseCommand,
): Command => ({ type, name: "", key: "p", resultCompletionId: 1 });
const completePromise = (result: ReturnType<typeof value>): Command => ({
  type: MessageType.CompletePromiseCommand,
  name: "",
  key: "p",
  completion: result,
  resultCompletionId: 1,
});
const attach: Command = {
  type: MessageType.AttachInvocationCommand,
  name: "",
  target: { kind: "invocation-id", invocationId: CHILD },
  resultCompletionId: 1,
};

const OPERATIONS: readonly Operation[] = [
  {
    name: "sleep",
    operate: (ctx) => ctx.sleep(5, "nap"),
    commands: [sleepCommand(1, NOW_MS + 5, "nap")],
    answers: [slept(1)],
    result: undefined,
    awaits: [[1]],
  },
  {
    name: "awakeable",
    operate: (ctx) => ctx.awakeable<number>().promise,
    commands: [],
    answers: [signal(17, value("7"))],
    result: 7,
    awaits: [[], [17]],
  },
  {
    name: "signal",
    operate: (ctx) => ctx.signal<number>("go"),
    commands: [],
    answers: [namedSignal("go", value("7"))],
    result: 7,
    awaits: [[], [], ["go"]],
  },
  {
    name: "objectClient",
    operate: (ctx) => ctx.objectClient<{ sum: SumHandler }>({ name: "Bank" }, "k").sum(1),
    commands: [call()],
    answers: [invocationId(1), called(2, value("7"))],
    result: 7,
    awaits: [[2]],
  },
  {
    name: "client",
    operate: (ctx) => ctx.client(bank, "k").sum(1),
    commands: [call()],
    answers: [invocationId(1), called(2, value("7"))],
    result: 7,
    awaits: [[2]],
  },
  {
    name: "genericCall",
    operate: (ctx) =>
      ctx.genericCall({
        service: "Bank",
        method: "sum",
        key: "k",
        parameter: 1,
        inputSerde: serde.json,
        outputSerde: serde.json,
        headers: { a: "b" },
        idempotencyKey: "i",
        name: "label",
      }),
    commands: [call({ headers: [{ key: "a", value: "b" }], idempotencyKey: "i", name: "label" })],
    answers: [invocationId(1), called(2, value("7"))],
    result: 7,
    awaits: [[2]],
  },
  {
    name: "the invocation id of a call",
    operate: (ctx) => ctx.client(bank, "k").sum(1).invocationId,
    commands: [call()],
    answers: [invocationId(1)],
    result: CHILD,
    awaits: [[1]],
  },
  {
    name: "the invocation id of a one-way call",
    operate: (ctx) => ctx.sendClient(bank, "k").sum(1).invocationId,
    commands: [send],
    answers: [invocationId(1)],
    result: CHILD,
    awaits: [[1]],
  },
  {
    name: "attach",
    operate: (ctx) => ctx.invocation(OTHER).attach<number>(),
    commands: [attach],
    answers: [completion(MessageType.AttachInvocationCompletion, 1, value("7"))],
    result: 7,
    awaits: [[1]],
  },
  {
    name: "get",
    operate: (ctx) => ctx.get<number>("a"),
    commands: [
      { type: MessageType.GetLazyStateCommand, name: "", key: bytes("a"), resultCompletionId: 1 },
    ],
    answers: [completion(MessageType.GetLazyStateCompletion, 1, value("7"))],
    result: 7,
    awaits: [[1]],
  },
  {
    name: "stateKeys",
    operate: (ctx) => ctx.stateKeys(),
    commands: [{ type: MessageType.GetLazyStateKeysCommand, name: "", resultCompletionId: 1 }],
    answers: [
      completion(MessageType.GetLazyStateKeysCompletion, 1, {
        kind: "state-keys",
        keys: [bytes("a")],
      }),
    ],
    result: ["a"],
    awaits: [[1]],
  },
  {
    name: "promise.get",
    operate: (ctx) => ctx.promise<number>("p").get(),
    commands: [promiseCommand(MessageType.GetPromiseCommand)],
    answers: [completion(MessageType.GetPromiseCompletion, 1, value("7"))],
    result: 7,
    awaits: [[1]],
  },
  {
    name: "promise.peek",
    operate: (ctx) => ctx.promise<number>("p").peek(),
    commands: [promiseCommand(MessageType.PeekPromiseCommand)],
    answers: [completion(MessageType.PeekPromiseCompletion, 1, value("7"))],
    result: 7,
    awaits: [[1]],
  },
  {
    name: "promise.resolve",
    operate: (ctx) => ctx.promise<number>("p").resolve(7),
    commands: [completePromise(value("7"))],
    answers: [completion(MessageType.CompletePromiseCompletion, 1, { kind: "void" })],
    result: undefined,
    awaits: [[1]],
  },
  {
    name: "promise.reject",
    operate: (ctx) => ctx.promise<number>("p").reject("no"),
    commands: [completePromise(failure(500, "no"))],
    answers: [completion(MessageType.CompletePromiseCompletion, 1, { kind: "void" })],
    result: undefined,
    awaits: [[1]],
  },
  {
    name: "map",
    operate: (ctx) => ctx.sleep(5).map(() => "slept"),
    commands: [sleepCommand(1, NOW_MS + 5)],
    answers: [slept(1)],
    result: "slept",
    awaits: [[1]],
  },
  {
    name: "orTimeout",
    operate: (ctx) => ctx.signal<number>("go").orTimeout(5),
    commands: [sleepCommand(1, NOW_MS + 5)],
    answers: [namedSignal("go", value("7"))],
    result: 7,
    awaits: [[1], [], ["go"]],
  },
  ...combinators(),
];

type SumHandler = (ctx: unknown, amount: number) => Promise<number>;

function combinators(): Operation[] {
  const two: Operate = (ctx) => RestatePromise.all(pair(ctx));
  const pair = (ctx: WorkflowContext) => [ctx.signal<number>("a"), ctx.sleep(5)] as const;
  const common = { commands: [sleepCommand(1, NOW_MS + 5)], awaits: [[1], [], ["a"]] } as const;
  const first = [namedSignal("a", value("7"))];
  const both = [namedSignal("a", value("7")), slept(1)];
  const awaits: Operation["awaits"] = [[1], [], ["a"]];
  const settled = [{ status: "fulfilled", value: 7 }, { status: "fulfilled" }];
  return [
    { ...common, awaits, name: "all", operate: two, answers: both, result: [7, null] },
    {
      ...common,
      awaits,
      name: "race",
      operate: (ctx) => RestatePromise.race(pair(ctx)),
      answers: first,
      result: 7,
    },
    {
      ...common,
      awaits,
      name: "any",
      operate: (ctx) => RestatePromise.any(pair(ctx)),
      answers: first,
      result: 7,
    },
    {
      ...common,
      awaits,
      name: "allSettled",
      operate: (ctx) => RestatePromise.allSettled(pair(ctx)),
      answers: both,
      result: settled,
    },
  ];
}

/** The `h` of a workflow, whose context has every operation. */
const tested = (operate: Operate): Tested =>
  workflow({
    name: "S",
    handlers: {
      run: async () => undefined,
      // A shared handler has every operation but those that change the state.
      h: async (ctx: WorkflowSharedContext) => operate(trust(ctx)),
    },
  });

const results = ({ result }: Operation): Message[] => [
  output(result === undefined ? value("") : value(JSON.stringify(result))),
  END,
];

for (const operation of OPERATIONS) {
  const { name, operate, commands, answers, awaits } = operation;
  const [completions, signals = [], namedSignals = []] = awaits;
  describe(`ctx: ${name}`, () => {
    it("fresh, is written, and answered by what comes in", async () => {
      const exchange = Exchange.replaying(tested(operate), [input()]);
      await exchange.expectWritten(...commands);
      exchange.feed(...answers);
      await exchange.expectWritten(...results(operation));
    });

    it("replayed, is answered by the journal, and written no more", async () => {
      const entries = [input(), ...commands, ...answers];
      const exchange = Exchange.replaying(tested(operate), entries);
      await exchange.expectWritten(...results(operation));
    });

    it("replayed without its answer, waits for it", async () => {
      const exchange = Exchange.replaying(tested(operate), [input(), ...commands]);
      await exchange.expectWritten();
      exchange.feed(...answers);
      await exchange.expectWritten(...results(operation));
    });

    it("suspended, names what it waits for, and cancellation", async () => {
      const exchange = Exchange.replaying(tested(operate), [input()]);
      exchange.closeInput();
      const suspension = suspended(completions, [1, ...signals], namedSignals);
      await exchange.expectWritten(...commands, suspension);
      assert.ok(exchange.isEnded);
    });

    it("cancelled, throws once, and goes on to be awaited", async () => {
      const twice: Operate = async (ctx) => {
        const promise = operate(ctx);
        try {
          return await promise;
        } catch {
          return [await promise];
        }
      };
      const exchange = Exchange.replaying(tested(twice), [input()]);
      await exchange.expectWritten(...commands);
      // The ids of calls are needed to pass it on.
      const isCall = commands.some(({ type }) => type === MessageType.CallCommand);
      const [id, ...others] = answers;
      exchange.feed(CANCEL, ...(isCall && id !== undefined ? [id] : []));
      const written = await exchange.written();
      exchange.feed(...(isCall ? others : answers));
      written.push(...(await exchange.written()));
      const { result = null } = operation;
      const passedOn = written.filter(({ type }) => type === MessageType.SendSignalCommand);
      assert.equal(passedOn.length, isCall ? 1 : 0);
      assert.deepEqual(written.slice(passedOn.length), [
        output(value(JSON.stringify([result]))),
        END,
      ]);
    });
  });
}

describe("ctx.run", () => {
  const operate: Operate = (ctx) => ctx.run("a", () => 7);

  it("fresh, is executed and answered once it is recorded", async () => {
    const exchange = Exchange.replaying(tested(operate), [input()]);
    const [command, proposal] = await exchange.written();
    assert.deepEqual(command, runCommand(1, "a"));
    assert.equal(proposal?.type, MessageType.ProposeRunCompletion);
    exchange.feed(ran(1, value("7")));
    await exchange.expectWritten(output(value("7")), END);
  });

  it("replayed, is not executed", async () => {
    const never: Operate = (ctx) => ctx.run("a", () => assert.fail("executed"));
    const entries = [input(), runCommand(1, "a"), ran(1, value("7"))];
    const exchange = Exchange.replaying(tested(never), entries);
    await exchange.expectWritten(output(value("7")), END);
  });

  it("cancelled, is written and not executed", async () => {
    const never: Operate = (ctx) => ctx.run("a", () => assert.fail("executed"));
    const exchange = Exchange.replaying(tested(never), [input(), CANCEL]);
    await exchange.expectWritten(runCommand(1, "a"), output(failure(409, "Cancelled")), END);
  });
});
