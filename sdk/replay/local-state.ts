/**
 * The state of the key as this attempt knows it: what the server sent along, and over it what the handler changed since
 * (protocol section 8.8). What is replayed is changed again.
 */
import type { Start } from "../protocol/messages.ts";

const decoder = new TextDecoder();

export class LocalState {
  /** Null: known to have no value. */
  readonly #values = new Map<string, Uint8Array | null>();
  /** False while a key that is not listed may have a value all the same. */
  #isComplete: boolean;

  constructor({ state, partialState }: Start) {
    for (const { key, value } of state) this.#values.set(decoder.decode(key), value);
    this.#isComplete = !partialState;
  }

  /** Null: there is none. Undefined: only the server knows. */
  get(key: string): Uint8Array | null | undefined {
    const value = this.#values.get(key);
    return value === undefined && this.#isComplete ? null : value;
  }

  /** Sorted; undefined when only the server knows them all. */
  keys(): string[] | undefined {
    if (!this.#isComplete) return undefined;
    return [...this.#values].flatMap(([key, value]) => (value === null ? [] : [key])).toSorted();
  }

  set(key: string, value: Uint8Array): void {
    this.#values.set(key, value);
  }

  clear(key: string): void {
    if (this.#isComplete) this.#values.delete(key);
    else this.#values.set(key, null);
  }

  clearAll(): void {
    this.#values.clear();
    this.#isComplete = true;
  }
}
