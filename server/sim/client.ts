/**
 * A caller outside: sends one request under its identity until it is acknowledged, and asks for the result until it has it.
 * It survives every crash of the server and remembers what it was told.
 */
import type { Outcome } from "../../sdk/protocol/messages.ts";
import { idempotentInvocationId, workflowInvocationId } from "../base/ids.ts";
import type { Reply } from "../machine/effect.ts";
import type { Target } from "../machine/invocation.ts";
import type { SimServer } from "./server.ts";
import type { World } from "./world.ts";

const RETRY_MS = 40;
const encoder = new TextEncoder();

export class SimClient {
  readonly target: Target;
  readonly name: string;
  readonly id: Uint8Array;
  /** It was told that the request is accepted. */
  acknowledged = false;
  /** What it was told the invocation ended with: the text, or code and message. */
  result: string | null = null;
  /** Somebody asked to cancel or to kill it: it may end with 409. */
  mayBeEnded = false;
  readonly #world: World;
  readonly #server: () => SimServer | null;
  readonly #startAtMs: number;

  constructor(world: World, server: () => SimServer | null, target: Target, name: string) {
    this.#world = world;
    this.#server = server;
    this.target = target;
    this.name = name;
    this.#startAtMs = world.chance(0.2) ? world.nowMs() + world.below(400) : 0;
    const { key } = target;
    this.id =
      target.handler === "run" && key !== null
        ? workflowInvocationId(target.service, key)
        : idempotentInvocationId({ ...target, idempotencyKey: name });
  }

  /** Sends, and sends again as long as there is no result: an answer may be lost at any moment. */
  readonly go = (): void => {
    if (this.result !== null) return;
    const server = this.#server();
    if (server !== null) this.#call(server);
    this.#world.after(RETRY_MS + this.#world.below(RETRY_MS), this.go);
  };

  #call(server: SimServer): void {
    // Once acknowledged it need not send again: whoever was told so may ask by the id alone.
    if (this.acknowledged && this.#world.chance(0.5)) this.#attach(server);
    else this.#send(server);
  }

  #attach(server: SimServer): void {
    const wait = this.#world.chance(0.7);
    server.ask(
      (replyTo) => ({ type: "attach", id: this.id, wait, replyTo }),
      (reply) => {
        if (reply.kind !== "conflict") this.#onReply(server, reply);
      },
    );
  }

  #send(server: SimServer): void {
    const isKnown = this.acknowledged;
    server.ask(
      (replyTo) => ({
        type: "invoke",
        id: this.id,
        target: this.target,
        headers: [],
        parameter: encoder.encode(JSON.stringify(this.name)),
        idempotencyKey: this.target.handler === "run" ? null : this.name,
        startAtMs: this.#startAtMs,
        caller: null,
        trace: null,
        replyTo,
      }),
      (reply) => {
        if (isKnown && reply.kind === "accepted" && reply.isNew)
          throw new Error(`${this.name}: an acknowledged invocation was forgotten`);
        this.#onReply(server, reply);
      },
    );
  }

  #onReply(server: SimServer, reply: Reply): void {
    if (reply.kind === "accepted") {
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
