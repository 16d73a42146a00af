/** Messages and published events between real processes, for handlers of our SDK and of the official one. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import * as holdfast from "@holdfast/sdk";
import { connect, type Ingress } from "@holdfast/sdk/client";
import type { Context as OfficialContext } from "@restatedev/restate-sdk";
import { type Endpoint, loadSdk, serve } from "./endpoint.ts";
import { register, type RunningServer, startServer, temporaryDirectory } from "./harness.ts";

const NOBODY = "inv_10000000000000000000000000000000000";

interface Chat {
  talk(ctx: unknown, count: number): Promise<string[]>;
  tell(ctx: unknown, to: { id: string; text: string }): Promise<void>;
}

const chat = holdfast.service({
  name: "Chat",
  handlers: {
    talk: async (ctx: holdfast.Context, count: number) => {
      const heard: string[] = [];
      while (heard.length < count) {
        heard.push(await ctx.recv<string>("words"));
        ctx.setEvent("heard", heard.length);
      }
      return heard;
    },
    tell: async (ctx: holdfast.Context, { id, text }: { id: string; text: string }) => {
      ctx.send(holdfast.InvocationIdParser.fromString(id), "words", text);
    },
    impatient: async (ctx: holdfast.Context) => {
      try {
        return await ctx.recv<string>("words", { timeout: { milliseconds: 50 } });
      } catch (error) {
        if (error instanceof holdfast.TimeoutError) return "nothing";
        throw error;
      }
    },
  },
});

describe("messages and published events", () => {
  const directory = temporaryDirectory();
  const endpoints: Endpoint[] = [];
  let server: RunningServer;
  let ingress: Ingress;

  before(async () => {
    server = await startServer(`${directory.path}/data`);
    ingress = connect({ url: server.ingress });
    const official = await loadSdk("restate");
    const foreign = official.service({
      name: "Foreign",
      handlers: {
        talk: async (ctx: OfficialContext, count: number) => {
          const heard: string[] = [];
          const self = ctx.invocation(ctx.request().id);
          while (heard.length < count) {
            heard.push(await ctx.signal<string>(`hf.msg/words/${heard.length}`));
            self.signal("hf.event/heard").resolve(heard.length);
          }
          return heard;
        },
        tell: async (ctx: OfficialContext, { id, text }: { id: string; text: string }) => {
          ctx
            .invocation(id as never)
            .signal("hf.msg/words")
            .resolve(text);
        },
      },
    });
    endpoints.push(await serve(official, [foreign], "h2"));
    endpoints.push(await serve(await loadSdk("holdfast"), [chat], "h2"));
    for (const { url } of endpoints) await register(server.admin, url);
  });

  after(async () => {
    await server.process.stop();
    for (const endpoint of endpoints) await endpoint.close();
    directory.remove();
  });

  for (const name of ["Chat", "Foreign"]) {
    it(`reach a handler in order, from clients and handlers, over a crash (${name})`, async () => {
      const talk = ingress.serviceSendClient<Chat>({ name });
      const { invocationId: id } = await talk.talk(4);
      await ingress.send(id, "words", "one");
      const first = await ingress.getEvent<number>(id, "heard", { wait: { seconds: 30 } });
      assert.equal(first?.value, 1);
      await ingress.serviceClient<Chat>({ name }).tell({ id, text: "two" });
      const opts = { idempotencyKey: "k" };
      assert.deepEqual(await ingress.send(id, "words", "three", opts), { status: "Accepted" });
      await server.process.kill();
      await server.process.start();
      const again = await ingress.send(id, "words", "three", opts);
      assert.deepEqual(again, { status: "PreviouslyAccepted" });
      const later = async (known: number): Promise<number> => {
        const wait = { seconds: 30 };
        const event = await ingress.getEvent<number>(id, "heard", { wait, after: known });
        return event?.value === 3 ? event.value : later(event?.version ?? known);
      };
      assert.equal(await later(first.version), 3);
      await ingress.send(id, "words", "four");
      const heard = await ingress.result<string[]>({ invocationId: id } as never);
      assert.deepEqual(heard, ["one", "two", "three", "four"]);
    });
  }

  it("do not keep a handler that has no more time", async () => {
    const client = ingress.serviceClient<{ impatient(ctx: unknown): Promise<string> }>({
      name: "Chat",
    });
    assert.equal(await client.impatient(), "nothing");
  });

  it("are refused for invocations that do not exist", async () => {
    await assert.rejects(ingress.send(NOBODY, "words", "x"), { name: "HttpCallError" });
  });
});
