/** A server with everything but the outer shells, in memory, and an endpoint of the official SDK that it drives over a socket. */
import assert from "node:assert/strict";
import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { connect } from "node:net";
import { createEndpointHandler } from "@restatedev/restate-sdk";
import { invocationIdToString } from "../../sdk/protocol/ids.ts";
import { messageTypeName } from "../../sdk/protocol/message-type.ts";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { ProtocolVersion } from "../../sdk/protocol/version.ts";
import { systemClock } from "../base/clock.ts";
import { silentLog } from "../base/log.ts";
import type { ArmTimer, Finished, Reply } from "../machine/effect.ts";
import type { Input, SignalInvocation } from "../machine/input.ts";
import type { Invocation, Target } from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import { DEFAULT_SETTINGS } from "../machine/settings.ts";
import { Processor } from "../processor/processor.ts";
import { MemoryStore } from "../store/memory-store.ts";
import { addWithResolvers } from "../test/with-resolvers.ts";
import { Attempts } from "./attempts.ts";
import { deploymentFrom, discover } from "./discover.ts";
import { Listening, rawServer } from "./endpoints.suite.ts";
import { HttpTransport } from "./http-transport.ts";
import { eventually, invocationId, text } from "./fixtures.suite.ts";
import type { RequestIdentity } from "./request-identity.ts";

addWithResolvers();

export type Services = Parameters<typeof createEndpointHandler>[0]["services"];

export interface Wire {
  readonly what: string;
  readonly httpVersion: Deployment["httpVersion"];
  readonly protocolMode: Deployment["protocolMode"];
}

export const WIRES: readonly Wire[] = [
  { what: "HTTP/2, streaming", httpVersion: "HTTP/2.0", protocolMode: "BIDI_STREAM" },
  {
    what: "HTTP/2, request and response",
    httpVersion: "HTTP/2.0",
    protocolMode: "REQUEST_RESPONSE",
  },
  { what: "HTTP/1.1, streaming", httpVersion: "HTTP/1.1", protocolMode: "BIDI_STREAM" },
  {
    what: "HTTP/1.1, request and response",
    httpVersion: "HTTP/1.1",
    protocolMode: "REQUEST_RESPONSE",
  },
];

export interface WorldOptions {
  readonly services: Services;
  readonly wire: Wire;
  readonly version: ProtocolVersion;
  readonly identity?: RequestIdentity | null;
  /** While it is closed, nobody reaches the endpoint. Default: always open. */
  readonly gate?: { isOpen: boolean };
  /** Whose requests the endpoint accepts. Default: all. */
  readonly identityKeys?: string[];
}

/** A call that is under way. */
export interface Calling {
  readonly id: Uint8Array;
  /** The value, or the failure. */
  readonly result: Promise<unknown>;
}

export class World implements AsyncDisposable {
  readonly #endpoint: Listening;
  /** What stands in front of the endpoint. */
  readonly #gate: Listening;
  readonly #processor: Processor;
  readonly #attempts: Attempts;
  readonly #waiting = new Map<number, (outcome: Outcome) => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly defects: unknown[] = [];
  deployment: Deployment | null = null;
  #nextId = 1;

  private constructor(
    endpoint: Listening,
    gate: Listening,
    { version, identity = null }: WorldOptions,
  ) {
    this.#endpoint = endpoint;
    this.#gate = gate;
    this.#processor = new Processor({
      store: new MemoryStore(),
      clock: systemClock,
      settings: { ...DEFAULT_SETTINGS, protocolVersionMax: version },
      onFatal: (error) => this.defects.push(error),
      onDefect: (error) => this.defects.push(error),
    });
    this.#attempts = new Attempts({
      door: this.#processor,
      transport: new HttpTransport(),
      clock: systemClock,
      log: silentLog,
      protocolVersionMax: version,
      identity,
    });
    this.#processor.connect({
      attempts: this.#attempts,
      timers: { arm: (effect) => this.#arm(effect) },
      waiters: { finished: (effect) => this.#finished(effect), published: () => {} },
    });
  }

  /** With the endpoint discovered and registered. */
  static async start(options: WorldOptions): Promise<World> {
    const { services, wire, identity = null, identityKeys } = options;
    const handle = createEndpointHandler({
      services,
      logger: () => {},
      bidirectional: wire.protocolMode === "BIDI_STREAM",
      ...(identityKeys === undefined ? {} : { identityKeys }),
    });
    const useHttp11 = wire.httpVersion === "HTTP/1.1";
    const server = useHttp11 ? createHttp1Server(handle) : createHttp2Server(handle);
    const endpoint = await Listening.on(server);
    const world = new World(endpoint, await gateBefore(endpoint, options.gate), options);
    try {
      const uri = `http://127.0.0.1:${world.#gate.port}/`;
      const found = await discover({ uri, useHttp11, additionalHeaders: {} }, { identity });
      const facts = { id: "dp_1", uri, additionalHeaders: {}, metadata: {}, createdAtMs: 0 };
      const deployment = deploymentFrom(found, facts);
      world.deployment = deployment;
      await world.ask((replyTo) => ({ type: "register-deployment", deployment, replyTo }));
      return world;
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
  }

  ask(input: (replyTo: number) => Input): Promise<Reply> {
    return new Promise((resolve) => this.#processor.ask(input, resolve));
  }

  /** Begins a call with JSON. */
  async begin(target: Target, argument?: unknown): Promise<Calling> {
    const reply = await this.ask((replyTo) => ({
      type: "invoke",
      id: invocationId(this.#nextId++),
      target,
      headers: [],
      parameter: argument === undefined ? new Uint8Array(0) : text(JSON.stringify(argument)),
      idempotencyKey: null,
      startAtMs: 0,
      caller: null,
      trace: null,
      replyTo,
    }));
    assert(reply.kind === "accepted", JSON.stringify(reply));
    const outcome = new Promise<Outcome>((resolve) => this.#waiting.set(reply.seq, resolve));
    return { id: reply.id, result: outcome.then((ended) => this.#resultOf(ended)) };
  }

  /** Calls a handler of a plain service, or of an instance. */
  async call(path: string, argument?: unknown): Promise<unknown> {
    const { result } = await this.begin(targetOf(path), argument);
    return result;
  }

  signal(id: Uint8Array, signal: SignalInvocation["signal"], value: unknown): Promise<Reply> {
    const result = { kind: "value", value: text(JSON.stringify(value)) } as const;
    return this.ask((replyTo) => ({ type: "signal", id, signal, result, replyTo }));
  }

  invocation(id: Uint8Array): Invocation {
    const found = this.#processor.read((reader) => reader.findInvocation(id));
    assert(found !== undefined, `${invocationIdToString(id)} is not known`);
    return found;
  }

  /** The names of the entries in the journal. */
  journal(id: Uint8Array): string[] {
    return this.#processor.read((reader) => {
      const found = reader.findInvocation(id);
      const entries = found === undefined ? [] : reader.entries(found.seq, 0, found.journal.length);
      return entries.map(({ type }) => messageTypeName(type));
    });
  }

  async becomes(id: Uint8Array, status: string): Promise<void> {
    await eventually(() => this.invocation(id).state.status === status, `the state ${status}`);
  }

  get attempts(): Attempts {
    return this.#attempts;
  }

  /** Breaks what is open between server and endpoint. */
  cutConnections(): void {
    for (const socket of this.#gate.sockets) socket.destroy();
  }

  #resultOf(outcome: Outcome): unknown {
    assert.deepEqual(this.defects, []);
    if (outcome.kind === "failure") return outcome.failure;
    const bytes = Buffer.from(outcome.value).toString();
    return bytes === "" ? undefined : JSON.parse(bytes);
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
    await this.#gate[Symbol.asyncDispose]();
    await this.#endpoint[Symbol.asyncDispose]();
  }
}

function gateBefore({ port }: Listening, gate = { isOpen: true }): Promise<Listening> {
  return rawServer((socket) => {
    if (!gate.isOpen) return socket.destroy();
    const behind = connect(port, "127.0.0.1");
    behind.on("error", () => socket.destroy());
    behind.on("close", () => socket.destroy());
    socket.on("close", () => behind.destroy());
    return socket.pipe(behind).pipe(socket);
  });
}

/** `service/handler` or `service/key/handler`. */
export function targetOf(path: string): Target {
  const [service = "", second = "", third] = path.split("/");
  return third === undefined
    ? { service, handler: second, key: null }
    : { service, handler: third, key: second };
}
