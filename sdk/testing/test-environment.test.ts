import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import { handlers } from "../define/handlers.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  WorkflowContext,
  WorkflowSharedContext,
} from "../define/keyed-context.ts";
import { object, service, workflow } from "../define/service.ts";
import { rpc } from "../ingress-client/api.ts";
import { StuckError } from "./stuck-error.ts";
import { TestEnvironment } from "./test-environment.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

const mailed: string[] = [];

const shipping = service({
  name: "Shipping",
  handlers: {
    dispatch: async (ctx: Context, item: string) => {
      await ctx.sleep({ days: 1 });
      return `parcel of ${item}`;
    },
  },
  options: { ingressPrivate: true },
});

const shop = service({
  name: "Shop",
  handlers: {
    greet: async (ctx: Context, name: string) => await ctx.run("compose", () => `Hello ${name}`),
    order: async (ctx: Context, item: string) => await ctx.serviceClient(shipping).dispatch(item),
    refuse: async () => {
      throw new TerminalError("out of stock", { errorCode: 409 });
    },
    approve: async (ctx: Context) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("mail", () => void mailed.push(id));
      return await promise.orTimeout({ days: 7 });
    },
    today: async (ctx: Context) => await ctx.date.now(),
  },
});

interface Basket {
  items: string[];
}

const basket = object({
  name: "Basket",
  handlers: {
    add: async (ctx: ObjectContext<Basket>, item: string) => {
      const items = [...((await ctx.get("items")) ?? []), item];
      ctx.set("items", items);
      return items.length;
    },
    hold: async (ctx: ObjectContext<Basket>) => await ctx.sleep({ hours: 1 }),
    list: handlers.object.shared(
      async (ctx: ObjectSharedContext<Basket>) => await ctx.get("items"),
    ),
  },
});

const signup = workflow({
  name: "Signup",
  handlers: {
    run: async (ctx: WorkflowContext, email: string) => {
      const code = await ctx.promise<string>("confirmed").get().orTimeout({ days: 3 });
      return { email, code };
    },
    confirm: async (ctx: WorkflowSharedContext, code: string) => {
      await ctx.promise<string>("confirmed").resolve(code);
    },
  },
});

const services = [shipping, shop, basket, signup];
const quiet = { services, logger: () => {} };

for (const alwaysReplay of [false, true]) {
  describe(`a test environment${alwaysReplay ? " that always replays" : ""}`, () => {
    const start = () => TestEnvironment.start({ ...quiet, alwaysReplay });

    it("calls handlers, which call each other, private ones too", async () => {
      await using env = await start();
      assert.equal(await env.client(shop).greet("Ada"), "Hello Ada");
      assert.equal(await env.client(shop).order("book"), "parcel of book");
      assert.equal(await env.client(shipping).dispatch("pen"), "parcel of pen");
    });

    it("lets days of sleep take no time, and moves its clock by them", async () => {
      await using env = await start();
      const before = env.clock.nowMs();
      const startedMs = performance.now();
      await env.client(shop).order("book");
      assert.ok(performance.now() - startedMs < 2000);
      const passedMs = env.clock.nowMs() - before;
      assert.ok(passedMs >= DAY_MS && passedMs < DAY_MS + 60_000, `${passedMs}`);
      assert.equal(await env.client(shop).today(), env.clock.nowMs());
    });

    it("rejects as the client does when a handler fails for good", async () => {
      await using env = await start();
      await assert.rejects(Promise.resolve(env.client(shop).refuse()), { status: 409 });
    });

    it("keeps the state of keys, which a test reads and writes", async () => {
      await using env = await start();
      const ada = env.client(basket, "ada");
      const state = env.stateOf<{ items: string[] }>(basket, "ada");
      assert.equal(await ada.add("book"), 1);
      assert.deepEqual(await state.getAll(), { items: ["book"] });
      await state.set("items", ["pen", "ink"]);
      assert.deepEqual(await state.get("items"), ["pen", "ink"]);
      assert.equal(await ada.add("cup"), 3);
      assert.deepEqual(await ada.list(), ["pen", "ink", "cup"]);
      await state.setAll({});
      assert.deepEqual([await state.get("items"), await ada.list()], [undefined, null]);
      assert.equal(await env.client(basket, "bob").add("book"), 1);
    });

    it("completes awakeables, before time has moved", async () => {
      await using env = await start();
      mailed.length = 0;
      const sent = await env.sendClient(shop).approve();
      await env.settled();
      assert.equal(mailed.length, 1);
      assert.match(env.why(sent), /^Shop\/approve .*waits/);
      await env.ingress.resolveAwakeable(mailed[0] ?? "", "yes");
      assert.equal(await env.ingress.result(sent), "yes");
      assert.ok(env.clock.nowMs() < Date.UTC(2026, 0, 2));
    });

    it("lets time limits elapse when nobody completes what they are for", async () => {
      await using env = await start();
      const sent = await env.sendClient(shop).approve();
      await env.clock.advance({ days: 6 });
      assert.notEqual(env.invocation(sent).status, "completed");
      await env.clock.advance({ days: 1 });
      const { status, failure } = env.invocation(sent);
      assert.deepEqual([status, failure?.code], ["completed", 408]);
    });

    it("runs workflows", async () => {
      await using env = await start();
      const ada = env.workflowClient(signup, "ada");
      const { status } = await ada.workflowSubmit("ada@example.org");
      assert.equal(status, "Accepted");
      assert.equal((await ada.workflowOutput()).ready, false);
      await ada.confirm("123");
      const expected = { email: "ada@example.org", code: "123" };
      assert.deepEqual(await ada.workflowAttach(), expected);
      assert.deepEqual(await ada.workflowOutput(), { ready: true, result: expected });
    });

    it("starts delayed invocations when their time has come", async () => {
      await using env = await start();
      const sent = await env.sendClient(shop).greet("Ada", rpc.sendOpts({ delay: { hours: 2 } }));
      await env.clock.advance({ hours: 1 });
      assert.equal(env.invocation(sent).status, "scheduled");
      assert.deepEqual(env.journal(sent).length, 1);
      await env.clock.advance({ hours: 1 });
      assert.equal(env.invocation(sent).value, "Hello Ada");
    });

    it("shows journals and invocations", async () => {
      await using env = await start();
      const sent = await env.sendClient(shop).greet("Ada");
      assert.equal(await env.ingress.result(sent), "Hello Ada");
      assert.deepEqual(env.journal(sent), [
        { index: 0, kind: "command", type: "InputCommand", value: "Ada" },
        { index: 1, kind: "command", type: "RunCommand", name: "compose", completionId: 1 },
        {
          index: 2,
          kind: "notification",
          type: "RunCompletion",
          completionId: 1,
          value: "Hello Ada",
        },
        { index: 3, kind: "command", type: "OutputCommand", value: "Hello Ada" },
      ]);
      assert.deepEqual(env.invocations(), [
        {
          id: sent.invocationId,
          target: "Shop/greet",
          status: "completed",
          attempts: alwaysReplay ? 2 : 1,
          value: "Hello Ada",
        },
      ]);
    });

    it("cancels and kills", async () => {
      await using env = await start();
      const [first, second] = [
        await env.sendClient(shop).approve(),
        await env.sendClient(shop).approve(),
      ];
      await env.cancel(first);
      await env.kill(second);
      await env.settled();
      assert.deepEqual(
        [env.invocation(first).failure?.code, env.invocation(second).failure?.code],
        [409, 409],
      );
      await assert.rejects(env.kill(second), /it is completed/);
    });

    it("has the same history each time", async () => {
      const run = async () => {
        await using env = await start();
        await env.client(shop).order("book");
        await env.client(basket, "ada").add("book");
        return env.invocations().map(({ id }) => env.exportJournal(id));
      };
      assert.deepEqual(await run(), await run());
    });
  });
}

describe("a test environment", () => {
  it("leaves time alone when it is told to", async () => {
    await using env = await TestEnvironment.start({ ...quiet, time: "manual" });
    let result: string | undefined;
    const done = Promise.resolve(env.client(shop).order("book")).then((value) => (result = value));
    await env.clock.advance({ hours: 23 });
    assert.equal(result, undefined);
    await env.clock.advance({ hours: 1 });
    await done;
    assert.equal(result, "parcel of book");
  });

  it("begins at the time it is given", async () => {
    const startAt = new Date("2031-05-06T07:08:09Z");
    await using env = await TestEnvironment.start({ ...quiet, startAt });
    assert.equal(await env.client(shop).today(), startAt.getTime());
  });

  it("waits for what really takes time, without moving its own", async () => {
    const slow = service({
      name: "Slow",
      handlers: {
        race: async (ctx: Context) => {
          const step = ctx.run("work", async () => {
            await new Promise((resolve) => setTimeout(resolve, 30));
            return "done";
          });
          return await step.orTimeout({ days: 1 });
        },
      },
    });
    await using env = await TestEnvironment.start({ services: [slow] });
    const before = env.clock.nowMs();
    assert.equal(await env.client(slow).race(), "done");
    assert.ok(env.clock.nowMs() - before < DAY_MS);
  });

  it("says what a request waits for that will never be answered", async () => {
    await using env = await TestEnvironment.start({ ...quiet, stuckAfterMs: 20 });
    const hang = service({
      name: "Hang",
      handlers: { wait: async (ctx: Context) => await ctx.awakeable<string>().promise },
    });
    await using other = await TestEnvironment.start({ services: [hang], stuckAfterMs: 20 });
    await assert.rejects(
      Promise.resolve(other.client(hang).wait()),
      (error) => error instanceof StuckError && /Hang\/wait .*awakeable/.test(error.message),
    );
    assert.equal(await env.client(shop).greet("Ada"), "Hello Ada");
  });

  it("tells of a key that is missing, and of one too many", async () => {
    await using env = await TestEnvironment.start(quiet);
    assert.throws(() => env.client(basket), /"Basket" is an object: it needs a key/);
    assert.throws(() => env.client(shop, "ada"), /"Shop" is a plain service: it takes no key/);
    assert.throws(() => env.client({ name: "Other" }), /does not serve "Other"/);
  });

  it("ends requests that wait when it is closed", async () => {
    const env = await TestEnvironment.start({ ...quiet, time: "manual" });
    const waiting = assert.rejects(Promise.resolve(env.client(shop).order("book")), /is closed/);
    await env.settled();
    await env.close();
    await waiting;
  });

  it("infers the types of handlers", async () => {
    await using env = await TestEnvironment.start(quiet);
    const greeting: string = await env.client(shop).greet("Ada");
    assert.equal(greeting, "Hello Ada");
    // @ts-expect-error -- a name is a string
    await env.client(shop).greet(1);
    // @ts-expect-error -- there is no such handler
    const nothing = Promise.resolve(env.client(shop).nothing());
    await assert.rejects(nothing, { status: 404 });
  });
});
