/** Reads and writes the state of one key, as an operator does. */
import { trust } from "../define/any.ts";
import type { Serde } from "../define/serde.ts";
import type { StateEntry } from "../protocol/messages.ts";
import type { Reply } from "../../server/machine/effect.ts";
import type { Instance } from "../../server/machine/invocation.ts";
import type { ServerCore } from "./server-core.ts";
import type { StateOf } from "./state-of.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export class InstanceState<TState> implements StateOf<TState> {
  readonly #core: ServerCore;
  readonly #instance: Instance;
  readonly #serde: Serde<unknown>;

  constructor(core: ServerCore, instance: Instance, serde: Serde<unknown>) {
    this.#core = core;
    this.#instance = instance;
    this.#serde = serde;
  }

  async get<K extends keyof TState & string>(name: K): Promise<TState[K] | undefined> {
    return (await this.getAll())[name];
  }

  async getAll(): Promise<Partial<TState>> {
    const values = this.#entries().map(({ key, value }): [string, unknown] => [
      decoder.decode(key),
      this.#serde.deserialize(value),
    ]);
    return trust<Partial<TState>>(Object.fromEntries(values));
  }

  async set<K extends keyof TState & string>(name: K, value: TState[K]): Promise<void> {
    const others = this.#entries().filter(({ key }) => decoder.decode(key) !== name);
    await this.#replace([...others, this.#entry(name, value)]);
  }

  async setAll(values: Partial<TState>): Promise<void> {
    const entries = Object.entries<unknown>({ ...values });
    await this.#replace(entries.map(([name, value]) => this.#entry(name, value)));
  }

  #entry(name: string, value: unknown): StateEntry {
    return { key: encoder.encode(name), value: this.#serde.serialize(value) };
  }

  #entries(): readonly StateEntry[] {
    return this.#core.read((reader) => reader.state(this.#instance, Infinity)).entries;
  }

  async #replace(entries: readonly StateEntry[]): Promise<void> {
    const mutation = { version: null, entries };
    const reply: Reply = await this.#core.ask((replyTo) => ({
      type: "mutate-state",
      instance: this.#instance,
      mutation,
      replyTo,
    }));
    if (reply.kind === "done" || reply.kind === "pending") return;
    const why = "message" in reply ? reply.message : reply.kind;
    throw new Error(`the state of ${this.#instance.service} could not be changed: ${why}`);
  }
}
