/**
 * A caller outside: sends one request under its idempotency key until it is acknowledged, and asks for the result until it has it.
 * It survives every crash of the server and remembers what it was told.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { idempotentInvocationId } from "../base/ids.ts";
import type { Reply } from "../machine/effect.ts";
import type { SimServer } from "./server.ts";
import type { World } from "./world.ts";

const RETRY_MS = 40;
const encoder = new TextEncoder();

export class SimClient {
  readonly handler: string;
  readonly name: string;
  readonly id: Uint8Array;
  /** It was told that the request is accepted. */
  acknowledged = false;
  /** What it was told the invocation ended with: the text, or code and message. */
  result: string | null = null;
  readonly #world: World;
  readonly #server: () => SimServer;

  constructor(world: World, server: () => SimServer, handler: string, name: string) {
    this.#world = world;
    this.#server = server;
    this.handler = handler;
    this.name = name;
    const target = { service: "Sim", handler, key: null };
    this.id = idempotentInvocationId({ ...target, idempotencyKey: name });
  }

  /** Sends, and sends again as long as there is no result: an answer may be lost at any moment. */
  readonly go = (): void => {
    if (this.result !== null) return;
    const server = this.#server();
    server.ask(
      (replyTo) => ({
        type: "invoke",
        id: this.id,
        target: { service: "Sim", handler: this.handler, key: null },
        headers: [],
        parameter: encoder.encode(JSON.stringify(this.name)),
        idempotencyKey: this.name,
        startAtMs: 0,
        caller: null,
        replyTo,
      }),
      (reply) => this.#onReply(server, reply),
    );
    this.#world.after(RETRY_MS + this.#world.below(RETRY_MS), this.go);
  };

  #onReply(server: SimServer, reply: Reply): void {
    if (reply.kind === "accepted") {
      if (this.acknowledged && reply.isNew) {
        throw new Error(`${this.name}: an acknowledged invocation was forgotten`);
      }
      this.acknowledged = true;
      server.waiters.add(reply.seq, (outcome) => this.#onOutcome(outcome));
    } else if (reply.kind === "completed") {
      this.acknowledged = true;
      this.#onOutcome(reply.outcome);
    } else {
      throw new Error(`${this.name}: unexpected answer ${reply.kind}`);
    }
  }

  #onOutcome(outcome: Outcome): void {
    const text = textOf(outcome);
    if (this.result === null) {
      this.result = text;
      this.#world.trace(`client ${this.name}: ${text}`);
    } else if (this.result !== text) {
      throw new Error(`${this.name}: was told ${this.result}, then ${text}`);
    }
  }
}

function textOf(outcome: Outcome): string {
  if (outcome.kind === "failure") return `${outcome.failure.code} ${outcome.failure.message}`;
  return JSON.parse(new TextDecoder().decode(outcome.value)) as string;
}
