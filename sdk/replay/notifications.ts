/**
 * Notifications on their way to the awaits they answer.
 *
 * They wait in the order of the journal and are made known one at a time. A result nobody has asked for yet waits for its
 * leaf: a signal may come before the awakeable, a completion before its command. Of several results with one id the first
 * counts; the signals of one name are a queue instead, because each `ctx.signal(name)` is a new wait.
 */
import { CANCEL_SIGNAL } from "../protocol/messages.ts";
import type { Notification, NotificationId, NotificationResult } from "../protocol/messages.ts";
import { Leaf, QueuedLeaf } from "./await-node.ts";

interface SignalQueue {
  readonly results: NotificationResult[];
  leaves: QueuedLeaf[];
}

export class Notifications {
  #pending: Notification[] = [];
  #taken = 0;
  readonly #completions = new Slots();
  readonly #signals = new Slots();
  readonly #named = new Map<string, SignalQueue>();

  /** Takes a notification in journal order. Nobody sees it yet. */
  push(notification: Notification): void {
    this.#pending.push(notification);
  }

  /** The leaf gets the result of its completion. */
  expectCompletion(completionId: number, leaf: Leaf): void {
    this.#completions.expect(completionId, leaf);
  }

  completionLeaf(completionId: number): Leaf | undefined {
    return this.#completions.leaf(completionId);
  }

  signal(index: number): Leaf {
    const leaf = new Leaf({ kind: "signal-index", index });
    this.#signals.expect(index, leaf);
    return leaf;
  }

  namedSignal(name: string): Leaf {
    const queue = this.#queue(name);
    const leaf = new QueuedLeaf({ kind: "signal-name", name }, queue.results);
    queue.leaves.push(leaf);
    return leaf;
  }

  /** Makes the next notification known and says what it was about; undefined when there is none. */
  deliverNext(): NotificationId | undefined {
    const notification = this.#pending[this.#taken];
    if (notification === undefined) return undefined;
    this.#taken += 1;
    if (this.#taken === this.#pending.length) {
      this.#pending = [];
      this.#taken = 0;
    }
    const { id, result } = notification;
    if (id.kind === "completion") this.#completions.deliver(id.completionId, result);
    else if (id.kind === "signal-name") this.#deliverNamed(id.name, result);
    else if (id.index !== CANCEL_SIGNAL) this.#signals.deliver(id.index, result);
    return id;
  }

  #deliverNamed(name: string, result: NotificationResult): void {
    const queue = this.#queue(name);
    queue.results.push(result);
    queue.leaves = queue.leaves.filter((leaf) => !leaf.isDecided);
    for (const leaf of queue.leaves) leaf.onResult();
  }

  #queue(name: string): SignalQueue {
    let queue = this.#named.get(name);
    if (queue === undefined) {
      queue = { results: [], leaves: [] };
      this.#named.set(name, queue);
    }
    return queue;
  }
}

/** Leaves by number, and the results that came before their leaf. */
class Slots {
  readonly #leaves = new Map<number, Leaf>();
  readonly #early = new Map<number, NotificationResult>();

  expect(number: number, leaf: Leaf): void {
    this.#leaves.set(number, leaf);
    if (this.#early.size === 0) return;
    const result = this.#early.get(number);
    if (result !== undefined) leaf.deliver(result);
  }

  leaf(number: number): Leaf | undefined {
    return this.#leaves.get(number);
  }

  deliver(number: number, result: NotificationResult): void {
    const leaf = this.#leaves.get(number);
    if (leaf !== undefined) leaf.deliver(result);
    else if (!this.#early.has(number)) this.#early.set(number, result);
  }
}
