/** The typed clients of a context, and what else a handler is given: chance, time, and the request. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type * as Restate from "@restatedev/restate-sdk";
import { loadSdk, type Sdk, serve, VARIANTS } from "../endpoint.ts";
import { at, eventually, Lab } from "./lab.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

type Counter = Readonly<{
  add: (ctx: Restate.ObjectContext, by: number) => Promise<number>;
  read: (ctx: Restate.ObjectSharedContext) => Promise<number>;
}>;
type Approval = Readonly<{
  run: (ctx: Restate.WorkflowContext, subject: string) => Promise<string>;
  approve: (ctx: Restate.WorkflowSharedContext, by: string) => Promise<void>;
}>;
type Echo = Readonly<{
  echo: (ctx: Restate.Context, text: string) => Promise<{ text: string; header: string | null }>;
}>;

function servicesOf(sdk: Sdk, tag: string): unknown[] {
  const counter = { name: `${tag}Counter` };
  const approval = { name: `${tag}Approval` };
  const echo = { name: `${tag}Echo` };
  return [
    sdk.service({
      ...echo,
      handlers: {
        echo: async (ctx: Restate.Context, text: string) => {
          const header = ctx.request().headers.get("x-from") ?? null;
          return await Promise.resolve({ text, header });
        },
      },
    }),
    sdk.object({
      ...counter,
      handlers: {
        add: async (ctx: Restate.ObjectContext, by: number) => {
          const count = ((await ctx.get<number>("count")) ?? 0) + by;
          ctx.set("count", count);
          return count;
        },
        read: sdk.handlers.object.shared(
          async (ctx: Restate.ObjectSharedContext) => (await ctx.get<number>("count")) ?? 0,
        ),
      },
    }),
    sdk.workflow({
      ...approval,
      handlers: {
        run: async (ctx: Restate.WorkflowContext, subject: string) =>
          `${subject} for ${ctx.key} by ${await ctx.promise<string>("approved")}`,
        approve: async (ctx: Restate.WorkflowSharedContext, by: string) => {
          await ctx.promise<string>("approved").resolve(by);
        },
      },
    }),
    sdk.service({
      name: `${tag}Caller`,
      handlers: {
        objects: async (ctx: Restate.Context, key: string) => {
          const client = ctx.objectClient<Counter>(counter, key);
          const first = await client.add(2);
          ctx.objectSendClient<Counter>(counter, key).add(3);
          const later = ctx.objectSendClient<Counter>(counter, key);
          later.add(10, sdk.rpc.sendOpts({ delay: { milliseconds: 20 } }));
          return [first, await client.read()];
        },
        workflows: async (ctx: Restate.Context, key: string) => {
          const submitted = ctx.workflowSendClient<Approval>(approval, key).run("leave");
          const id = await submitted.invocationId;
          await ctx.workflowClient<Approval>(approval, key).approve("Ada");
          return await ctx.attach<string>(id);
        },
        services: async (ctx: Restate.Context) => {
          const opts = sdk.rpc.opts<string, { text: string; header: string | null }>({
            headers: { "x-from": "caller" },
            idempotencyKey: "once",
          });
          const call = ctx.serviceClient<Echo>(echo).echo("hello", opts);
          return [await call, (await call.invocationId).startsWith("inv_1")];
        },
        given: async (ctx: Restate.Context) => {
          const first = [ctx.rand.random(), ctx.rand.uuidv4(), await ctx.date.now()];
          await ctx.sleep(30);
          const { target, id } = ctx.request();
          return {
            first,
            second: ctx.rand.random(),
            target: `${target.service}/${target.handler}`,
            id,
          };
        },
      },
    }),
  ];
}

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`typed clients (${title})`, { concurrency: true }, () => {
    const caller = `/${tag}Caller`;
    const ask = async (handler: string, body: unknown) => {
      const headers = { "content-type": "application/json" };
      const request = { headers, body: JSON.stringify(body) };
      const answer = await lab.ask(`${caller}/${handler}`, request);
      assert.equal(answer.status, 200, answer.text);
      return answer;
    };
    before(async () => {
      const sdk = await loadSdk(sdkName);
      await lab.register(await serve(sdk, servicesOf(sdk, tag), transport));
    });

    it("call objects, and send to them now and later", async () => {
      const [first, read] = (await ask("objects", "k")).json as [number, number];
      assert.equal(first, 2);
      assert(read >= 2);
      await eventually(async () => {
        const answer = await lab.ask(`/${tag}Counter/k/read`);
        assert.equal(answer.json, 15);
      });
    });

    it("start workflows, talk to them, and attach", async () => {
      assert.equal((await ask("workflows", "Bob")).json, "leave for Bob by Ada");
    });

    it("call services with headers and an idempotency key", async () => {
      const expected = [{ text: "hello", header: "caller" }, true];
      assert.deepEqual((await ask("services", null)).json, expected);
    });

    it("give the same chance and time to every attempt", async () => {
      const answer = await ask("given", null);
      const [random, uuid, nowMs] = at(answer.json, "first") as [number, string, number];
      assert(random >= 0 && random < 1);
      assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert(Math.abs(nowMs - Date.now()) < 60_000);
      assert.notEqual(at(answer.json, "second"), random);
      assert.equal(at(answer.json, "target"), `${tag}Caller/given`);
      assert.equal(at(answer.json, "id"), answer.headers.get("x-restate-id"));
    });
  });
}
