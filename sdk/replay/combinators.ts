/** The nodes with several children: the durable counterparts of `Promise.all`, `race`, `any` and `allSettled`. */
import { AwaitNode, type Leaf, type Settled, type Watcher } from "./await-node.ts";
import { Combinator, nest, type TreeNode } from "./await-tree.ts";

/**
 * Asks only those children again that have a reason to answer otherwise, so that a result costs the same however many are
 * waited for.
 */
abstract class Combined<T, R> extends AwaitNode<R> implements Watcher {
  protected abstract readonly combinator: Combinator;
  readonly #children: readonly AwaitNode<T>[];
  /** Places in the list of children to be asked. */
  #touched: number[];
  readonly #isDone: boolean[];
  #undecided: number;

  constructor(children: readonly AwaitNode<T>[]) {
    super();
    this.#children = children;
    this.#touched = Array.from(children, (_, place) => place);
    this.#isDone = Array.from(children, () => false);
    this.#undecided = children.length;
    for (const [place, child] of children.entries()) child.watch(this, place);
  }

  onTouched(place: number): void {
    this.#touched.push(place);
    this.touch();
  }

  /**
   * The outcomes of the children that have been decided since the last time, in the order of the list. All of them are
   * asked: a race among them must find its winner at this position of the journal and not later.
   */
  protected newOutcomes(): Settled<T>[] {
    const places = this.#touched.toSorted((a, b) => a - b);
    this.#touched = [];
    const outcomes: Settled<T>[] = [];
    for (const place of places) {
      const settled = this.#isDone[place] === true ? undefined : this.#children[place]?.poll();
      if (settled === undefined) continue;
      this.#isDone[place] = true;
      this.#undecided -= 1;
      outcomes.push(settled);
    }
    return outcomes;
  }

  protected get isComplete(): boolean {
    return this.#undecided === 0;
  }

  /** Of all children, in the order of the list. Only once complete. */
  protected outcomes(): Settled<T>[] {
    return this.#children.flatMap((child) => child.poll() ?? []);
  }

  protected override collectUndecided(leaves: Leaf[]): void {
    for (const child of this.#children) child.collect(leaves);
  }

  protected override describeUndecided(node: TreeNode, depth: number): void {
    const own = nest(node, this.combinator);
    for (const child of this.#children) child.describe(own, depth + 1);
  }
}

/** The first child that is decided, whatever it comes out as; of several at once the first in the list. */
export class Race<T> extends Combined<T, T> {
  protected override readonly combinator = Combinator.FIRST_COMPLETED;

  protected override decide(): Settled<T> | undefined {
    return this.newOutcomes()[0];
  }
}

/** All values, or the first error. */
export class All<T> extends Combined<T, T[]> {
  protected override readonly combinator = Combinator.ALL_SUCCEEDED_OR_FIRST_FAILED;

  protected override decide(): Settled<T[]> | undefined {
    for (const settled of this.newOutcomes()) if (!settled.ok) return settled;
    if (!this.isComplete) return undefined;
    const value = this.outcomes().flatMap((settled) => (settled.ok ? [settled.value] : []));
    return { ok: true, value };
  }
}

/** The first value, or an `AggregateError` of all errors. */
export class AnyOf<T> extends Combined<T, T> {
  protected override readonly combinator = Combinator.FIRST_SUCCEEDED_OR_ALL_FAILED;

  protected override decide(): Settled<T> | undefined {
    for (const settled of this.newOutcomes()) if (settled.ok) return settled;
    if (!this.isComplete) return undefined;
    const errors = this.outcomes().flatMap((settled) => (settled.ok ? [] : [settled.error]));
    return { ok: false, error: new AggregateError(errors, "All promises were rejected") };
  }
}

/** Every outcome. */
export class AllSettled<T> extends Combined<T, PromiseSettledResult<T>[]> {
  protected override readonly combinator = Combinator.ALL_COMPLETED;

  protected override decide(): Settled<PromiseSettledResult<T>[]> | undefined {
    this.newOutcomes();
    if (!this.isComplete) return undefined;
    const value = this.outcomes().map((settled): PromiseSettledResult<T> =>
      settled.ok
        ? { status: "fulfilled", value: settled.value }
        : { status: "rejected", reason: settled.error },
    );
    return { ok: true, value };
  }
}
