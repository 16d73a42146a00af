/** Standard Schemas on handlers: checked at the edge, typed, and announced. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Exchange } from "../endpoint/exchange.suite.ts";
import { makeManifest } from "../endpoint/discovery.ts";
import { ServedServices } from "../endpoint/served-services.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Outcome } from "../protocol/messages.ts";
import { END, input, output, value } from "../replay/machine.suite.ts";
import type { Any } from "./any.ts";
import type { Context } from "./context.ts";
import type { ServiceDefinition } from "./definition.ts";
import { handlers } from "./handlers.ts";
import type { ObjectContext, WorkflowContext } from "./keyed-context.ts";
import type { Client } from "./rpc.ts";
import { serde } from "./serde.ts";
import { object, service, workflow } from "./service.ts";
import { SchemaError, type SchemaIssue, type StandardSchema } from "./standard-schema.ts";

interface Order {
  items: { sku: string; count: number }[];
}

type Check<T> = (value: unknown) => T | SchemaIssue[];

function schemaOf<I, O = I>(
  check: Check<O>,
  jsonSchema?: { input: object; output: object },
): StandardSchema<I, O> {
  const validate = (given: unknown) => {
    const made = check(given);
    return isIssues(made) ? { issues: made } : { value: made };
  };
  const convert = (direction: "input" | "output") => (options: { target: string }) => ({
    $schema: options.target,
    ...jsonSchema?.[direction],
  });
  const converters = { input: convert("input"), output: convert("output") };
  return {
    "~standard": {
      version: 1,
      vendor: "test",
      validate,
      ...(jsonSchema !== undefined && { jsonSchema: converters }),
    },
  };
}

const isIssues = (made: unknown): made is SchemaIssue[] =>
  Array.isArray(made) && made.every((each) => typeof each === "object" && "message" in each);

/** Says what is wrong in the three forms of paths that libraries use. */
const order = schemaOf<Order>((given) => {
  if (typeof given === "object" && given !== null && "items" in given) {
    return given as unknown as Order;
  }
  return [
    { message: "expected a number", path: ["items", 0, "count"] },
    { message: "expected text", path: [{ key: "items" }, { key: 1 }, { key: "the sku" }] },
    { message: "too small" },
  ];
});

const fromText = schemaOf<string, number>((given) =>
  typeof given === "string" ? given.length : [{ message: "no text" }],
);
const small = schemaOf<number, string>((given) =>
  typeof given === "number" && given < 10 ? `${given}!` : [{ message: "not small", path: ["n"] }],
);

const tested = (
  handler: (ctx: Context, given: Any) => Promise<unknown>,
): ServiceDefinition<string, unknown> => service({ name: "S", handlers: { h: handler } });

async function resultOf(
  definition: ServiceDefinition<string, unknown>,
  text: string,
): Promise<Outcome> {
  const written = await Exchange.replaying(definition, [input(text)]).written();
  const [last] = written;
  assert.ok(last?.type === MessageType.OutputCommand, JSON.stringify(written));
  return last.result;
}

const PATHS =
  'does not match its schema: items[0].count: expected a number; items[1]["the sku"]: expected text; too small';

describe("a schema as input", () => {
  it("lets through what it accepts, as what it makes of it", async () => {
    const definition = tested(
      handlers.handler({ input: fromText }, async (_ctx, length) => length),
    );
    assert.deepEqual(await resultOf(definition, '"abc"'), value("3"));
  });

  it("fails the invocation with code 400 and the path of each issue, the handler not called", async () => {
    const definition = tested(
      handlers.handler({ input: order }, async () => assert.fail("was called")),
    );
    for (const text of ["{}", ""]) {
      const result = await resultOf(definition, text);
      assert.ok(result.kind === "failure");
      assert.deepEqual(result.failure, { code: 400, message: `the input ${PATHS}` });
    }
    const result = await resultOf(definition, "{");
    assert.ok(result.kind === "failure" && result.failure.code === 400);
    assert.match(result.failure.message, /the input could not be read: .*JSON/);
  });

  it("may be given to handlers of every kind", async () => {
    const definitions = [
      object({
        name: "S",
        handlers: { h: handlers.object.exclusive({ input: order }, async () => 1) },
      }),
      object({
        name: "S",
        handlers: { h: handlers.object.shared({ input: order }, async () => 1) },
      }),
      workflow({
        name: "S",
        handlers: {
          run: async (_ctx: WorkflowContext) => 1,
          h: handlers.workflow.shared({ input: order }, async () => 1),
        },
      }),
    ];
    for (const definition of definitions) {
      const result = await resultOf(definition, "{}");
      assert.ok(result.kind === "failure" && result.failure.code === 400);
    }
  });

  it("may be a serde of a schema", async () => {
    const definition = tested(
      handlers.handler({ input: serde.schema(order) }, async (_ctx, { items }) => items.length),
    );
    assert.deepEqual(await resultOf(definition, '{"items":[1]}'), value("1"));
    const result = await resultOf(definition, "{}");
    assert.ok(result.kind === "failure");
    assert.deepEqual(result.failure, { code: 400, message: `the input ${PATHS}` });
  });

  it("may be a schema that is a function, as those of arktype are", async () => {
    const callable = Object.assign(() => 1, { "~standard": order["~standard"] });
    const definition = tested(handlers.handler({ input: callable }, async () => 1));
    const result = await resultOf(definition, "{}");
    assert.ok(result.kind === "failure");
    assert.deepEqual(result.failure, { code: 400, message: `the input ${PATHS}` });
  });

  it("refuses a schema that answers with a promise, with the reason", async () => {
    const slow: StandardSchema<number> = {
      "~standard": { version: 1, vendor: "slow", validate: async () => ({ issues: [] }) },
    };
    const definition = tested(handlers.handler({ input: slow }, async () => 1));
    const result = await resultOf(definition, "1");
    assert.ok(result.kind === "failure");
    assert.match(result.failure.message, /the slow schema validates asynchronously/);
  });
});

describe("a schema as output", () => {
  it("makes what the caller gets of what the handler returns", async () => {
    const definition = tested(handlers.handler({ output: small }, async () => 7));
    assert.deepEqual(await resultOf(definition, ""), value('"7!"'));
  });

  it("fails the invocation with code 500 for what it does not accept", async () => {
    const definition = tested(handlers.handler({ output: small }, async () => 70));
    const result = await resultOf(definition, "");
    assert.ok(result.kind === "failure");
    const message = "the output does not match its schema: n: not small";
    assert.deepEqual(result.failure, { code: 500, message });
  });
});

describe("a serde of a schema", () => {
  it("checks what is read, and not what is written", async () => {
    const lengths = serde.schema(fromText);
    assert.deepEqual(lengths.serialize(70), new TextEncoder().encode("70"));
    assert.equal(lengths.deserialize(new TextEncoder().encode('"abc"')), 3);
    assert.throws(() => lengths.deserialize(new TextEncoder().encode("70")), SchemaError);
    const state = object({
      name: "S",
      handlers: { h: async (ctx: ObjectContext) => ctx.get("a", lengths) },
    });
    const entry = { key: new TextEncoder().encode("a"), value: new TextEncoder().encode("70") };
    const exchange = Exchange.replaying(state, [input()], { start: { state: [entry] } });
    // No caller is to blame: tried again, also by code that can read it.
    await exchange.expectError(500, /the value does not match its schema: no text/);
  });

  it("hands the options to the library", () => {
    const seen: unknown[] = [];
    const noting: StandardSchema<number> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (given, options) => {
          seen.push(options);
          return { value: Number(given) };
        },
      },
    };
    serde.schema(noting, { strict: true }).deserialize(new TextEncoder().encode("1"));
    serde.schema(noting).deserialize(new TextEncoder().encode("1"));
    assert.deepEqual(seen, [{ libraryOptions: { strict: true } }, undefined]);
  });
});

describe("the manifest", () => {
  const payloads = (definition: ServiceDefinition<string, unknown>): unknown => {
    const { models } = new ServedServices({ services: [definition] });
    const [made] = makeManifest(models, { protocolMode: "BIDI_STREAM" }).services;
    return made?.handlers.map((each) => [each.input?.jsonSchema, each.output?.jsonSchema]);
  };

  it("has the JSON Schema of what is taken and given, where the library offers it", () => {
    const both = schemaOf<number>(Number, { input: { type: "in" }, output: { type: "out" } });
    const announced = (type: string) => ({ $schema: "draft-2020-12", type });
    const direct = tested(handlers.handler({ input: both, output: both }, async () => 1));
    assert.deepEqual(payloads(direct), [[announced("in"), announced("out")]]);
    const made = tested(handlers.handler({ input: serde.schema(both) }, async () => 1));
    assert.deepEqual(payloads(made), [[announced("out"), undefined]]);
    const silent = tested(handlers.handler({ input: order }, async () => 1));
    assert.deepEqual(payloads(silent), [[undefined, undefined]]);
  });

  it("has none where the library cannot make one", () => {
    const { "~standard": standard } = order;
    const jsonSchema = {
      input: () => {
        throw new Error("a date");
      },
      output: "nothing of use",
    };
    const broken: StandardSchema<Order> = { "~standard": Object.assign({ jsonSchema }, standard) };
    const definition = tested(
      handlers.handler({ input: broken, output: broken }, async () => ({ items: [] })),
    );
    assert.deepEqual(payloads(definition), [[undefined, undefined]]);
  });
});

it("the types of handlers are inferred from their schemas", () => {
  const shop = service({
    name: "Shop",
    handlers: {
      count: handlers.handler({ input: order, output: small }, async (_ctx, { items }) => {
        const first: string | undefined = items[0]?.sku;
        // @ts-expect-error -- the schema has no price
        assert.equal(items[0]?.price, undefined);
        return first === undefined ? 0 : 1;
      }),
      length: handlers.handler({ input: fromText }, async (_ctx, length) => length.toFixed(1)),
      // @ts-expect-error -- the output schema takes numbers
      wrong: handlers.handler({ output: small }, async () => "text"),
    },
  });
  type Calls = typeof shop extends ServiceDefinition<string, infer M> ? Client<M> : never;
  const use = async (calls: Calls): Promise<number> => {
    // @ts-expect-error -- an order is no text
    await calls.count("text");
    return calls.count({ items: [] });
  };
  assert.equal(typeof use, "function");
});

it("an output that has been checked ends the invocation", async () => {
  const definition = tested(handlers.handler({ output: small }, async () => 1));
  await Exchange.replaying(definition, [input()]).expectWritten(output(value('"1!"')), END);
});
