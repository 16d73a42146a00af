import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import type { Saga } from "../define/saga.ts";
import { Exchange, type TestHandler } from "../endpoint/exchange.suite.ts";
import { CANCEL, failure, input, value } from "../replay/machine.suite.ts";
import { drive, driveReplaying } from "./driven.suite.ts";
import { RestatePromise } from "./restate-promise.ts";

/** Three steps, each undone with what it gave; the third fails for good. */
function trip(log: unknown[], fail: () => never): TestHandler {
  return async (ctx) =>
    ctx.saga(async (saga) => {
      const undo = (name: string) => (given: string | undefined) => void log.push([name, given]);
      await saga.run("flight", () => "f1", { undo: undo("flight") });
      await saga.run("room", () => "r1", { undo: undo("room") });
      await saga.run("car", () => fail(), { undo: undo("car") });
    });
}

const refuse = (): never => {
  throw new TerminalError("no cars", { errorCode: 410 });
};

const UNDONE = ["undo car", "undo room", "undo flight"];

describe("a saga", () => {
  it("undoes its steps in reverse order and fails as it failed", async () => {
    const log: unknown[] = [];
    const { steps, result } = await drive(trip(log, refuse));
    assert.deepEqual(steps, ["flight", "room", "car", ...UNDONE]);
    assert.deepEqual(log, [
      ["car", undefined],
      ["room", "r1"],
      ["flight", "f1"],
    ]);
    assert.deepEqual(result, failure(410, "no cars"));
  });

  it("is the same when every attempt gets one step further", async () => {
    const log: unknown[] = [];
    const { steps, result } = await driveReplaying(trip(log, refuse));
    assert.deepEqual(steps, ["flight", "room", "car", ...UNDONE]);
    assert.equal(log.length, 3);
    assert.deepEqual(result, failure(410, "no cars"));
  });

  it("undoes nothing when it succeeds", async () => {
    const handler: TestHandler = async (ctx) =>
      ctx.saga(async (saga) => saga.run("a", () => 1, { undo: () => assert.fail() }));
    assert.deepEqual(await drive(handler), { steps: ["a"], result: value("1") });
  });

  it("undoes nothing when the attempt fails, which is tried again", async () => {
    const handler: TestHandler = async (ctx) =>
      ctx.saga(async (saga) => {
        saga.compensate("a", async () => assert.fail());
        throw new Error("a bug");
      });
    await Exchange.replaying(handler, [input()]).expectError(500, /^a bug$/);
  });

  it("undoes when it is cancelled, whatever is cancelled meanwhile", async () => {
    const log: unknown[] = [];
    const handler: TestHandler = async (ctx) =>
      ctx.saga(async (saga) => {
        await saga.run("a", () => "x", { undo: (given) => void log.push(given) });
        await saga.run("b", () => "y", { undo: (given) => void log.push(given) });
        await ctx.awakeable().promise;
      });
    const cancelAfter = ["b", "undo b"];
    const { steps, result } = await drive(handler, (step) =>
      cancelAfter.includes(step) ? [CANCEL] : [],
    );
    assert.deepEqual(steps, ["a", "b", "undo b", "undo a"]);
    assert.deepEqual(log, ["y", "x"]);
    assert.deepEqual(result, failure(409, "Cancelled"));
  });

  it("waits for a step that is not over before it undoes it", async () => {
    const log: string[] = [];
    const handler: TestHandler = async (ctx) =>
      ctx.saga(async (saga) => {
        const slow = saga.run("slow", async () => late("s"), {
          undo: (s) => void log.push(`${s}`),
        });
        const bad = saga.run("bad", refuse, { undo: () => void log.push("bad") });
        await RestatePromise.all([slow, bad]);
      });
    const { steps } = await drive(handler);
    assert.deepEqual(steps, ["slow", "bad", "undo bad", "undo slow"]);
    assert.deepEqual(log, ["bad", "s"]);
  });

  it("goes on when something cannot be undone, and says so", async () => {
    const handler: TestHandler = async (ctx) =>
      ctx.saga(async (saga) => {
        await saga.run("a", () => 1, { undo: () => 1 });
        await saga.run("b", () => 1, { undo: () => fails("gone") });
        saga.compensate("c", async () => fails("not here"));
        refuse();
      });
    const { steps, result } = await drive(handler);
    assert.deepEqual(steps, ["a", "b", "undo b", "undo a"]);
    assert.deepEqual(result, failure(410, "no cars; not undone: c: not here; b: gone"));
  });

  it("gives its steps the types of their results", async () => {
    const typed = async (ctx: Context): Promise<number> =>
      ctx.saga(async (saga: Saga) => {
        const text = await saga.run("a", () => "x", { undo: (given?: string) => given });
        // @ts-expect-error -- the step gives a string
        await saga.run("b", () => "x", { undo: (given?: number) => given });
        return text.length;
      });
    assert.deepEqual((await drive(typed)).result, value("1"));
  });
});

function fails(message: string): never {
  throw new TerminalError(message);
}

async function late<T>(given: T): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, 1));
  return given;
}
