/** The official SDK as an endpoint, over every wire and in every protocol version it speaks. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  handlers,
  object,
  type ObjectContext,
  type ObjectSharedContext,
  RestatePromise,
  service,
  TerminalError,
  workflow,
  type WorkflowContext,
  type WorkflowSharedContext,
} from "@restatedev/restate-sdk";
import { eventually, text } from "./fixtures.suite.ts";
import { RequestIdentity } from "./request-identity.ts";
import { targetOf, WIRES, type WorldOptions, World } from "./sdk-world.suite.ts";

const JSON_SERDE = {
  contentType: "application/json",
  serialize: (value: string) => text(JSON.stringify(value)),
  deserialize: (bytes: Uint8Array) => String(JSON.parse(Buffer.from(bytes).toString())),
};

/** How often a step ran, by the name it was given. */
const runsOf = new Map<string, number>();

function ran(name: string): number {
  const runs = (runsOf.get(name) ?? 0) + 1;
  runsOf.set(name, runs);
  return runs;
}

const options = {
  inactivityTimeout: 100,
  retryPolicy: { initialInterval: 20, maxInterval: 50 },
};

const greeter = service({
  name: "Greeter",
  handlers: {
    greet: async (_ctx: Context, name: string) => `Hello ${name}`,
    steps: async (ctx: Context, name: string) => {
      const first = await ctx.run("first", () => `${name}1`);
      return ctx.run("second", () => `${first}2`);
    },
    nap: async (ctx: Context) => {
      await ctx.sleep(600);
      return "slept";
    },
    relay: (ctx: Context, parameter: string) =>
      ctx.genericCall<string, string>({
        service: "Greeter",
        method: "greet",
        parameter,
        inputSerde: JSON_SERDE,
        outputSerde: JSON_SERDE,
      }),
    flaky: async (ctx: Context, name: string) =>
      ctx.run("flaky", () => {
        const runs = ran(name);
        if (runs < 3) throw new Error("not yet");
        return runs;
      }),
    refuse: async () => {
      throw new TerminalError("no such thing", { errorCode: 404 });
    },
    race: async (ctx: Context) => {
      const slow = ctx.sleep(60_000).map(() => "slow");
      const quick = ctx.sleep(300).map(() => "quick");
      return RestatePromise.race([slow, quick]);
    },
    all: async (ctx: Context) => {
      await RestatePromise.all([ctx.sleep(200), ctx.sleep(400)]);
      return "both";
    },
    wait: async (ctx: Context, name: string) => {
      const { id, promise } = ctx.awakeable<string>();
      await ctx.run("tell", () => void awakeables.set(name, id));
      return `got ${await promise}`;
    },
    wake: async (ctx: Context, name: string) => {
      ctx.resolveAwakeable(awakeables.get(name) ?? "", "woken");
    },
    endure: async (ctx: Context) => {
      try {
        await ctx.sleep(60_000);
      } catch (error) {
        return ctx.run(
          "clean",
          () => `cleaned after ${error instanceof TerminalError ? error.code : ""}`,
        );
      }
      return "never";
    },
  },
  options,
});

const awakeables = new Map<string, string>();

const counter = object({
  name: "Counter",
  handlers: {
    add: async (ctx: ObjectContext, amount: number) => {
      const sum = ((await ctx.get<number>("sum")) ?? 0) + amount;
      ctx.set("sum", sum);
      return sum;
    },
    get: handlers.object.shared(async (ctx: ObjectSharedContext) => [
      ctx.key,
      await ctx.get<number>("sum"),
      await ctx.stateKeys(),
    ]),
    lazily: handlers.object.exclusive(
      { enableLazyState: true },
      async (ctx: ObjectContext, amount: number) => {
        const sum = ((await ctx.get<number>("sum")) ?? 0) + amount;
        ctx.set("sum", sum);
        return [sum, await ctx.get<number>("none"), await ctx.stateKeys()];
      },
    ),
  },
  options,
});

const flow = workflow({
  name: "Flow",
  handlers: {
    run: async (ctx: WorkflowContext, name: string) => {
      ctx.set("name", name);
      const answer = await ctx.promise<string>("answer");
      return `${name}: ${answer}`;
    },
    answer: async (ctx: WorkflowSharedContext, answer: string) => {
      await ctx.promise<string>("answer").resolve(answer);
      return ctx.get<string>("name");
    },
  },
  options,
});

const services = [greeter, counter, flow];

for (const wire of WIRES) {
  for (const version of [5, 6, 7] as const) {
    const start = (over: Partial<WorldOptions> = {}) =>
      World.start({ services, wire, version, ...over });
    const isStreaming = wire.protocolMode === "BIDI_STREAM";

    describe(`the official SDK over ${wire.what}, in V${version}`, () => {
      it("is discovered", async () => {
        await using world = await start();
        const { deployment } = world;
        assert.equal(deployment?.protocolMode, wire.protocolMode);
        assert.equal(deployment.httpVersion, wire.httpVersion);
        assert.equal(deployment.sdkVersion, "restate-sdk-typescript/1.17.2");
        assert.deepEqual([deployment.minProtocolVersion, deployment.maxProtocolVersion], [5, 7]);
        assert.deepEqual(
          deployment.services.map(({ name, ty }) => [name, ty]),
          [
            ["Greeter", "SERVICE"],
            ["Counter", "VIRTUAL_OBJECT"],
            ["Flow", "WORKFLOW"],
          ],
        );
      });

      it("echoes, many at once, and gives everything back", async () => {
        await using world = await start();
        const names = Array.from({ length: 50 }, (_, index) => `n${index}`);
        const answers = await Promise.all(names.map((name) => world.call("Greeter/greet", name)));
        assert.deepEqual(
          answers,
          names.map((name) => `Hello ${name}`),
        );
        await eventually(() => world.attempts.inFlight === 0, "the attempts to end");
      });

      it("runs steps in the version agreed on", async () => {
        await using world = await start();
        const { id, result } = await world.begin(targetOf("Greeter/steps"), "x");
        assert.equal(await result, "x12");
        assert.equal(world.invocation(id).pin?.protocolVersion, version);
        assert.deepEqual(world.journal(id), [
          "InputCommand",
          "RunCommand",
          "RunCompletion",
          "RunCommand",
          "RunCompletion",
          "OutputCommand",
        ]);
      });

      it("suspends while it sleeps, and goes on", async () => {
        await using world = await start();
        const { id, result } = await world.begin(targetOf("Greeter/nap"));
        await world.becomes(id, "suspended");
        await eventually(() => world.attempts.inFlight === 0, "the end of the attempt");
        assert.equal(await result, "slept");
      });

      it("is woken by the branch that wins, and only when a tree is decided", async () => {
        await using world = await start();
        const raced = await world.begin(targetOf("Greeter/race"));
        const joined = await world.begin(targetOf("Greeter/all"));
        await world.becomes(joined.id, "suspended");
        const { epoch } = world.invocation(joined.id);
        assert.equal(await joined.result, "both");
        // One suspension in V7, which knows that both are needed; one for each before.
        const rises = world.invocation(joined.id).epoch - epoch;
        if (version === 7) assert.equal(rises, 1);
        else assert(rises >= 2, `${rises} rises`);
        assert.equal(await raced.result, "quick");
      });

      it("calls another handler", async () => {
        await using world = await start();
        assert.equal(await world.call("Greeter/relay", "there"), "Hello there");
      });

      it("retries a failing step and keeps its result", async () => {
        await using world = await start();
        const name = `flaky, ${wire.what}, ${version}`;
        assert.equal(await world.call("Greeter/flaky", name), 3);
        assert.equal(runsOf.get(name), 3);
      });

      it("passes a terminal failure on", async () => {
        await using world = await start();
        assert.deepEqual(await world.call("Greeter/refuse"), {
          code: 404,
          message: "no such thing",
        });
      });

      it("keeps the state of objects, told eagerly or asked for", async () => {
        await using world = await start();
        const sums = [1, 2, 3, 4].map((amount) => world.call("Counter/k/add", amount));
        assert.deepEqual(await Promise.all(sums), [1, 3, 6, 10]);
        assert.deepEqual(await world.call("Counter/k/get"), ["k", 10, ["sum"]]);
        assert.deepEqual(await world.call("Counter/other/get"), ["other", null, []]);
        const { id, result } = await world.begin(targetOf("Counter/k/lazily"), 5);
        assert.deepEqual(await result, [15, null, ["sum"]]);
        const types = world.journal(id);
        assert.equal(types.filter((type) => type === "GetLazyStateCompletion").length, 2);
        assert.equal(types.filter((type) => type === "GetLazyStateKeysCompletion").length, 1);
        assert.deepEqual(await world.call("Counter/k/get"), ["k", 15, ["sum"]]);
      });

      it("runs a workflow that waits for a promise", async () => {
        await using world = await start();
        const { id, result } = await world.begin(targetOf("Flow/w/run"), "flow");
        await world.becomes(id, "suspended");
        assert.equal(await world.call("Flow/w/answer", "42"), "flow");
        assert.equal(await result, "flow: 42");
      });

      it("waits for an awakeable, and is cancelled", async () => {
        await using world = await start();
        const name = `awakeable, ${wire.what}, ${version}`;
        const waiting = await world.begin(targetOf("Greeter/wait"), name);
        await eventually(() => awakeables.has(name), "the awakeable");
        await world.call("Greeter/wake", name);
        assert.equal(await waiting.result, "got woken");

        const enduring = await world.begin(targetOf("Greeter/endure"));
        await world.becomes(enduring.id, "suspended");
        const { id } = enduring;
        await world.ask((replyTo) => ({ type: "cancel", id, replyTo }));
        assert.equal(await enduring.result, "cleaned after 409");
      });

      it("is paused and goes on", async () => {
        await using world = await start();
        const { id, result } = await world.begin(targetOf("Greeter/nap"));
        if (isStreaming) await eventually(() => world.journal(id).length === 2, "the sleep");
        await world.ask((replyTo) => ({ type: "pause", id, replyTo }));
        await world.becomes(id, "paused");
        await sleep(700);
        assert.equal(world.invocation(id).state.status, "paused");
        const deployment = "keep";
        await world.ask((replyTo) => ({ type: "resume", id, deployment, replyTo }));
        assert.equal(await result, "slept");
      });
    });
  }
}

describe("an endpoint that cannot be reached for a while", () => {
  for (const wire of WIRES) {
    it(`gets all that waited for it over ${wire.what}, and is left alone meanwhile`, async () => {
      const gate = { isOpen: true };
      await using world = await World.start({ services, wire, version: 7, gate });
      gate.isOpen = false;
      world.cutConnections();
      const names = Array.from({ length: 40 }, (_, index) => `n${index}`);
      const callings = await Promise.all(
        names.map((name) => world.begin(targetOf("Greeter/greet"), name)),
      );
      await eventually(() => world.attempts.waiting >= 39, "the attempts to be held");
      const epochs = () => callings.map(({ id }) => world.invocation(id).epoch);
      const before = epochs().reduce((sum, epoch) => sum + epoch, 0);
      await sleep(600);
      const tries = epochs().reduce((sum, epoch) => sum + epoch, 0) - before;
      // At 0.1, 0.3 and 0.7 s; each alone would have tried a dozen times.
      assert(tries <= 8, `${tries} tries`);
      gate.isOpen = true;
      assert.deepEqual(
        await Promise.all(callings.map(({ result }) => result)),
        names.map((name) => `Hello ${name}`),
      );
      assert.equal(world.attempts.waiting, 0);
    });
  }
});

describe("an endpoint of the official SDK that wants signed requests", () => {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const identity = RequestIdentity.fromPem(pem);
  const identityKeys = [identity.publicKey];

  for (const wire of WIRES) {
    it(`accepts ours over ${wire.what}`, async () => {
      await using world = await World.start({ services, wire, version: 6, identity, identityKeys });
      assert.equal(await world.call("Greeter/greet", "you"), "Hello you");
      assert.equal(await world.call("Counter/a bé/add", 1), 1);
    });
  }

  it("is not discovered without, or with another key", async () => {
    const [wire] = WIRES;
    assert(wire !== undefined);
    const other = generateKeyPairSync("ed25519").privateKey.export({
      type: "pkcs8",
      format: "pem",
    });
    for (const wrong of [null, RequestIdentity.fromPem(other.toString())]) {
      await assert.rejects(
        World.start({ services, wire, version: 6, identity: wrong, identityKeys }),
        /401/,
      );
    }
  });
});
