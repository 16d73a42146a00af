/** The libraries themselves: zod, valibot and arktype, as input and output of handlers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import { makeManifest } from "../endpoint/discovery.ts";
import { Exchange } from "../endpoint/exchange.suite.ts";
import { ServedServices } from "../endpoint/served-services.ts";
import { MessageType } from "../protocol/message-type.ts";
import { END, input, output, value } from "../replay/machine.suite.ts";
import type { ServiceDefinition } from "./definition.ts";
import { iface } from "./descriptor.ts";
import { handlers } from "./handlers.ts";
import { serde } from "./serde.ts";
import { service } from "./service.ts";

interface Library {
  readonly name: string;
  readonly served: ServiceDefinition<string, unknown>;
  readonly hasJsonSchema: boolean;
}

const zodOrder = z.object({
  items: z.array(z.object({ sku: z.string(), count: z.number().default(1) })),
});
const valibotOrder = v.object({
  items: v.array(v.object({ sku: v.string(), count: v.optional(v.number(), 1) })),
});
const arktypeOrder = type({ items: type({ sku: "string", count: "number = 1" }).array() });

const LIBRARIES: readonly Library[] = [
  {
    name: "zod",
    hasJsonSchema: true,
    served: service({
      name: "S",
      handlers: {
        h: handlers.handler({ input: zodOrder, output: z.number() }, async (_ctx, { items }) =>
          items.reduce((sum, { count }) => sum + count, 0),
        ),
      },
    }),
  },
  {
    name: "valibot",
    hasJsonSchema: false,
    served: service({
      name: "S",
      handlers: {
        h: handlers.handler({ input: valibotOrder, output: v.number() }, async (_ctx, { items }) =>
          items.reduce((sum, { count }) => sum + count, 0),
        ),
      },
    }),
  },
  {
    name: "arktype",
    hasJsonSchema: true,
    served: service({
      name: "S",
      handlers: {
        h: handlers.handler(
          { input: arktypeOrder, output: type("number") },
          async (_ctx, { items }) => items.reduce((sum, { count }) => sum + count, 0),
        ),
      },
    }),
  },
];

for (const { name, served, hasJsonSchema } of LIBRARIES) {
  describe(name, () => {
    it("checks the input and fills in what it fills in", async () => {
      const entries = [input('{"items":[{"sku":"a"},{"sku":"b","count":2}]}')];
      await Exchange.replaying(served, entries).expectWritten(output(value("3")), END);
    });

    it("names the path of each issue", async () => {
      const exchange = Exchange.replaying(served, [input('{"items":[{"sku":7,"count":"x"}]}')]);
      const [last] = await exchange.written();
      assert.ok(last?.type === MessageType.OutputCommand && last.result.kind === "failure");
      const { code, message } = last.result.failure;
      assert.equal(code, 400);
      assert.match(message, /^the input does not match its schema: .*items\[0\]\.sku: /);
      assert.match(message, /items\[0\]\.count: /);
    });

    it(`${hasJsonSchema ? "offers" : "does not offer"} a JSON Schema for the manifest`, () => {
      const { models } = new ServedServices({ services: [served] });
      const [made] = makeManifest(models, { protocolMode: "BIDI_STREAM" }).services;
      const text = JSON.stringify(made?.handlers[0]?.input?.jsonSchema);
      if (hasJsonSchema) assert.match(text, /"sku"/);
      else assert.equal(text, undefined);
    });
  });
}

it("types are those of the library", async () => {
  const declared = iface.service("S", {
    h: iface.schemas({ input: zodOrder, output: v.number() }),
    g: iface.schemas({ input: arktypeOrder }),
  });
  const read = serde.schema(zodOrder).deserialize(new TextEncoder().encode('{"items":[]}'));
  const items: { sku: string; count: number }[] = read.items;
  assert.deepEqual(items, []);
  handlers.handler({ input: zodOrder }, async (_ctx, order) => {
    const counts: number[] = order.items.map(({ count }) => count);
    // @ts-expect-error -- the schema has no price
    return [counts, order.price];
  });
  handlers.handler({ input: valibotOrder }, async (_ctx, order) => {
    // @ts-expect-error -- the schema has no price
    return order.price;
  });
  handlers.handler({ input: arktypeOrder }, async (_ctx, order) => {
    // @ts-expect-error -- the schema has no price
    return order.price;
  });
  // @ts-expect-error -- a number is returned, and text is not
  handlers.handler({ output: z.number() }, async () => "text");
  // @ts-expect-error -- likewise
  handlers.handler({ output: v.number() }, async () => "text");
  // @ts-expect-error -- likewise
  handlers.handler({ output: type("number") }, async () => "text");
  // A handler returns what the schema takes.
  handlers.handler({ output: z.string().transform(Number) }, async () => "7");
  assert.equal(declared.name, "S");
});
