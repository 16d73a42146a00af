/**
 * One simulated history: callers send requests, the webhook pays, servers and endpoints crash, connections break; then everything heals and
 * has to come to its end. `seed` decides all of it.
 */
import type { Reader } from "../machine/tx.ts";
import type { Target } from "../machine/invocation.ts";
import type { Deployment } from "../machine/registry.ts";
import { FIRST_USER_SIGNAL } from "../../sdk/protocol/messages.ts";
import { parseAwakeableId } from "../../sdk/protocol/ids.ts";
import { audit, unfinished } from "./auditor.ts";
import { BucketServers } from "./bucket-servers.ts";
import { SimClient } from "./client.ts";
import { Defects } from "./defects.ts";
import { Directories } from "./directories.ts";
import { SimEndpoint } from "./endpoint.ts";
import { Ledger } from "./ledger.ts";
import { SimNetwork } from "./network.ts";
import { SimOperator } from "./operator.ts";
import type { SimServer } from "./server.ts";
import { DiskServers, type Servers } from "./servers.ts";
import { HANDLERS, type Inbox, type Role, ROLES, workload } from "./workload.ts";
import { World } from "./world.ts";

export interface SimulationResult {
  readonly seed: number;
  /** Equal for equal seeds, or something reads the real world. */
  readonly fingerprint: string;
  /** The promises that were broken; empty when all were kept. */
  readonly broken: readonly string[];
  readonly crashes: number;
  readonly executions: number;
  readonly repeated: number;
  /** What the operator was answered, and how often. */
  readonly operations: ReadonlyMap<string, number>;
  /** The end of the history, for people. */
  readonly trace: string;
}

const ORIGIN = "http://sim:1";
const FAULTS_MS = 3000;
const REGISTERED_MS = 10_000;
const BUCKET_LINES_MAX = 1000;
/** Long enough for every back-off to end. */
const HEALED_MS = 600_000;

/** `bucket`: the journal is a replica, and machines are lost with all they have. */
export type SimulatedDurability = "disk" | "bucket";

export async function simulate(
  seed: number,
  durability: SimulatedDurability = "disk",
): Promise<SimulationResult> {
  const directories = durability === "bucket" ? new Directories() : null;
  try {
    return await new Simulation(seed, directories).run();
  } finally {
    directories?.remove();
  }
}

class Simulation {
  readonly #world: World;
  readonly #defects = new Defects();
  readonly #ledger = new Ledger();
  readonly #inbox: Inbox = new Map();
  readonly #network: SimNetwork;
  readonly #endpoint: SimEndpoint;
  readonly #clients: SimClient[] = [];
  readonly #operator: SimOperator;
  readonly #servers: Servers;
  #crashes = 0;
  #isRegistered = false;

  /** `directories`: null under durability `disk`. */
  constructor(seed: number, directories: Directories | null) {
    const world = new World(seed, directories === null ? undefined : BUCKET_LINES_MAX);
    this.#world = world;
    this.#network = new SimNetwork(world, {
      cut: world.random() * 0.3,
      latencyMsMax: 1 + world.below(8),
    });
    this.#endpoint = new SimEndpoint(world, workload(world, this.#ledger, this.#inbox));
    this.#network.addHost(ORIGIN, this.#endpoint);
    const attemptsMax = 2 + world.below(world.chance(0.5) ? 3 : 30);
    const parts = { world, network: this.#network, attemptsMax };
    this.#servers =
      directories === null
        ? new DiskServers(parts)
        : new BucketServers({ ...parts, newDirectory: () => directories.make() });
    const deployment = this.#deployment("dp_sim");
    const spare = this.#deployment("dp_spare");
    this.#operator = new SimOperator(world, this.#anyServer, this.#clients, spare);
    this.#register(deployment);
  }

  async run(): Promise<SimulationResult> {
    let broken: readonly string[] = [];
    await this.#defects.watch(async () => {
      broken = await this.#befall();
    });
    return {
      seed: this.#world.seed,
      fingerprint: this.#world.fingerprint(),
      broken: [...this.#defects.found, ...broken],
      crashes: this.#crashes,
      executions: this.#ledger.size,
      repeated: this.#ledger.repeated,
      operations: this.#operator.answered,
      trace: this.#world.lastLines(),
    };
  }

  /** Faults, then healing. Safety is watched all along, liveness is asked for in the end. */
  async #befall(): Promise<readonly string[]> {
    const world = this.#world;
    await world.run(() => this.#isRegistered, world.nowMs() + REGISTERED_MS);
    const healAtMs = world.nowMs() + FAULTS_MS;
    this.#startClients();
    this.#pay();
    this.#operator.meddle(healAtMs);
    this.#crashServer(healAtMs);
    this.#crashEndpoint(healAtMs);
    await world.run(() => world.nowMs() >= healAtMs, healAtMs);
    this.#network.faults.cut = 0;
    this.#servers.heal();
    this.#operator.heal();
    await world.run(() => this.#isDone(), healAtMs + HEALED_MS);
    const broken = this.#audit();
    if (broken.length > 0 || !this.#servers.loseAll()) return broken;
    // What was acknowledged is in the bucket, and in nothing else.
    await world.run(() => this.#isDone(), world.nowMs() + HEALED_MS);
    return this.#audit();
  }

  #audit(): readonly string[] {
    const { broken, wereTwo } = this.#servers;
    if (broken.length > 0) return broken;
    const server = this.#servers.current();
    if (server === null) return ["there is no server"];
    return server.processor.read((reader) => audit(reader, this.#clients, this.#ledger, wereTwo));
  }

  readonly #anyServer = (): SimServer | null => this.#servers.any();

  #register(deployment: Deployment): void {
    const server = this.#servers.any();
    if (server === null)
      return this.#world.after(REGISTERED_MS / 100, () => this.#register(deployment));
    return server.ask(
      (replyTo) => ({ type: "register-deployment", deployment, replyTo }),
      () => {
        this.#isRegistered = true;
      },
    );
  }

  #startClients(): void {
    const count = 3 + this.#world.below(10);
    for (let number = 0; number < count; number += 1) {
      this.#startClient(ROLES[this.#world.below(ROLES.length)] ?? ROLES[0], number);
    }
    // Each trip is approved by somebody.
    for (const { target } of this.#clients.filter(({ target: { handler } }) => handler === "run")) {
      const approver = { ...target, handler: "approve" };
      this.#start(approver, `approve-${target.key}`);
    }
  }

  #startClient({ service, handler, keys }: Role, number: number): void {
    const key = keys === 0 ? null : `k${this.#world.below(keys)}`;
    this.#start({ service, handler, key }, `${handler}${number}`);
  }

  #start(target: Target, name: string): void {
    const client = new SimClient(this.#world, this.#anyServer, target, name);
    this.#clients.push(client);
    this.#world.after(this.#world.below(1000), client.go);
  }

  /** The payment provider: resolves every awakeable it was told of, twice now and then, until all are done. */
  #pay(): void {
    for (const [order, awakeableId] of this.#inbox) {
      const parsed = parseAwakeableId(awakeableId);
      if (parsed === undefined || parsed.signalIndex < FIRST_USER_SIGNAL) throw new Error("bad id");
      const value = new TextEncoder().encode(JSON.stringify(`paid-${order}`));
      const repeat = this.#world.chance(0.3);
      this.#servers.any()?.ask(
        (replyTo) => ({
          type: "signal",
          id: parsed.invocationId,
          signal: { kind: "signal-index", index: parsed.signalIndex },
          result: { kind: "value", value },
          replyTo,
        }),
        () => {
          if (!repeat) this.#inbox.delete(order);
        },
      );
    }
    this.#world.after(10 + this.#world.below(60), () => this.#pay());
  }

  #crashServer(untilMs: number): void {
    this.#world.after(50 + this.#world.below(800), () => {
      if (this.#world.nowMs() >= untilMs) return;
      this.#crashes += 1;
      this.#servers.hit(() => this.#crashServer(untilMs));
    });
  }

  #crashEndpoint(untilMs: number): void {
    this.#world.after(50 + this.#world.below(800), () => {
      if (this.#world.nowMs() >= untilMs) return;
      this.#crashes += 1;
      this.#world.trace("endpoint dies");
      this.#endpoint.crash();
      this.#network.cutHost(ORIGIN);
      this.#world.after(20 + this.#world.below(100), () => {
        this.#endpoint.restart();
        this.#crashEndpoint(untilMs);
      });
    });
  }

  /** Everybody has an answer, and nothing is left running behind them. */
  #isDone(): boolean {
    if (this.#servers.broken.length > 0 || !this.#defects.isFree) return true;
    if (this.#clients.some((client) => client.result === null)) return false;
    return this.#servers.current()?.processor.read((reader) => isQuiet(reader)) === true;
  }

  #deployment(id: string): Deployment {
    return {
      id,
      uri: `${ORIGIN}/`,
      protocolMode: "BIDI_STREAM",
      httpVersion: "HTTP/2.0",
      minProtocolVersion: 5,
      maxProtocolVersion: 5 + this.#world.below(3),
      sdkVersion: null,
      additionalHeaders: {},
      metadata: {},
      createdAtMs: this.#world.nowMs(),
      drainingSinceMs: null,
      services: [
        {
          name: "Sim",
          ty: "SERVICE",
          ...RETRIES,
          handlers: [...HANDLERS, "dispatch"].map((name) => ({ name })),
        },
        { name: "Tally", ty: "VIRTUAL_OBJECT", ...RETRIES, handlers: [{ name: "add" }] },
        {
          name: "Trip",
          ty: "WORKFLOW",
          ...RETRIES,
          handlers: [
            { name: "run", ty: "WORKFLOW" },
            ...["watch", "land", "approve"].map((name) => ({ name })),
          ],
        },
      ],
    };
  }
}

const RETRIES = {
  retryPolicyInitialInterval: 10,
  retryPolicyMaxInterval: 200,
  retryPolicyMaxAttempts: 100_000,
};

function isQuiet(reader: Reader): boolean {
  return reader.running(0, 1).length === 0 && unfinished(reader).length === 0;
}
