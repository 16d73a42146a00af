import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Any, trust } from "./any.ts";
import type { Context } from "./context.ts";
import { durationToMs } from "./duration.ts";
import {
  CancelledError,
  errorCode,
  errorToFailure,
  failureToError,
  PauseError,
  RestateError,
  RetryableError,
  retryAfterMs,
  TerminalError,
  TimeoutError,
  toError,
} from "./errors.ts";
import { Opts, rpc, SendOpts } from "./rpc.ts";
import { serde } from "./serde.ts";
import {
  createObjectHandler,
  createObjectSharedHandler,
  createWorkflowHandler,
  createWorkflowSharedHandler,
  handlers,
} from "./handlers.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  WorkflowContext,
  WorkflowSharedContext,
} from "./keyed-context.ts";
import { serviceModel } from "./model.ts";
import { object, service, workflow } from "./service.ts";

describe("a duration", () => {
  it("adds its fields up, and rounds up to whole milliseconds", () => {
    const all = { days: 1, hours: 1, minutes: 1, seconds: 1, milliseconds: 1 };
    assert.equal(durationToMs(all), 86_400_000 + 3_600_000 + 60_000 + 1001);
    assert.equal(durationToMs({ seconds: 0.0005 }), 1);
    assert.equal(durationToMs(7), 7);
    assert.equal(durationToMs({}), 0);
  });

  it("is 0 when it is negative, and refused when it is no number", () => {
    assert.equal(durationToMs(-5), 0);
    for (const none of [Number.NaN, Infinity, { days: Infinity }, 1e300]) {
      assert.throws(() => durationToMs(none), TypeError);
    }
  });
});

describe("errors", () => {
  it("are known by class, name and code", () => {
    const [timeout, cancelled] = [new TimeoutError(), new CancelledError()];
    for (const error of [timeout, cancelled]) assert.ok(error instanceof TerminalError);
    assert.deepEqual([timeout.name, timeout.code], ["TimeoutError", 408]);
    assert.deepEqual(
      [cancelled.name, cancelled.code, cancelled.message],
      ["CancelledError", 409, "Cancelled"],
    );
    assert.equal(new TerminalError("x").code, 500);
    assert.ok(!(new RetryableError("x") instanceof TerminalError));
    assert.equal(new RestateError("x", { cause: 1 }).cause, 1);
  });

  it("that are retried say when, and wrap what caused them", () => {
    const error = RetryableError.from(new TerminalError("busy", { errorCode: 503 }), {
      retryAfter: { seconds: 2 },
    });
    assert.deepEqual([error.message, error.code, retryAfterMs(error)], ["busy", 503, 2000]);
    assert.equal(retryAfterMs(new RetryableError("x")), undefined);
    assert.equal(retryAfterMs(new Error("x")), undefined);
    const useless = new RetryableError("x", { retryAfter: { seconds: Number("soon") } });
    assert.equal(retryAfterMs(useless), undefined);
  });

  it("travel as failures and back", () => {
    const text = fc.string();
    const metadata = fc.option(
      fc.dictionary(
        text.filter((key) => key !== "__proto__"),
        text,
      ),
      {
        nil: undefined,
      },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 65_535 }), text, metadata, (code, message, pairs) => {
        const given = { errorCode: code, ...(pairs !== undefined && { metadata: pairs }) };
        const error = failureToError(errorToFailure(new TerminalError(message, given)));
        assert.deepEqual([error.code, error.message], [code, message]);
        assert.deepEqual(
          error.metadata === undefined ? undefined : { ...error.metadata },
          pairs === undefined ? undefined : { ...pairs },
        );
      }),
    );
  });

  it("have a code that travels, whatever they were given", () => {
    for (const code of [-1, 1.5, Number.NaN, 70_000]) {
      assert.equal(errorCode(new RetryableError("x", { errorCode: code })), 500);
      assert.equal(errorToFailure(new TerminalError("x", { errorCode: code })).code, 500);
    }
  });

  it("that pause keep the message and the code of what caused them", () => {
    const error = PauseError.from(new TerminalError("ask", { errorCode: 402 }));
    assert.deepEqual([error.message, error.code, error.name], ["ask", 402, "PauseError"]);
    assert.ok(!(error instanceof TerminalError));
  });

  it("are made of whatever is thrown", () => {
    const own = new TypeError("own");
    assert.equal(toError(own), own);
    assert.match(toError("text").message, /not an Error: text/);
    assert.match(toError({ a: 1 }).message, /\{"a":1\}/);
    for (const odd of [undefined, null, 1n, Symbol("s"), () => 1]) {
      assert.ok(toError(odd) instanceof Error);
      assert.equal(toError(odd).cause, odd);
    }
    assert.equal(errorCode(new Error("x")), 500);
  });
});

describe("serdes", () => {
  it("of JSON keep values, and read nothing as undefined", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (given) => {
        const again: unknown = serde.json.deserialize(serde.json.serialize(given));
        assert.deepEqual(again, JSON.parse(JSON.stringify(given)));
      }),
    );
    assert.equal(serde.json.serialize(undefined).length, 0);
    assert.equal(serde.json.serialize(() => 1).length, 0);
    assert.equal(serde.json.deserialize(new Uint8Array(0)), undefined);
    assert.throws(() => serde.json.deserialize(Uint8Array.of(123)), SyntaxError);
  });

  it("of bytes keep them, of nothing nothing", () => {
    const bytes = Uint8Array.of(1, 2);
    assert.equal(serde.binary.deserialize(serde.binary.serialize(bytes)), bytes);
    assert.equal(serde.empty.serialize().length, 0);
    assert.equal(serde.empty.deserialize(bytes), undefined);
  });
});

describe("service()", () => {
  it("names the service and keeps the handlers to itself", () => {
    const made = service({ name: "S", handlers: { h: async (_ctx: Context) => 1 } });
    assert.deepEqual({ ...made }, { name: "S" });
    assert.equal(JSON.stringify(made), '{"name":"S"}');
    assert.deepEqual([...(serviceModel(made)?.handlers.keys() ?? [])], ["h"]);
    assert.equal(serviceModel({ name: "S" }), undefined);
  });

  it("calls handlers on the object they stand in", async () => {
    const self: unknown[] = [];
    const own = {
      greet: async function greet(this: unknown, _ctx: Context): Promise<void> {
        self.push(this);
      },
      wrapped: handlers.handler({}, async function wrapped(this: unknown, _ctx: Context) {
        self.push(this);
      }),
    };
    const model = serviceModel(service({ name: "S", handlers: own }));
    const context: Context = trust({});
    await model?.handlers.get("greet")?.call(context, undefined);
    await model?.handlers.get("wrapped")?.call(context, undefined);
    assert.deepEqual(
      self.map((each) => each === own),
      [true, true],
    );
  });

  it("refuses names and handlers that the server would refuse", () => {
    const fine = { h: async (_ctx: Context) => 1 };
    for (const name of ["", "1a", "a/b", "ä", "_", "a b"]) {
      assert.throws(() => service({ name, handlers: fine }), /cannot be the name of a service/);
    }
    for (const name of ["a-b", "a.b", "1", ""]) {
      const named = { [name]: async (_ctx: Context) => 1 };
      assert.throws(
        () => service({ name: "S", handlers: named }),
        /cannot be the name of a handler/,
      );
    }
    const none = { h: 1 } as unknown as typeof fine;
    assert.throws(() => service({ name: "S", handlers: none }), /S\/h is not a function/);
  });
});

describe("object() and workflow()", () => {
  const add = async (_ctx: ObjectContext, amount: number) => amount;
  const read = async (_ctx: ObjectSharedContext) => 1;
  const run = async (_ctx: WorkflowContext) => 1;
  const ask = async (_ctx: WorkflowSharedContext) => 1;
  const kindsOf = (definition: object) => {
    const model = serviceModel(definition);
    const kinds = [...(model?.handlers.values() ?? [])].map(({ name, kind }) => [name, kind]);
    return [model?.kind, Object.fromEntries(kinds)];
  };

  it("know their handlers by kind; plain functions are exclusive, and shared beside run", () => {
    const counter = object({
      name: "Counter",
      handlers: {
        add,
        read: handlers.object.shared(read),
        reset: handlers.object.exclusive({ ingressPrivate: true }, async (_ctx) => {}),
        old: createObjectHandler(add),
        oldRead: createObjectSharedHandler({}, read),
      },
    });
    assert.deepEqual(kindsOf(counter), [
      "object",
      { add: "exclusive", read: "shared", reset: "exclusive", old: "exclusive", oldRead: "shared" },
    ]);
    const signup = workflow({
      name: "Signup",
      handlers: {
        run: handlers.workflow.workflow({}, run),
        ask,
        again: handlers.workflow.shared(ask),
        old: createWorkflowSharedHandler(ask),
      },
    });
    assert.deepEqual(kindsOf(signup), [
      "workflow",
      { run: "run", ask: "shared", again: "shared", old: "shared" },
    ]);
    const old = workflow({ name: "Old", handlers: { run: createWorkflowHandler(run) } });
    assert.deepEqual(kindsOf(old), ["workflow", { run: "run" }]);
  });

  it("keep the options of a handler with it", () => {
    const lazy = handlers.object.shared({ enableLazyState: true }, read);
    const model = serviceModel(object({ name: "O", handlers: { lazy } }));
    assert.deepEqual(model?.handlers.get("lazy")?.options, { enableLazyState: true });
  });

  it("refuse handlers that are made for something else, and a workflow without run", () => {
    const define = (kind: "service" | "object" | "workflow", named: object) => () => {
      const definition: Any = { name: "S", handlers: named };
      return { service, object, workflow }[kind](definition);
    };
    const of = /S\/h is of a kind that it cannot be/;
    assert.throws(define("object", { h: handlers.workflow.shared(ask) }), of);
    assert.throws(define("service", { h: handlers.object.shared(read) }), of);
    assert.throws(define("workflow", { run, h: handlers.workflow.workflow(run) }), of);
    assert.throws(
      define("workflow", { run: handlers.workflow.shared(ask) }),
      /S\/run is of a kind that it cannot be/,
    );
    assert.throws(define("workflow", { ask }), /workflow S has no handler named run/);
    assert.throws(define("object", { "a/b": add }), /"a\/b" cannot be the name of a handler/);
  });
});

describe("options of calls", () => {
  it("are objects of their own, so that they are no argument", () => {
    const opts = rpc.opts({ idempotencyKey: "k" });
    assert.ok(opts instanceof Opts);
    assert.deepEqual(opts.getOpts(), { idempotencyKey: "k" });
    const sendOpts = rpc.sendOpts({ delay: 5 });
    assert.ok(sendOpts instanceof SendOpts);
    assert.deepEqual(sendOpts.getOpts(), { delay: 5 });
  });
});
