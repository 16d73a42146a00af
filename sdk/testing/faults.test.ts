import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import { service } from "../define/service.ts";
import { TestEnvironment } from "./test-environment.ts";

/** Says which steps were executed, in order. */
function trip() {
  const executed: string[] = [];
  const step = (name: string) => () => {
    executed.push(name);
    return name;
  };
  const definition = service({
    name: "Trip",
    handlers: {
      book: async (ctx: Context) => {
        const flight = await ctx.run("flight", step("flight"));
        const hotel = await ctx.run("hotel", step("hotel"));
        return `${flight} and ${hotel}`;
      },
      together: async (ctx: Context) => {
        const [flight, hotel] = [
          ctx.run("flight", step("flight")),
          ctx.run("hotel", step("hotel")),
        ];
        return `${await flight} and ${await hotel}`;
      },
      saga: async (ctx: Context) =>
        await ctx.saga(async (saga) => {
          await saga.run("flight", step("flight"), { undo: step("undo flight") });
          await saga.run("hotel", step("hotel"), { undo: step("undo hotel") });
        }),
    },
  });
  return { executed, definition };
}

for (const alwaysReplay of [false, true]) {
  describe(`faults${alwaysReplay ? " where every await replays" : ""}`, () => {
    const begin = async () => {
      const { executed, definition } = trip();
      const services = [definition];
      const env = await TestEnvironment.start({ services, alwaysReplay, logger: () => {} });
      return { executed, env, trip: definition };
    };

    it("fail a step once, before its action, and it is tried again", async () => {
      const { env, executed, trip: definition } = await begin();
      env.failOnce("hotel");
      const sent = await env.sendClient(definition).book();
      await env.settled();
      const { status, lastFailure } = env.invocation(sent);
      assert.equal(status, "backing-off");
      assert.match(lastFailure?.message ?? "", /injected by failOnce\("hotel"\)/);
      assert.equal(await env.ingress.result(sent), "flight and hotel");
      assert.deepEqual(executed, ["flight", "hotel"]);
      await env.close();
    });

    it("fail a step several times, in the handler that is meant", async () => {
      const { env, executed, trip: definition } = await begin();
      env.failTimes("flight", 3, { handler: "together" });
      assert.equal(await env.client(definition).book(), "flight and hotel");
      const before = env.invocations()[0]?.attempts ?? 0;
      assert.equal(await env.client(definition).together(), "flight and hotel");
      assert.ok((env.invocations()[1]?.attempts ?? 0) >= before + (alwaysReplay ? 2 : 3));
      assert.equal(executed.filter((name) => name === "flight").length, 2);
      await env.close();
    });

    it("let a step fail for good, so that what was done is undone", async () => {
      const { env, executed, trip: definition } = await begin();
      env.failOnce("hotel", { error: new TerminalError("full", { errorCode: 409 }) });
      await assert.rejects(Promise.resolve(env.client(definition).saga()), { status: 409 });
      assert.deepEqual(executed, ["flight", "undo hotel", "undo flight"]);
      await env.close();
    });

    it("cut an attempt after a step was recorded, which is not executed again", async () => {
      const { env, executed, trip: definition } = await begin();
      env.crashAfter("flight");
      const sent = await env.sendClient(definition).book();
      await env.settled();
      const { status, lastFailure } = env.invocation(sent);
      assert.deepEqual([status, executed], ["backing-off", ["flight"]]);
      assert.match(lastFailure?.message ?? "", /crashAfter\("flight"\)/);
      assert.equal(env.journal(sent).at(-1)?.type, "RunCompletion");
      assert.equal(await env.ingress.result(sent), "flight and hotel");
      assert.deepEqual(executed, ["flight", "hotel"]);
      await env.close();
    });

    it("cut an attempt after the step of a number", async () => {
      const { env, executed, trip: definition } = await begin();
      env.crashAfter(2);
      const sent = await env.sendClient(definition).book();
      await env.settled();
      assert.equal(env.invocation(sent).status, "backing-off");
      assert.equal(await env.ingress.result(sent), "flight and hotel");
      assert.deepEqual(executed, ["flight", "hotel"]);
      await env.close();
    });

    it("cut an attempt before a step is recorded, which is executed again", async () => {
      const { env, executed, trip: definition } = await begin();
      env.crashDuring("flight");
      assert.equal(await env.client(definition).book(), "flight and hotel");
      assert.deepEqual(executed, ["flight", "flight", "hotel"]);
      await env.close();
    });

    it("that never happened are told of when the environment is closed", async () => {
      const { env, trip: definition } = await begin();
      env.failOnce("hotle");
      assert.equal(await env.client(definition).book(), "flight and hotel");
      await assert.rejects(env.close(), /failOnce\("hotle"\) never happened/);
    });
  });
}

describe("a handler that does something else in every attempt", () => {
  let calls = 0;
  const random = service({
    name: "Random",
    handlers: {
      run: async (ctx: Context) => {
        calls += 1;
        await ctx.run(`step ${calls}`, () => {});
        await ctx.sleep(10);
      },
    },
  });

  it("is found where every await replays, and not otherwise", async () => {
    await using lucky = await TestEnvironment.start({ services: [random] });
    await lucky.client(random).run();
    const options = { services: [random], alwaysReplay: true, logger: () => {} };
    await using env = await TestEnvironment.start(options);
    await assert.rejects(Promise.resolve(env.client(random).run()), (error: Error) => {
      assert.match(error.message, /journal mismatch at entry 1 .*Run \\"step 2\\"/);
      return true;
    });
    assert.equal(env.invocations()[0]?.failure?.code, 570);
  });
});
