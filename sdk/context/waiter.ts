/** An await of the handler that has not been answered yet. */
import type { AwaitNode, Leaf } from "../replay/await-node.ts";
import type { TreeNode } from "../replay/await-tree.ts";

export interface Waiter {
  readonly isDecided: boolean;
  /** Answers with the outcome. Only once decided. */
  settle(): void;
  /** Answers with an error that is not the outcome: the node can be awaited again. */
  reject(reason: unknown): void;
  collect(leaves: Leaf[]): void;
  describe(node: TreeNode, depth: number): void;
}

export class NodeWaiter<T> implements Waiter {
  readonly #node: AwaitNode<T>;
  readonly #resolve: (value: T) => void;
  readonly #reject: (reason: unknown) => void;

  constructor(node: AwaitNode<T>, resolve: (value: T) => void, reject: (reason: unknown) => void) {
    this.#node = node;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get isDecided(): boolean {
    return this.#node.poll() !== undefined;
  }

  settle(): void {
    const settled = this.#node.poll();
    if (settled === undefined) return;
    if (settled.ok) this.#resolve(settled.value);
    else this.#reject(settled.error);
  }

  reject(reason: unknown): void {
    this.#reject(reason);
  }

  collect(leaves: Leaf[]): void {
    this.#node.collect(leaves);
  }

  describe(node: TreeNode, depth: number): void {
    this.#node.describe(node, depth);
  }
}
