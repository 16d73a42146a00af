/** What a handler that leaves its steps is told, through the endpoint. */
import assert from "node:assert/strict";
import nodeCrypto, { randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { after, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { promisify, types } from "node:util";
import type { Context } from "../define/context.ts";
import type { DeterminismGuard } from "../define/options.ts";
import { service } from "../define/service.ts";
import { Exchange, rest, type TestHandler } from "../endpoint/exchange.suite.ts";
import { Invocation } from "../endpoint/invoke.ts";
import { ServedServices } from "../endpoint/served-services.ts";
import { encodeMessage } from "../protocol/codec.ts";
import { MessageType } from "../protocol/message-type.ts";
import { input, ran, runCommand, start, value } from "../replay/machine.suite.ts";
import { HandlerGuard } from "./determinism-guard.ts";

const linesOf = ({ log }: Exchange): string[] => log.map(([, message]) => String(message));

/** What is said about one attempt of the handler, once it has come to rest. */
async function said(handler: TestHandler, determinismGuard?: DeterminismGuard): Promise<string[]> {
  const options = determinismGuard === undefined ? {} : { options: { determinismGuard } };
  const exchange = Exchange.replaying(handler, [input('""')], options);
  exchange.closeInput();
  for (let turns = 0; turns < 5 && !exchange.isEnded; turns += 1) {
    await rest();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(exchange.isEnded);
  return linesOf(exchange);
}

const server = http.createServer((_request, response) => response.end("ok"));
const url = new Promise<string>((resolve) => {
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    resolve(`http://127.0.0.1:${address.port}/`);
  });
});
after(() => server.close());

const USES: Readonly<Record<string, readonly [use: () => unknown, remedy: string]>> = {
  "Date.now()": [() => Date.now(), "ctx.date.now()"],
  "new Date()": [() => new Date(), "new Date(await ctx.date.now())"],
  "Math.random()": [() => Math.random(), "ctx.rand.random()"],
  "crypto.randomUUID()": [() => crypto.randomUUID(), "ctx.rand.uuidv4()"],
  "crypto.getRandomValues()": [() => crypto.getRandomValues(new Uint8Array(1)), "ctx.rand"],
  "crypto.randomBytes()": [() => nodeCrypto.randomBytes(1), "ctx.rand"],
  "setTimeout()": [() => clearTimeout(setTimeout(() => {}, 1)), "ctx.sleep()"],
  "setInterval()": [() => clearInterval(setInterval(() => {}, 1)), "ctx.sleep()"],
  "fetch()": [async () => (await fetch(await url)).text(), "ctx.fetch()"],
};

describe("a handler that leaves its steps", () => {
  for (const [name, [use, remedy]] of Object.entries(USES)) {
    it(`is told of ${name}, with the remedy and the place`, async () => {
      const [line = "", ...more] = await said(async () => void (await use()));
      assert.deepEqual(more, []);
      assert.ok(line.startsWith(`${name} in the handler S/h `), line);
      assert.ok(line.includes(`use `) && line.includes(remedy), line);
      assert.match(line, /at .*determinism-guard\.test/);
    });
  }

  it("is told of the forms that are imported", async () => {
    const lines = await said(async () => {
      randomUUID();
      await delay(1);
      await promisify(setTimeout)(1);
      Date();
    });
    assert.deepEqual(
      lines.map((line) => line.split(" in ")[0]),
      ["crypto.randomUUID()", "setTimeout()", "new Date()"],
    );
  });

  it("is told after its awaits, and in the functions it calls", async () => {
    const helper = async (): Promise<number> => {
      await Promise.resolve();
      return Math.random();
    };
    const exchange = Exchange.replaying(
      async (ctx) => {
        await ctx.run("a", () => 1);
        await Promise.all([helper(), helper()]);
      },
      [input('""'), runCommand(1, "a"), ran(1, value("1"))],
    );
    await rest();
    assert.equal(linesOf(exchange).length, 1);
    assert.match(linesOf(exchange)[0] ?? "", /^Math\.random\(\) .* at helper /);
  });

  it("is told once, however often it does it and is attempted", async () => {
    const served = new ServedServices({
      services: [service({ name: "S", handlers: { h: async (_ctx: Context) => Date.now() } })],
    }).find("S", "h");
    assert.ok(served?.guard);
    const lines: string[] = [];
    const reports = { warn: (line: string) => void lines.push(line), failAttempt: assert.fail };
    for (let attempt = 0; attempt < 3; attempt += 1) {
      served.guard.watch(() => [Date.now(), Date.now(), Math.random()], reports);
    }
    assert.equal(lines.length, 2);
  });
});

describe("the guard of determinism", () => {
  it("says nothing of steps, at once or later, also when several handlers run", async () => {
    const inStep = async (ctx: Context): Promise<void> => {
      await ctx.run("step", async () => {
        const first = [Date.now(), Math.random(), crypto.randomUUID(), new Date()];
        await delay(1);
        await fetch(await url);
        return first.length + Math.random();
      });
    };
    const exchanges = [1, 2, 3].map(() => Exchange.replaying(inStep, [input('""')]));
    for (const exchange of exchanges) {
      for (let turns = 0; turns < 100 && exchange.writes < 2; turns += 1) await delay(5);
      const [command, proposal] = await exchange.written();
      assert.equal(command?.type, MessageType.RunCommand);
      assert.equal(proposal?.type, MessageType.ProposeRunCompletion);
      assert.deepEqual(linesOf(exchange), []);
    }
  });

  it("says nothing of what the context does", async () => {
    const lines = await said(async (ctx) => {
      ctx.rand.uuidv4();
      ctx.console.info("said");
      ctx.serviceSendClient({ name: "X" });
      void ctx.sleep(1);
      await ctx.date.now();
    });
    assert.deepEqual(lines, ["said"]);
  });

  it("says nothing of the clock of the SDK, of a logger and a codec", async () => {
    const lines: unknown[] = [];
    const encoded: Uint8Array[] = [];
    const definition = service({
      name: "S",
      handlers: {
        h: async (ctx: Context) => {
          ctx.console.info("said");
          ctx.resolveAwakeable("sign_1x", "encoded");
          await ctx.sleep(1);
        },
      },
    });
    const served = new ServedServices({
      services: [definition],
      logger: (_about, message) => lines.push([message, new Date() instanceof Date]),
      journalValueCodecProvider: async () => ({
        encode: (bytes) => {
          encoded.push(crypto.getRandomValues(new Uint8Array(1)));
          return bytes;
        },
        decode: async (bytes) => bytes,
      }),
    }).find("S", "h");
    assert.ok(served?.guard);
    const ended = new Promise<void>((resolve) => {
      const sink = { write: () => true, end: () => resolve() };
      const invocation = new Invocation({ handler: served, version: 6, sink });
      for (const message of [start(1), input('""')]) invocation.onData(encodeMessage(message));
      invocation.onInputClosed();
    });
    await ended;
    assert.equal(encoded.length, 1);
    assert.deepEqual(lines, [["said", true]]);
  });

  it("says nothing of a library that reads the clock, but of one that makes ids", async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "holdfast-guard-"));
    try {
      const file = path.join(folder, "node_modules", "lib.mjs");
      mkdirSync(path.dirname(file));
      writeFileSync(
        file,
        "export const now = () => Date.now(); export const id = () => crypto.randomUUID();",
      );
      const library = (await import(pathToFileURL(file).href)) as { now(): number; id(): string };
      const lines = await said(async () => [library.now(), library.id()]);
      assert.deepEqual(lines.length, 1);
      assert.match(lines[0] ?? "", /^crypto\.randomUUID\(\)/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says nothing of dates that are given, and of code that is no handler's", async () => {
    assert.deepEqual(await said(async () => new Date(0).getTime()), []);
    const exchange = Exchange.replaying(async (ctx) => ctx.awakeable().promise, [input('""')]);
    await rest();
    assert.ok(Date.now() > 0 && Math.random() >= 0);
    assert.deepEqual(linesOf(exchange), []);
  });

  it("leaves what it watches as it was for the program", async () => {
    HandlerGuard.of("warn", "S/h");
    const date = new Date();
    assert.ok(date instanceof Date && types.isDate(date));
    assert.equal(date.constructor, Date);
    assert.equal(Object.prototype.toString.call(date), "[object Date]");
    class Own extends Date {}
    assert.ok(new Own() instanceof Own);
    assert.equal(typeof Date(), "string");
    assert.equal(setTimeout.name, "setTimeout");
    assert.equal(await promisify(setTimeout)(1, "late"), "late");
    assert.deepEqual(Object.keys(Math), []);
    assert.match(crypto.randomUUID(), /^[0-9a-f-]{36}$/);
    assert.throws(() => crypto.randomUUID.call({}));
  });

  it("fails the attempt when it is to, every time, and breaks nothing else", async () => {
    let returned = 0;
    const handler: TestHandler = async (ctx) => {
      returned = Date.now();
      await ctx.run("a", () => assert.fail("executed"));
    };
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const exchange = Exchange.replaying(handler, [input('""')], {
        options: { determinismGuard: "error", asTerminalError: () => undefined },
      });
      await exchange.expectError(500, /^Date\.now\(\) in the handler S\/h .*ctx\.date\.now\(\)/);
      assert.match(linesOf(exchange).join(), /the attempt failed/);
      assert.ok(returned > 0);
    }
  });

  it("can be turned off, and is off in production unless it is asked for", async () => {
    assert.deepEqual(await said(async () => Date.now(), "off"), []);
    const before = process.env["NODE_ENV"];
    try {
      process.env["NODE_ENV"] = "production";
      assert.equal(HandlerGuard.of(undefined, "S/h"), undefined);
      assert.ok(HandlerGuard.of("warn", "S/h"));
      process.env["NODE_ENV"] = "test";
      assert.ok(HandlerGuard.of(undefined, "S/h"));
    } finally {
      if (before === undefined) delete process.env["NODE_ENV"];
      else process.env["NODE_ENV"] = before;
    }
  });

  it("is set for the endpoint, the service, or the handler, the nearest first", () => {
    const served = new ServedServices({
      services: [
        service({ name: "S", handlers: { h: async (_ctx: Context) => {} } }),
        service({
          name: "Own",
          handlers: { h: async (_ctx: Context) => {} },
          options: { determinismGuard: "warn" },
        }),
      ],
      defaultServiceOptions: { determinismGuard: "off" },
    });
    assert.equal(served.find("S", "h")?.guard, undefined);
    assert.ok(served.find("Own", "h")?.guard);
  });
});
