/**
 * `RestatePromise`: a node of the replay machine in the clothes of a promise.
 *
 * It is no `Promise`: until somebody calls `then`, which `await` does, nothing waits for it and nothing of it can be
 * rejected unhandled. `then` is how the SDK learns what the handler awaits.
 */
import { trust } from "../define/any.ts";
import type { InvocationId, InvocationPromise, RestatePromise } from "../define/context.ts";
import type { Duration } from "../define/duration.ts";
import { TerminalError, TimeoutError } from "../define/errors.ts";
import { type AwaitNode, Mapped } from "../replay/await-node.ts";
import { Race } from "../replay/combinators.ts";

/** The attempt a promise belongs to. */
export interface Waiting {
  /** A promise for the outcome of the node, for an await of the handler. */
  wait<T>(node: AwaitNode<T>): Promise<T>;
  /** Starts a durable timer. */
  startTimer(duration: Duration | number): AwaitNode<unknown>;
}

export class JournalPromise<T> implements RestatePromise<T> {
  readonly node: AwaitNode<T>;
  /** Absent for constants, which belong to no attempt. */
  readonly attempt: Waiting | undefined;

  constructor(node: AwaitNode<T>, attempt: Waiting | undefined) {
    this.node = node;
    this.attempt = attempt;
  }

  get [Symbol.toStringTag](): string {
    return "RestatePromise";
  }

  // oxlint-disable-next-line unicorn/no-thenable -- it is a promise
  then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#wait().then(onFulfilled, onRejected);
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<T | B> {
    return this.#wait().catch(onRejected);
  }

  finally(onFinally?: (() => void) | null): Promise<T> {
    return this.#wait().finally(onFinally);
  }

  orTimeout(duration: Duration | number): RestatePromise<T> {
    if (this.attempt === undefined) return this;
    const timeout = new Mapped<unknown, T>(this.attempt.startTimer(duration), () => {
      throw new TimeoutError();
    });
    return new JournalPromise(new Race([this.node, timeout]), this.attempt);
  }

  map<U>(mapper: (value?: T, failure?: TerminalError) => U): RestatePromise<U> {
    const mapped = new Mapped(this.node, (settled) => {
      if (settled.ok) return mapper(settled.value);
      if (settled.error instanceof TerminalError) return mapper(undefined, settled.error);
      // Nothing final: the attempt fails with it.
      throw settled.error;
    });
    return new JournalPromise(mapped, this.attempt);
  }

  #wait(): Promise<T> {
    if (this.attempt !== undefined) return this.attempt.wait(this.node);
    const settled = this.node.poll();
    if (settled === undefined) return new Promise(() => {});
    return settled.ok ? Promise.resolve(settled.value) : Promise.reject(settled.error);
  }
}

/** The promise of a call: also for the id of what was called. */
export class CallPromise<T> extends JournalPromise<T> implements InvocationPromise<T> {
  readonly #idNode: AwaitNode<InvocationId>;

  constructor(node: AwaitNode<T>, idNode: AwaitNode<InvocationId>, attempt: Waiting) {
    super(node, attempt);
    this.#idNode = idNode;
  }

  get invocationId(): Promise<InvocationId> {
    return new JournalPromise(this.#idNode, this.attempt);
  }
}

/** True for the promises of a context and what was combined from them. */
export function isRestatePromise<T>(promise: Promise<T>): promise is RestatePromise<T> {
  return promise instanceof JournalPromise;
}

/** The promise behind the public type. Throws `TypeError` for any other promise, whose outcome is not in the journal. */
export function durable<T>(promise: RestatePromise<T>): JournalPromise<T> {
  if (promise instanceof JournalPromise) return trust(promise);
  throw new TypeError("only promises of the context can be combined; got something else");
}
