/**
 * What a handler awaits, as a tree: leaves are results out of the journal, inner nodes combine them.
 *
 * 1. A node decides at most once, and its outcome never changes.
 * 2. Deciding depends only on which results are known, never on when they became known: the machine makes them known one
 *    at a time in journal order and polls in between, so the same branch wins in every replay (protocol section 8.5).
 */
import { FUTURE_DEPTH_MAX } from "../protocol/limits.ts";
import type { NotificationId, NotificationResult, Outcome } from "../protocol/messages.ts";
import { addLeaf, Combinator, nest, type TreeNode } from "./await-tree.ts";

/** What a node came out as. The error is whatever a handler would see thrown. */
export type Settled<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** A node that depends on others. */
export interface Watcher {
  /** True once it does not care any more. */
  readonly isDecided: boolean;
  /** @param place what the watcher gave to `watch` */
  onTouched(place: number): void;
}

interface Watching {
  readonly watcher: Watcher;
  readonly place: number;
}

/** How many watchers a node keeps before it looks for those that have been decided. */
const WATCHERS_UNPRUNED = 16;

export abstract class AwaitNode<T> {
  #settled: Settled<T> | undefined;
  /** Something it depends on has changed since it was last asked; otherwise asking again is in vain. */
  #isTouched = true;
  #watchers: Watching[] | undefined;
  #watchersMax = WATCHERS_UNPRUNED;

  /** The outcome, if what is known so far decides it. */
  poll(): Settled<T> | undefined {
    if (this.#isTouched && this.#settled === undefined) {
      this.#isTouched = false;
      this.#settled = this.decide();
    }
    return this.#settled;
  }

  /** Decided, as far as it has been asked. */
  get isDecided(): boolean {
    return this.#settled !== undefined;
  }

  /** The leaves the outcome still depends on. */
  collect(leaves: Leaf[]): void {
    if (this.#settled === undefined) this.collectUndecided(leaves);
  }

  /**
   * Adds to the tree what the outcome still depends on.
   *
   * @param depth of the node that is added to, 1 for the root
   */
  describe(node: TreeNode, depth: number): void {
    if (this.#settled !== undefined) return;
    if (depth < FUTURE_DEPTH_MAX - 1) return this.describeUndecided(node, depth);
    // The server takes no deeper one. It asks at every result, then, which is safe.
    const flat = nest(node, Combinator.UNKNOWN);
    const leaves: Leaf[] = [];
    this.collectUndecided(leaves);
    for (const leaf of leaves) addLeaf(flat, leaf.id);
  }

  /** Tells the watcher each time there is a reason to ask this node again. */
  watch(watcher: Watcher, place: number): void {
    this.#watchers ??= [];
    // A promise that loses one race after the other collects them.
    if (this.#watchers.length >= this.#watchersMax) {
      this.#watchers = this.#watchers.filter((each) => !each.watcher.isDecided);
      this.#watchersMax = Math.max(WATCHERS_UNPRUNED, 2 * this.#watchers.length);
    }
    this.#watchers.push({ watcher, place });
  }

  /** Something it depends on has changed. */
  protected touch(): void {
    if (this.#isTouched || this.#settled !== undefined) return;
    this.#isTouched = true;
    if (this.#watchers === undefined) return;
    for (const { watcher, place } of this.#watchers) watcher.onTouched(place);
  }

  protected abstract decide(): Settled<T> | undefined;
  protected abstract collectUndecided(leaves: Leaf[]): void;
  protected abstract describeUndecided(node: TreeNode, depth: number): void;
}

/** One result that the journal has or will have. */
export class Leaf extends AwaitNode<NotificationResult> {
  readonly id: NotificationId;
  #result: NotificationResult | undefined;

  constructor(id: NotificationId) {
    super();
    this.id = id;
  }

  /** The first result counts. */
  deliver(result: NotificationResult): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    this.touch();
  }

  protected override decide(): Settled<NotificationResult> | undefined {
    return this.#result === undefined ? undefined : { ok: true, value: this.#result };
  }

  protected override collectUndecided(leaves: Leaf[]): void {
    leaves.push(this);
  }

  protected override describeUndecided(node: TreeNode): void {
    addLeaf(node, this.id);
  }
}

/**
 * The leaf of a signal that may come several times. Each one that is awaited takes the next result; one that lost a race and
 * is never awaited again takes none away.
 */
export class QueuedLeaf extends Leaf {
  readonly #results: NotificationResult[];

  /** @param results those that nobody has taken, shared by all leaves of this signal */
  constructor(id: NotificationId, results: NotificationResult[]) {
    super(id);
    this.#results = results;
  }

  /** There is another result; whoever is asked first takes it. */
  onResult(): void {
    this.touch();
  }

  protected override decide(): Settled<NotificationResult> | undefined {
    const result = this.#results.shift();
    return result === undefined ? undefined : { ok: true, value: result };
  }
}

/**
 * The leaf of a step. Its action is executed at most once an attempt, when an await needs it; what that gives is proposed
 * to the server, and becomes known like any other result once the server has recorded it.
 */
export class RunLeaf<A> extends Leaf {
  readonly action: A;
  readonly completionId: number;
  readonly name: string;
  /** Position among the commands of the journal; Input is 0. */
  readonly commandIndex: number;
  /** False when the command stood in the journal already. */
  readonly isNew: boolean;
  state: "waiting" | "executing" | "proposed" | "recorded" = "waiting";
  /** What was proposed: the server may acknowledge it instead of sending it back. */
  proposal: Outcome | undefined;

  constructor(
    completionId: number,
    command: { readonly name: string; readonly index: number; readonly isNew: boolean },
    action: A,
  ) {
    super({ kind: "completion", completionId });
    this.completionId = completionId;
    this.name = command.name;
    this.commandIndex = command.index;
    this.isNew = command.isNew;
    this.action = action;
  }
}

/** What `map` makes of the outcome of another node. What it throws is the error of this node. */
export class Mapped<S, T> extends AwaitNode<T> implements Watcher {
  readonly #source: AwaitNode<S>;
  readonly #map: (settled: Settled<S>) => T;

  constructor(source: AwaitNode<S>, map: (settled: Settled<S>) => T) {
    super();
    this.#source = source;
    this.#map = map;
    source.watch(this, 0);
  }

  onTouched(): void {
    this.touch();
  }

  protected override decide(): Settled<T> | undefined {
    const settled = this.#source.poll();
    if (settled === undefined) return undefined;
    try {
      return { ok: true, value: this.#map(settled) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  protected override collectUndecided(leaves: Leaf[]): void {
    this.#source.collect(leaves);
  }

  /** Whether it succeeds or fails is the mapping's to say. Of several mappings in a row one says that. */
  protected override describeUndecided(node: TreeNode, depth: number): void {
    if (node.combinator === Combinator.UNKNOWN) this.#source.describe(node, depth);
    else this.#source.describe(nest(node, Combinator.UNKNOWN), depth + 1);
  }

  protected get source(): AwaitNode<S> {
    return this.#source;
  }
}

/** A mapping that succeeds when its source does, and fails when that fails. */
export class Decoded<S, T> extends Mapped<S, T> {
  protected override describeUndecided(node: TreeNode, depth: number): void {
    this.source.describe(node, depth);
  }
}

/** Decided from the start. */
export class Constant<T> extends AwaitNode<T> {
  readonly #outcome: Settled<T>;

  constructor(outcome: Settled<T>) {
    super();
    this.#outcome = outcome;
  }

  protected override decide(): Settled<T> {
    return this.#outcome;
  }

  protected override collectUndecided(): void {
    // It depends on nothing.
  }

  protected override describeUndecided(): void {
    // Likewise.
  }
}
