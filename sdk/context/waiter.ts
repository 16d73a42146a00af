/** One await of the handler that has not been answered yet. */
import type { AwaitNode, Leaf } from "../replay/await-node.ts";

export class Waiter {
  readonly #node: AwaitNode<unknown>;
  readonly #settle: () => void;
  readonly reject: (reason: unknown) => void;

  constructor(node: AwaitNode<unknown>, settle: () => void, reject: (reason: unknown) => void) {
    this.#node = node;
    this.#settle = settle;
    this.reject = reject;
  }
}
