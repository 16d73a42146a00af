/** `ctx.promise(name)` of a workflow. */
import type { RestatePromise } from "../define/context.ts";
import type { DurablePromise } from "../define/keyed-context.ts";
import { type Serde, serde as serdes } from "../define/serde.ts";
import type { Outcome } from "../protocol/messages.ts";
import * as syscalls from "../replay/syscalls.ts";
import type { ContextCore } from "./context-core.ts";
import { decoded } from "./decode.ts";

/** Nothing is asked of the server until it is awaited or a method is called; each of these is an operation of its own. */
export class WorkflowPromise<T> implements DurablePromise<T> {
  readonly #core: ContextCore;
  readonly #name: string;
  readonly #serde: Serde<T>;

  constructor(core: ContextCore, name: string, serde: Serde<T>) {
    this.#core = core;
    this.#name = name;
    this.#serde = serde;
  }

  get [Symbol.toStringTag](): string {
    return "DurablePromise";
  }

  get(): RestatePromise<T> {
    const leaf = syscalls.getPromise(this.#core.machine(), this.#name);
    return this.#core.promise(decoded(leaf, this.#serde));
  }

  peek(): Promise<T | undefined> {
    const leaf = syscalls.peekPromise(this.#core.machine(), this.#name);
    return this.#core.promise(decoded(leaf, this.#serde));
  }

  resolve(value?: T): Promise<void> {
    return this.#complete(this.#core.success(value, this.#serde));
  }

  reject(errorMsg: string): Promise<void> {
    return this.#complete(this.#core.failure(errorMsg));
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.get().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.get().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.get().finally(onFinally);
  }

  #complete(completion: Outcome): Promise<void> {
    const leaf = syscalls.completePromise(this.#core.machine(), this.#name, completion);
    return this.#core.promise(decoded(leaf, serdes.empty));
  }
}
