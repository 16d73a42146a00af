/**
 * One service that uses every part a plain service has, made from whichever SDK is handed in: the official one and ours must
 * behave the same. The endpoint runs inside the test, so that a test sees how often a step was executed.
 */
import type * as Restate from "@restatedev/restate-sdk";
import type { Sdk } from "./endpoint.ts";

/** How often each step was executed, by its name. */
export type Executions = Map<string, number>;

export function kitchen(sdk: Sdk, executions: Executions) {
  const count = (name: string): number => {
    const times = (executions.get(name) ?? 0) + 1;
    executions.set(name, times);
    return times;
  };
  const self = { name: "Kitchen" } as never;
  const { TerminalError, RestatePromise } = sdk;
  type Context = Restate.Context;
  type Self = Record<string, (input: unknown) => Promise<unknown>>;
  const service = sdk.service({
    name: "Kitchen",
    handlers: {
      echo: async (_ctx: Context, input: unknown) => await Promise.resolve(input),
      steps: async (ctx: Context, name: string) => {
        const results: number[] = [];
        for (let step = 0; step < 5; step += 1) {
          results.push(await ctx.run(`${name}-${step}`, () => count(`${name}-${step}`)));
        }
        return results;
      },
      nap: async (ctx: Context, ms: number) => {
        await ctx.run("before", () => count("before"));
        await ctx.sleep(ms);
        return await ctx.run("after", () => count("after"));
      },
      wait: async (ctx: Context, name: string) => {
        const awakeable = ctx.awakeable<{ answer: number }>();
        await ctx.run("publish", () => void executions.set(`${name}:${awakeable.id}`, 1));
        const { answer } = await awakeable.promise;
        return answer * 2;
      },
      waitBriefly: async (ctx: Context) => {
        try {
          return await ctx.awakeable<string>().promise.orTimeout(200);
        } catch (error) {
          return error instanceof Error ? error.name : "?";
        }
      },
      resolves: async (ctx: Context, id: string) => {
        ctx.resolveAwakeable(id, { answer: 21 });
        return await Promise.resolve("resolved");
      },
      parent: async (ctx: Context, input: number) => {
        const client = ctx.serviceClient<Self>(self) as unknown as Self;
        const [left, right] = await RestatePromise.all([
          client["child"]?.(input) as Restate.RestatePromise<number>,
          client["child"]?.(input + 1) as Restate.RestatePromise<number>,
        ]);
        return left + right;
      },
      child: async (ctx: Context, input: number) => {
        await ctx.sleep(20);
        return input * 10;
      },
      sends: async (ctx: Context, name: string) => {
        const client = ctx.serviceSendClient<Self>(self) as unknown as Self;
        void client["steps"]?.(name);
        return await Promise.resolve("sent");
      },
      refuses: async (_ctx: Context) => {
        throw new TerminalError("no way", { errorCode: 418 });
      },
      refusesInStep: async (ctx: Context) => {
        await ctx.run("refuse", () => {
          throw new TerminalError("not in a step either", { errorCode: 409 });
        });
      },
      flaky: async (ctx: Context, name: string) =>
        await ctx.run(
          name,
          () => {
            const times = count(name);
            if (times < 3) throw new Error(`attempt ${times} fails`);
            return times;
          },
          { initialRetryInterval: 10, retryIntervalFactor: 1 },
        ),
      exhausts: async (ctx: Context, name: string) =>
        await ctx.run(
          name,
          () => {
            throw new Error(`never works (${count(name)})`);
          },
          { initialRetryInterval: 10, maxRetryAttempts: 2 },
        ),
      throwsOnce: async (_ctx: Context, name: string) => {
        if (count(name) === 1) throw new Error("the first attempt crashes");
        return await Promise.resolve("second attempt");
      },
      race: async (ctx: Context) =>
        await RestatePromise.race([
          ctx.sleep(5000).map(() => "slow"),
          ctx.sleep(30).map(() => "fast"),
        ]),
      allSettled: async (ctx: Context) => {
        const settled = await RestatePromise.allSettled([
          ctx.run("good", () => 1),
          ctx.run("bad", () => {
            throw new TerminalError("bad");
          }),
        ]);
        return settled.map((each) => each.status);
      },
      any: async (ctx: Context) =>
        await RestatePromise.any([
          ctx.run("fails", () => {
            throw new TerminalError("first fails");
          }),
          ctx.run("works", () => "second works"),
        ]),
    },
    options: { retryPolicy: { initialInterval: 50, maxAttempts: 10 } },
  });
  return service;
}
