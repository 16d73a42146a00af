/** The official SDK as an endpoint, driven by the real processor and machine over a store in memory. */
import assert from "node:assert/strict";
import { createServer as createHttp1Server, type Server as HttpServer } from "node:http";
import { createServer as createHttp2Server, type Http2Server } from "node:http2";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type Context,
  createEndpointHandler,
  service,
  TerminalError,
} from "@restatedev/restate-sdk";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { ArmTimer, Finished } from "../machine/effect.ts";
import type { Deployment } from "../machine/registry.ts";
import { Processor } from "../processor/processor.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { Attempts } from "./attempts.ts";
import { deploymentFrom, discover } from "./discover.ts";
import { Listening } from "./endpoints.suite.ts";
import { HttpTransport } from "./http-transport.ts";
import { eventually, invocationId, text } from "./fixtures.suite.ts";

// The SDK needs it; Node 20 does not have it.
if (!("withResolvers" in Promise)) {
  Object.defineProperty(Promise, "withResolvers", {
    value: () => {
      let resolve: (value: unknown) => void = () => {};
      let reject: (error: unknown) => void = () => {};
      const promise = new Promise((onResolve, onReject) => {
        resolve = onResolve;
        reject = onReject;
      });
      return { promise, resolve, reject };
    },
  });
}

const JSON_SERDE = {
  contentType: "application/json",
  serialize: (value: string) => text(JSON.stringify(value)),
  deserialize: (bytes: Uint8Array) => String(JSON.parse(Buffer.from(bytes).toString())),
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
      await ctx.sleep(1000);
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
        const runs = (runsOf.get(name) ?? 0) + 1;
        runsOf.set(name, runs);
        if (runs < 3) throw new Error("not yet");
        return runs;
      }),
    refuse: async () => {
      throw new TerminalError("no such thing", { errorCode: 404 });
    },
  },
  options: { inactivityTimeout: 100, retryPolicy: { initialInterval: 20, maxInterval: 50 } },
});

/** How often the step of `flaky` ran, by its argument. */
const runsOf = new Map<string, number>();

/** A server with everything but the outer shells. */
class World implements AsyncDisposable {
  readonly #endpoint: Listening;
  readonly #processor: Processor;
  readonly #attempts: Attempts;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly defects: unknown[] = [];
  #nextId = 1;

  private constructor(endpoint: Listening) {
    this.#endpoint = endpoint;
    this.#processor = new Processor({
      store: new MemoryStore(),
      clock: systemClock,
      onFatal: (error) => this.defects.push(error),
      onDefect: (error) => this.defects.push(error),
    });
    this.#attempts = new Attempts({
      door: this.#processor,
      transport: new HttpTransport(),
      clock: systemClock,
      log: silentLog,
    });
    this.#processor.connect({
      attempts: this.#attempts,
      timers: { arm: (effect) => this.#arm(effect) },
      waiters: { finished: (effect) => this.#finished(effect) },
    });
  }

  static async start(server: HttpServer | Http2Server, useHttp11: boolean): Promise<World> {
    const world = new World(await Listening.on(server));
    const uri = `http://127.0.0.1:${world.#endpoint.port}/`;
    const found = await discover({ uri, useHttp11, additionalHeaders: {} });
    const facts = { id: "dp_1", uri, additionalHeaders: {}, metadata: {}, createdAtMs: 0 };
    const deployment = deploymentFrom(found, facts);
    world.deployment = deployment;
    await new Promise((resolve) => {
      world.#processor.ask(
        (replyTo) => ({ type: "register-deployment", deployment, replyTo }),
        resolve,
      );
    });
    return world;
  }

  deployment: Deployment | null = null;

  /** Calls a handler with JSON and gives its result. */
  async call(handler: string, argument: unknown): Promise<unknown> {
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#processor.ask(
        (replyTo) => ({
          type: "invoke",
          id: invocationId(this.#nextId++),
          target: { service: "Greeter", handler, key: null },
          headers: [],
          parameter: text(JSON.stringify(argument)),
          idempotencyKey: null,
          startAtMs: 0,
          caller: null,
          replyTo,
        }),
        (reply) => {
          assert(reply.kind === "accepted", JSON.stringify(reply));
          this.#waiting.set(reply.seq, resolve);
        },
      );
    });
    assert.deepEqual(this.defects, []);
    if (outcome.kind === "failure") return outcome.failure;
    return JSON.parse(Buffer.from(outcome.value).toString());
  }

  get inFlight(): number {
    return this.#attempts.inFlight;
  }

  #arm({ dueMs }: ArmTimer): void {
    const delayMs = Math.max(1, dueMs - systemClock.nowMs());
    // A day is more than any test waits for.
    if (delayMs > 86_000_000) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#processor.submit({ type: "timers-due" });
    }, delayMs);
    this.#timers.add(timer);
  }

  #finished({ seq, outcome }: Finished): void {
    // The reply that names the seq leaves with the same batch, or before.
    setImmediate(() => this.#waiting.get(seq)?.(outcome));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#attempts.shutdown(1000);
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#endpoint[Symbol.asyncDispose]();
  }
}

const options = { services: [greeter], logger: () => {} };
const endpoints: [string, "BIDI_STREAM" | "REQUEST_RESPONSE", string, () => Promise<World>][] = [
  [
    "HTTP/2, streaming",
    "BIDI_STREAM",
    "HTTP/2.0",
    () => World.start(createHttp2Server(createEndpointHandler(options)), false),
  ],
  [
    "HTTP/1.1, request and response",
    "REQUEST_RESPONSE",
    "HTTP/1.1",
    () => World.start(createHttp1Server(createEndpointHandler(options)), true),
  ],
  [
    "HTTP/1.1, streaming",
    "BIDI_STREAM",
    "HTTP/1.1",
    () =>
      World.start(
        createHttp1Server(createEndpointHandler({ ...options, bidirectional: true })),
        true,
      ),
  ],
];

for (const [what, protocolMode, httpVersion, start] of endpoints) {
  describe(`the official SDK over ${what}`, () => {
    it("is discovered", async () => {
      await using world = await start();
      const { deployment } = world;
      assert.equal(deployment?.protocolMode, protocolMode);
      assert.equal(deployment.httpVersion, httpVersion);
      assert.equal(deployment.sdkVersion, "restate-sdk-typescript/1.17.2");
      assert.deepEqual([deployment.minProtocolVersion, deployment.maxProtocolVersion], [5, 7]);
      assert.deepEqual(
        deployment.services.map(({ name, ty }) => [name, ty]),
        [["Greeter", "SERVICE"]],
      );
    });

    it("echoes, many at once, and gives everything back", async () => {
      await using world = await start();
      const names = Array.from({ length: 100 }, (_, index) => `n${index}`);
      const answers = await Promise.all(names.map((name) => world.call("greet", name)));
      assert.deepEqual(
        answers,
        names.map((name) => `Hello ${name}`),
      );
      await eventually(() => world.inFlight === 0, "the attempts to end");
    });

    it("runs steps", async () => {
      await using world = await start();
      assert.equal(await world.call("steps", "x"), "x12");
    });

    it("suspends while it sleeps, and goes on", async () => {
      await using world = await start();
      let isDone = false;
      const napping = world.call("nap", null).finally(() => {
        isDone = true;
      });
      await sleep(100);
      await eventually(() => world.inFlight === 0, "the suspension");
      assert(!isDone);
      assert.equal(await napping, "slept");
    });

    it("calls another handler", async () => {
      await using world = await start();
      assert.equal(await world.call("relay", "there"), "Hello there");
    });

    it("retries a failing step and keeps its result", async () => {
      await using world = await start();
      const name = what;
      assert.equal(await world.call("flaky", name), 3);
      assert.equal(runsOf.get(name), 3);
    });

    it("passes a terminal failure on", async () => {
      await using world = await start();
      assert.deepEqual(await world.call("refuse", null), { code: 404, message: "no such thing" });
    });
  });
}
