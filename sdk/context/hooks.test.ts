/** Hooks around handlers and steps, in every way an attempt can go. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PauseError, TerminalError } from "../define/errors.ts";
import { handlers } from "../define/handlers.ts";
import type { Hooks, HooksProvider } from "../define/hooks.ts";
import { isSuspendedError } from "../define/internal.ts";
import { service } from "../define/service.ts";
import { Exchange, type TestHandler } from "../endpoint/exchange.suite.ts";
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
  suspended,
  value,
} from "../replay/machine.suite.ts";

/** Notes what it goes around; errors by name. */
function noting(notes: string[], who = ""): HooksProvider {
  const around = async (what: string, next: () => Promise<void>): Promise<void> => {
    notes.push(`${who}>${what}`);
    try {
      await next();
      notes.push(`${who}<${what}`);
    } catch (error) {
      notes.push(`${who}!${what} ${isSuspendedError(error) ? "suspended" : String(error)}`);
      throw error;
    }
  };
  return ({ request }) => ({
    interceptor: {
      handler: (next) => around(request.target.toString(), next),
      run: (name, next) => around(`step ${name}`, next),
    },
  });
}

const only = (hooks: Hooks): { hooks: HooksProvider[] } => ({ hooks: [() => hooks] });
const step: TestHandler = async (ctx) => ctx.run("a", () => 7);

describe("hooks", () => {
  it("go around the handler and the steps it executes", async () => {
    const notes: string[] = [];
    const options = { hooks: [noting(notes)] };
    const exchange = Exchange.replaying(step, [input()], { options });
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, value("7")));
    assert.deepEqual(notes, [">S/h", ">step a", "<step a"]);
    exchange.feed(ran(1, value("7")));
    await exchange.expectWritten(output(value("7")), END);
    assert.deepEqual(notes.slice(3), ["<S/h"]);
  });

  it("do not go around a step that is recorded", async () => {
    const notes: string[] = [];
    const entries = [input(), runCommand(1, "a"), ran(1, value("7"))];
    const options = { hooks: [noting(notes)] };
    const exchange = Exchange.replaying(step, entries, { options });
    await exchange.expectWritten(output(value("7")), END);
    assert.deepEqual(notes, [">S/h", "<S/h"]);
  });

  it("are told that the handler was suspended, which nothing can change", async () => {
    const notes: string[] = [];
    const swallow = {
      interceptor: { handler: (next: () => Promise<void>) => next().catch(() => {}) },
    };
    const options = { hooks: [() => swallow, noting(notes)] };
    const exchange = Exchange.replaying(async (ctx) => ctx.sleep(0), [input()], { options });
    exchange.closeInput();
    const [sleep, suspension] = await exchange.written();
    assert.deepEqual([sleep?.type, suspension], [sleepCommand(1, 0).type, suspended([1])]);
    assert.deepEqual(notes, [">S/h", "!S/h suspended"]);
    await exchange.expectWritten();
  });

  it("are told that the connection is gone", async () => {
    const notes: string[] = [];
    const options = { hooks: [noting(notes)] };
    const exchange = Exchange.replaying(async (ctx) => ctx.sleep(0), [input()], { options });
    await exchange.written();
    exchange.invocation.onAborted();
    await exchange.expectWritten();
    assert.deepEqual(notes, [">S/h", "!S/h suspended"]);
  });

  it("see the cancellation that the handler does not catch", async () => {
    const notes: string[] = [];
    const options = { hooks: [noting(notes)] };
    const entries = [input(), sleepCommand(1, 0), CANCEL];
    const exchange = Exchange.replaying(async (ctx) => ctx.sleep(0), entries, { options });
    await exchange.expectWritten(output(failure(409, "Cancelled")), END);
    assert.deepEqual(notes, [">S/h", "!S/h CancelledError: Cancelled"]);
  });

  it("see why an attempt fails, and that of a step twice", async () => {
    const notes: string[] = [];
    const options = { hooks: [noting(notes)] };
    const failing: TestHandler = async (ctx) =>
      ctx.run("a", () => {
        throw new Error("boom");
      });
    const exchange = Exchange.replaying(failing, [input()], { options });
    await exchange.expectError(500, /^boom$/);
    assert.deepEqual(notes, [">S/h", ">step a", "!step a Error: boom", "!S/h Error: boom"]);
  });

  it("see a handler that does not follow its journal", async () => {
    const notes: string[] = [];
    const entries = [input(), sleepCommand(1, 0)];
    const exchange = Exchange.replaying(step, entries, { options: { hooks: [noting(notes)] } });
    await exchange.expectError(570, /./);
    assert.equal(notes.length, 2);
    assert.match(notes[1] ?? "", /^!S\/h RestateError: /);
  });

  it("see a step that pauses the invocation", async () => {
    const notes: string[] = [];
    const pausing: TestHandler = async (ctx) =>
      ctx.run("a", () => {
        throw new PauseError("ask");
      });
    const options = { hooks: [noting(notes)] };
    const exchange = Exchange.replaying(pausing, [input()], { options, version: 7 });
    await exchange.expectError(500, /^ask$/);
    assert.equal(notes.at(-1), "!S/h PauseError: ask");
  });

  it("are those of the service around those of the handler, each first one outermost", async () => {
    const notes: string[] = [];
    const tested = service({
      name: "S",
      handlers: {
        h: handlers.handler({ hooks: [noting(notes, "c"), noting(notes, "d")] }, async () => 7),
      },
      options: { hooks: [noting(notes, "a"), noting(notes, "b")] },
    });
    await Exchange.replaying(tested, [input()]).expectWritten(output(value("7")), END);
    const order = notes.map(([who, direction]) => `${who}${direction}`).join(" ");
    assert.equal(order, "a> b> c> d> d< c< b< a<");
  });

  it("of the endpoint are for services that have none", async () => {
    const notes: string[] = [];
    const defaults = { hooks: [noting(notes, "e")] };
    const seven: TestHandler = async () => 7;
    await Exchange.replaying(seven, [input()], { defaults }).written();
    const options = { hooks: [noting(notes, "s")] };
    await Exchange.replaying(seven, [input()], { defaults, options }).written();
    assert.deepEqual(notes, ["e>S/h", "e<S/h", "s>S/h", "s<S/h"]);
  });

  it("can wait, before the handler and after it", async () => {
    const turn = () =>
      new Promise((resolve) => {
        setImmediate(resolve);
      });
    const handler = async (next: () => Promise<void>): Promise<void> => {
      await turn();
      await next();
      await turn();
    };
    const options = only({ interceptor: { handler } });
    const entries = [input(), sleepCommand(1, 0), slept(1)];
    const exchange = Exchange.replaying(async (ctx) => ctx.sleep(0), entries, { options });
    exchange.closeInput();
    await exchange.expectWritten(output(value("")), END);
  });

  it("see results and inputs that cannot be written or read", async () => {
    const notes: string[] = [];
    const options = { hooks: [noting(notes)] };
    const result = Exchange.replaying(async () => 1n, [input()], { options });
    await result.expectError(500, /BigInt/);
    const unreadable = Exchange.replaying(async () => 1, [input("{")], { options });
    await unreadable.written();
    assert.match(notes[1] ?? "", /BigInt/);
    assert.match(notes[3] ?? "", /^!S\/h TerminalError: the input could not be read/);
  });
});

describe("an interceptor", () => {
  it("can make another error of one, of a handler and of a step", async () => {
    const options = only({
      interceptor: {
        handler: (next) =>
          next().catch((error: unknown) => {
            throw new TerminalError(`handler: ${String(error)}`, { errorCode: 418 });
          }),
        run: (name, next) =>
          next().catch((error: unknown) => {
            throw new TerminalError(`step ${name}: ${String(error)}`);
          }),
      },
    });
    const failing: TestHandler = async (ctx) =>
      ctx.run("a", () => {
        throw new Error("boom");
      });
    const exchange = Exchange.replaying(failing, [input()], { options });
    const recorded = failure(500, "step a: Error: boom");
    await exchange.expectWritten(runCommand(1, "a"), proposed(1, recorded));
    exchange.feed(ran(1, recorded));
    const message = "handler: TerminalError: step a: Error: boom";
    await exchange.expectWritten(output(failure(418, message)), END);
  });

  it("that swallows an error makes a success without result of it", async () => {
    const handler = (next: () => Promise<void>) => next().catch(() => {});
    const failing: TestHandler = async () => {
      throw new Error("boom");
    };
    const options = only({ interceptor: { handler } });
    const exchange = Exchange.replaying(failing, [input()], { options });
    await exchange.expectWritten(output(value("")), END);
  });

  const broken: readonly [string, (next: () => Promise<void>) => Promise<void>, RegExp][] = [
    ["does not call next", async () => {}, /without calling next/],
    ["does not await next", async (next) => void next(), /without awaiting next/],
    [
      "calls next twice",
      async (next) => {
        await next();
        await next();
      },
      /more than once/,
    ],
  ];
  for (const [what, handler, expected] of broken) {
    it(`that ${what} fails the attempt`, async () => {
      const options = only({ interceptor: { handler } });
      const slow: TestHandler = async (ctx) => ctx.sleep(0);
      const entries = [input(), sleepCommand(1, 0), slept(1)];
      await Exchange.replaying(slow, entries, { options }).expectError(500, expected);
    });
  }

  it("is called on the object it belongs to", async () => {
    class Counting {
      count = 0;
      async handler(next: () => Promise<void>): Promise<void> {
        this.count += 1;
        await next();
      }
    }
    const interceptor = new Counting();
    const options = only({ interceptor });
    await Exchange.replaying(async () => 7, [input()], { options }).expectWritten(
      output(value("7")),
      END,
    );
    assert.equal(interceptor.count, 1);
  });

  it("does not lift the rule against the context inside a step", async () => {
    const options = only({
      interceptor: {
        run: async (_name, next) => {
          await Promise.resolve();
          await next();
        },
      },
    });
    const nested: TestHandler = async (ctx) => ctx.run("a", async () => ctx.sleep(1));
    const exchange = Exchange.replaying(nested, [input()], { options });
    await exchange.expectError(500, /must not be used inside ctx.run/);
  });
});

describe("a provider of hooks", () => {
  it("is asked once for each attempt, with its request", async () => {
    const requests: string[] = [];
    const provider: HooksProvider = ({ request }) => {
      requests.push(request.id);
      return {};
    };
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const exchange = Exchange.replaying(step, [input()], { options: { hooks: [provider] } });
      await exchange.written();
    }
    assert.equal(requests.length, 2);
    assert.match(requests[0] ?? "", /^inv_/);
  });

  it("that throws fails the attempt", async () => {
    const provider = (): Hooks => {
      throw new Error("no hooks today");
    };
    const exchange = Exchange.replaying(step, [input()], { options: { hooks: [provider] } });
    await exchange.expectError(500, /no hooks today/);
  });
});
