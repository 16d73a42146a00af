/**
 * An operator with a restless hand: pauses, resumes, cancels, kills, purges and restarts invocations, edits state, drains,
 * empties and removes deployments and sets options, at random. After the faults it puts everything back on its way.
 */
import { stateVersion } from "../base/state-version.ts";
import { mintInvocationId } from "../base/ids.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import type { Deployment } from "../machine/registry.ts";
import type { SimClient } from "./client.ts";
import type { SimServer } from "./server.ts";
import type { World } from "./world.ts";

const STATE_BYTES_MAX = 1_000_000;

type Ask = (replyTo: number) => Input;

export class SimOperator {
  readonly #world: World;
  readonly #server: () => SimServer | null;
  readonly #clients: readonly SimClient[];
  readonly #spare: Deployment;
  /** So many inputs of each kind were answered. */
  readonly answered = new Map<string, number>();

  /** `spare`: a deployment beside the one that everything needs. */
  constructor(
    world: World,
    server: () => SimServer | null,
    clients: readonly SimClient[],
    spare: Deployment,
  ) {
    this.#world = world;
    this.#server = server;
    this.#clients = clients;
    this.#spare = spare;
  }

  /** One thing after another until `untilMs`. */
  meddle(untilMs: number): void {
    this.#world.after(10 + this.#world.below(60), () => {
      if (this.#world.nowMs() >= untilMs) return;
      this.#act();
      this.meddle(untilMs);
    });
  }

  /** Resumes what is paused and sends the signals that are missing, again and again: a pause may still be on its way. */
  heal(): void {
    this.#restore();
    for (const client of this.#clients) {
      if (client.result !== null) continue;
      this.#ask(resume(client.id));
      if (client.target.handler === "signalled") this.#signal(client);
      if (client.target.handler === "watch") this.#land(client);
    }
    this.#world.after(200, () => this.heal());
  }

  #act(): void {
    const world = this.#world;
    const client = this.#clients[world.below(this.#clients.length)];
    if (client === undefined) return undefined;
    switch (world.below(10)) {
      case 0:
      case 1:
        if (world.chance(0.3)) world.after(world.below(8), () => this.#ask(resume(client.id)));
        return this.#ask((replyTo) => ({ type: "pause", id: client.id, replyTo }));
      case 2:
      case 3:
        return this.#ask(resume(client.id));
      case 4:
        return this.#end(client);
      case 5:
        return this.#purge(client);
      case 6:
        return this.#restart(client);
      case 7:
        return this.#mark("Tally", `k${world.below(2)}`);
      case 8:
        return this.#deploy();
      default:
        return this.#signal(client);
    }
  }

  #end(client: SimClient): void {
    // Trips wait for the approvals.
    if (client.target.handler === "approve") return;
    if (client.result !== null || this.#world.chance(0.5)) return;
    // Several may wait for the one run of a workflow.
    for (const each of this.#clients) {
      if (Buffer.compare(each.id, client.id) === 0) each.mayBeEnded = true;
    }
    const type = this.#world.chance(0.5) ? "cancel" : "kill";
    this.#ask((replyTo) => ({ type, id: client.id, replyTo }));
  }

  /** Where all who ask for it have the result: they will not ask again. */
  #purge(client: SimClient): void {
    const same = this.#clients.filter(({ id }) => Buffer.compare(id, client.id) === 0);
    if (same.some(({ result }) => result === null)) return;
    const journalOnly = this.#world.chance(0.5);
    this.#ask((replyTo) => ({ type: "purge", id: client.id, journalOnly, replyTo }));
  }

  /** Only what has no steps: the ledger would take a step of the new one for a repetition. */
  #restart(client: SimClient): void {
    if (client.result === null || client.target.handler !== "nap") return;
    const newId = this.#newId(null);
    const upToIndex = this.#world.chance(0.5) ? 0 : 2;
    const deployment = "latest";
    this.#ask((replyTo) => ({
      type: "restart-as-new",
      id: client.id,
      newId,
      upToIndex,
      deployment,
      replyTo,
    }));
  }

  /** What watches a trip may have waited since before the trip was purged. */
  #land({ target: { service, key } }: SimClient): void {
    const id = this.#newId(key);
    this.#ask((replyTo) => ({
      type: "invoke",
      id,
      target: { service, handler: "land", key },
      headers: [],
      parameter: new TextEncoder().encode('"again"'),
      idempotencyKey: null,
      startAtMs: 0,
      caller: null,
      trace: null,
      replyTo,
    }));
  }

  #newId(key: string | null): Uint8Array {
    const random = (bytes: number) =>
      Uint8Array.from({ length: bytes }, () => this.#world.below(256));
    return mintInvocationId(this.#world.nowMs(), random, key);
  }

  /** Rewrites the state it has read with one more entry: one that was overtaken would undo an addition. */
  #mark(service: string, key: string): void {
    const server = this.#server();
    if (server?.alive !== true) return;
    const instance = { service, key };
    const { entries } = server.processor.read((reader) => reader.state(instance, STATE_BYTES_MAX));
    const name = new TextEncoder().encode(`mark${this.#world.below(3)}`);
    const kept = entries
      .map(({ key: k, value }) => ({ key: k.slice(), value: value.slice() }))
      .filter((entry) => Buffer.compare(entry.key, name) !== 0);
    const mutation = {
      version: stateVersion(entries),
      entries: [...kept, { key: name, value: Uint8Array.of(this.#world.below(256)) }],
    };
    this.#ask((replyTo) => ({ type: "mutate-state", instance, mutation, replyTo }));
  }

  #deploy(): void {
    const world = this.#world;
    const { id } = this.#spare;
    switch (world.below(4)) {
      case 0: {
        const deployment = this.#spare;
        return this.#ask((replyTo) => ({ type: "register-deployment", deployment, replyTo }));
      }
      case 1: {
        const drainingSinceMs = world.chance(0.5) ? world.nowMs() : null;
        const services = this.#spare.services.filter(() => world.chance(0.7));
        const deployment = { ...this.#spare, drainingSinceMs, services };
        return this.#ask((replyTo) => ({ type: "update-deployment", deployment, replyTo }));
      }
      case 2: {
        const force = world.chance(0.3);
        return this.#ask((replyTo) => ({ type: "delete-deployment", id, force, replyTo }));
      }
      default: {
        const overrides = { journalRetention: 60_000 + world.below(1000) };
        const service = "Sim";
        return this.#ask((replyTo) => ({
          type: "override-service",
          service,
          overrides,
          replyTo,
        }));
      }
    }
  }

  /** The spare deployment is as it was: invocations may be bound to it. */
  #restore(): void {
    const deployment = this.#spare;
    this.#ask(
      (replyTo) => ({ type: "update-deployment", deployment, replyTo }),
      (reply) => {
        if (reply.kind !== "refused") return;
        this.#ask((replyTo) => ({ type: "register-deployment", deployment, replyTo }));
      },
    );
  }

  #signal({ id }: SimClient): void {
    const signal = { kind: "signal-name", name: "go" } as const;
    const result = { kind: "value", value: new TextEncoder().encode('"gone"') } as const;
    this.#ask((replyTo) => ({ type: "signal", id, signal, result, replyTo }));
  }

  #ask(input: Ask, then: (reply: Reply) => void = () => {}): void {
    this.#server()?.ask(input, (reply) => {
      then(reply);
      const what = `${input(0).type} ${reply.kind}`;
      this.answered.set(what, (this.answered.get(what) ?? 0) + 1);
    });
  }
}

function resume(id: Uint8Array): Ask {
  return (replyTo) => ({ type: "resume", id, deployment: "keep", replyTo });
}
