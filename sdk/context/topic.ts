/** `ctx.recv`: the messages of a topic, in the order the server numbered them. */
import { AwaitNode, type Leaf, type Settled, type Watcher } from "../replay/await-node.ts";
import type { TreeNode } from "../replay/await-tree.ts";
import type { NotificationResult } from "../protocol/messages.ts";
import { numberedMessageSignal } from "../protocol/signal-names.ts";

/** Makes the leaf of a named signal. */
type LeafOf = (name: string) => Leaf;

export class Topics {
  readonly #leafOf: LeafOf;
  readonly #topics = new Map<string, Topic>();

  constructor(leafOf: LeafOf) {
    this.#leafOf = leafOf;
  }

  receive(name: string): AwaitNode<NotificationResult> {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name, this.#leafOf);
      this.#topics.set(name, topic);
    }
    return new Receipt(topic);
  }
}

class Topic {
  readonly #name: string;
  readonly #leafOf: LeafOf;
  #number = 0;
  #next: Leaf;

  constructor(name: string, leafOf: LeafOf) {
    this.#name = name;
    this.#leafOf = leafOf;
    this.#next = leafOf(numberedMessageSignal(name, 0));
  }

  /** The first message that nobody has taken. */
  get next(): Leaf {
    return this.#next;
  }

  take(): void {
    this.#number += 1;
    this.#next = this.#leafOf(numberedMessageSignal(this.#name, this.#number));
  }
}

/**
 * The next message of a topic: whoever is asked first takes it. One that is never awaited again, since its time was out, a race was
 * lost or the invocation was cancelled, takes none away.
 */
class Receipt extends AwaitNode<NotificationResult> implements Watcher {
  readonly #topic: Topic;
  #watched: Leaf | undefined;

  constructor(topic: Topic) {
    super();
    this.#topic = topic;
  }

  onTouched(): void {
    this.touch();
  }

  protected override decide(): Settled<NotificationResult> | undefined {
    const leaf = this.#topic.next;
    const settled = leaf.poll();
    if (settled !== undefined) {
      this.#topic.take();
      return settled;
    }
    if (this.#watched !== leaf) leaf.watch(this, 0);
    this.#watched = leaf;
    return undefined;
  }

  protected override collectUndecided(leaves: Leaf[]): void {
    leaves.push(this.#topic.next);
  }

  protected override describeUndecided(node: TreeNode, depth: number): void {
    this.#topic.next.describe(node, depth);
  }
}
