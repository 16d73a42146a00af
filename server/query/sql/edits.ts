/** Changes to a list of nodes, collected while its indexes are still true. */
import type { Node } from "./tree.ts";

export class Edits {
  readonly #edits: { at: number; count: number; nodes: readonly Node[] }[] = [];

  /** `count` nodes from `at` on give way to `nodes`. Places must not overlap. */
  replace(at: number, count: number, nodes: readonly Node[]): void {
    this.#edits.push({ at, count, nodes });
  }

  /** In front of the node at `at`; at the end where there is none. What is inserted first stands first. */
  insert(at: number, nodes: readonly Node[]): void {
    this.replace(at, 0, nodes);
  }

  apply(nodes: readonly Node[]): readonly Node[] {
    if (this.#edits.length === 0) return nodes;
    // The sort is stable; an insertion goes before the replacement of the node it stands in front of.
    const edits = this.#edits.toSorted((a, b) => a.at - b.at || a.count - b.count);
    const result: Node[] = [];
    let at = 0;
    for (const edit of edits) {
      result.push(...nodes.slice(at, edit.at));
      result.push(...edit.nodes);
      at = edit.at + edit.count;
    }
    return [...result, ...nodes.slice(at)];
  }
}
