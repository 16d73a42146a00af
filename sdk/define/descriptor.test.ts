/** Interfaces that services and their callers share, and what is made of them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeManifest } from "../endpoint/discovery.ts";
import { Exchange, type Tested } from "../endpoint/exchange.suite.ts";
import { ServedServices } from "../endpoint/served-services.ts";
import { MessageType } from "../protocol/message-type.ts";
import type { Message } from "../protocol/messages.ts";
import type { ProtocolVersion } from "../protocol/version.ts";
import { bytes, called, END, input, invocationId, output, value } from "../replay/machine.suite.ts";
import { trust } from "./any.ts";
import type { Context, InvocationPromise } from "./context.ts";
import type { ServiceDefinition } from "./definition.ts";
import { iface } from "./descriptor.ts";
import { implement } from "./implement.ts";
import type { ObjectContext, ObjectSharedContext, WorkflowContext } from "./keyed-context.ts";
import { rpc } from "./rpc.ts";
import { serde, type Serde } from "./serde.ts";

/** Text in capitals on the wire. */
const shouted: Serde<string> = {
  contentType: "text/plain",
  serialize: (text) => new TextEncoder().encode(text.toUpperCase()),
  deserialize: (data) => new TextDecoder().decode(data).toLowerCase(),
};

const account = iface.object(
  "Account",
  {
    add: iface.json<number, number>({ description: "Adds", metadata: { a: "1" } }),
    read: iface.shared.json<void, number>(),
    rename: iface.serdes({ input: shouted, output: shouted }),
    touch: iface.serdes({ input: shouted }),
  },
  { description: "Accounts", metadata: { team: "x" } },
);

const accountObject = implement(account, {
  handlers: {
    add: async (_ctx: ObjectContext, amount) => amount + 1,
    read: async (_ctx: ObjectSharedContext) => 7,
    rename: async (_ctx, name) => `${name}!`,
    touch: async () => undefined,
  },
  options: { enableLazyState: true, handlers: { add: { inactivityTimeout: 5 } } },
});

const manifestOf = (definition: ServiceDefinition<string, unknown>) => {
  const { models } = new ServedServices({ services: [definition] });
  return makeManifest(models, { protocolMode: "BIDI_STREAM" }).services[0];
};

const json = { contentType: "application/json" };

describe("an implemented interface", () => {
  it("announces what the interface and the implementation say", () => {
    const plain = { required: false, ...json };
    const result = { setContentTypeIfEmpty: false, ...json };
    const text = { contentType: "text/plain" };
    assert.deepEqual(manifestOf(accountObject), {
      name: "Account",
      ty: "VIRTUAL_OBJECT",
      documentation: "Accounts",
      metadata: { team: "x" },
      enableLazyState: true,
      handlers: [
        {
          name: "add",
          ty: "EXCLUSIVE",
          input: plain,
          output: result,
          documentation: "Adds",
          metadata: { a: "1" },
          inactivityTimeout: 5,
        },
        { name: "read", ty: "SHARED", input: plain, output: result },
        {
          name: "rename",
          ty: "EXCLUSIVE",
          input: { required: false, ...text },
          output: { setContentTypeIfEmpty: false, ...text },
        },
        {
          name: "touch",
          ty: "EXCLUSIVE",
          input: { required: false, ...text },
          output: result,
        },
      ],
    });
  });

  it("says something else where the implementation does", () => {
    const made = implement(account, {
      handlers: {
        add: async () => 1,
        read: async () => 1,
        rename: async () => "",
        touch: async () => {},
      },
      description: "Other",
      metadata: {},
    });
    const { documentation, metadata } = manifestOf(made) ?? {};
    assert.deepEqual([documentation, metadata], ["Other", {}]);
  });

  it("has the kinds of a workflow: run, and shared ones", () => {
    const signup = iface.workflow("Signup", {
      run: iface.json<string, string>(),
      confirm: iface.json<string>(),
    });
    const made = implement(signup, {
      handlers: { run: async (ctx: WorkflowContext) => ctx.key, confirm: async () => {} },
    });
    const kinds = manifestOf(made)?.handlers.map(({ name, ty }) => [name, ty]);
    assert.deepEqual(kinds, [
      ["run", "WORKFLOW"],
      ["confirm", "SHARED"],
    ]);
  });

  it("is the interface as well, and its handlers are those of their object", async () => {
    const greeter = iface.service("S", { h: iface.json<void, string>() });
    const implementation = {
      greeting: "Hello",
      async h(_ctx: Context) {
        return `${this.greeting} Ada`;
      },
    };
    const served = implement(greeter, { handlers: implementation });
    const { name, _kind, _handlers } = served;
    assert.deepEqual({ name, _kind, _handlers }, greeter);
    await Exchange.replaying(served, [input()]).expectWritten(output(value('"Hello Ada"')), END);
  });

  it("refuses an implementation that leaves a handler out", () => {
    assert.throws(
      () =>
        implement(account, {
          // @ts-expect-error -- there is no touch
          handlers: { add: async () => 1, read: async () => 1, rename: async () => "" },
        }),
      /the handler Account\/touch is not implemented/,
    );
  });
});

const tested = (handler: (ctx: Context) => Promise<unknown>): Tested =>
  trust<Tested>((ctx: Context) => handler(ctx));

describe("clients of an interface", () => {
  it("use the serdes it declares, unless the call says otherwise", async () => {
    const exchange = Exchange.replaying(
      tested(async (ctx) => {
        ctx.sendClient(account, "k").rename("sent");
        ctx.sendClient(account, "k").rename("json", rpc.sendOpts({ input: serde.json }));
        return ctx.client(account, "k").rename("ada");
      }),
      [input()],
    );
    const calls = await exchange.written();
    assert.deepEqual(parametersOf(calls), ["SENT", '"json"', "ADA"]);
    exchange.feed(invocationId(1), invocationId(2), invocationId(3), called(4, value("ADA!")));
    await exchange.expectWritten(output(value('"ada!"')), END);
  });

  it("take options where there is no argument", async () => {
    const exchange = Exchange.replaying(
      tested(async (ctx) => ctx.client(account, "k").read(rpc.opts({ idempotencyKey: "i" }))),
      [input()],
    );
    const [call] = await exchange.written();
    assert.ok(call?.type === MessageType.CallCommand);
    assert.deepEqual([call.idempotencyKey, call.parameter], ["i", bytes("")]);
  });
});

interface Other {
  y(ctx: Context, amount: number): Promise<void>;
}

const parametersOf = (messages: readonly Message[]): string[] =>
  messages.map((message) =>
    "parameter" in message ? new TextDecoder().decode(message.parameter) : "",
  );

describe("a scope", () => {
  const scoped = (version: ProtocolVersion, handler: (ctx: Context) => Promise<unknown>) =>
    Exchange.replaying(tested(handler), [input()], { version });

  it("is that of every call its clients make", async () => {
    const exchange = scoped(7, async (ctx) => {
      const scope = ctx.scope("tenant-1");
      scope.sendClient(account, "k").read();
      scope.serviceSendClient<Other>({ name: "X" }).y(1, rpc.sendOpts({ limitKey: "a/b" }));
      ctx.sendClient(account, "k").read();
    });
    const written = await exchange.written();
    const scopes = written.map((each) =>
      "scope" in each ? [each.scope, each.limitKey] : undefined,
    );
    assert.deepEqual(scopes.slice(0, 3), [["tenant-1", undefined], ["tenant-1", "a/b"], undefined]);
  });

  it("is refused before V7, where it would be lost", async () => {
    const exchange = scoped(6, async (ctx) => ctx.scope("a").client(account, "k").read());
    await exchange.expectError(573, /scopes need protocol V7, and the server speaks V6/);
  });

  it("has a key of a certain form, and limit keys need one", async () => {
    for (const key of ["", "a/b", "a".repeat(37), "ä"]) {
      await scoped(7, async (ctx) => ctx.scope(key)).expectError(500, /cannot be a scope/);
    }
    const exchange = scoped(7, async (ctx) =>
      ctx.client(account, "k").read(rpc.opts({ limitKey: "a" })),
    );
    await exchange.expectError(500, /a limit key needs a scope/);
  });
});

it("the types of an interface are those of its clients and its handlers", () => {
  const use = (ctx: Context): void => {
    const sum: InvocationPromise<number> = ctx.client(account, "k").add(1);
    const renamed: InvocationPromise<string> = ctx.client(account, "k").rename("a");
    const touched: InvocationPromise<void> = ctx.client(account, "k").touch("a");
    const viaDefinition: InvocationPromise<number> = ctx.objectClient(accountObject, "k").add(1);
    // @ts-expect-error -- an object has keys
    void ctx.client(account).add(1);
    // @ts-expect-error -- it takes a number
    void ctx.client(account, "k").add("1");
    // @ts-expect-error -- it takes nothing
    ctx.sendClient(account, "k").read(1);
    // @ts-expect-error -- there is no such handler
    ctx.client(account, "k").remove();
    void [sum, renamed, touched, viaDefinition];
  };
  const refuse = (): void => {
    implement(account, {
      handlers: {
        // @ts-expect-error -- it returns a number
        add: async () => "1",
        read: async (ctx) => {
          // @ts-expect-error -- a shared handler only reads
          ctx.set("a", 1);
          return 1;
        },
        rename: async (_ctx, name) => name.trim(),
        touch: async () => {},
      },
      // @ts-expect-error -- the interface says what the input is
      options: { handlers: { add: { input: serde.json } } },
    });
  };
  assert.deepEqual([typeof use, typeof refuse], ["function", "function"]);
});
