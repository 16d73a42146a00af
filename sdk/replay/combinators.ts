/** The nodes with several children: the durable counterparts of `Promise.all`, `race`, `any` and `allSettled`. */
import { AwaitNode, type Leaf, type Settled } from "./await-node.ts";

abstract class Combined<T, R> extends AwaitNode<R> {
  protected readonly children: readonly AwaitNode<T>[];

  constructor(children: readonly AwaitNode<T>[]) {
    super();
    this.children = children;
  }

  protected override collectUndecided(leaves: Leaf[]): void {
    for (const child of this.children) child.collect(leaves);
  }
}

/**
 * Combinators that wait for many keep those that are still undecided, so that a child is not asked again once it has
 * answered. All the undecided are asked every time, also after one has decided the whole: a race among them must find its
 * winner at this position of the journal and not later.
 */
abstract class Counting<T, R> extends Combined<T, R> {
  #undecided: readonly AwaitNode<T>[] | undefined;

  /** Polls the undecided children. The first one that was decided now and for which `ends` holds, if any. */
  protected firstThat(ends: (settled: Settled<T>) => boolean): Settled<T> | undefined {
    let ending: Settled<T> | undefined;
    let decided = 0;
    const undecided = this.#undecided ?? this.children;
    for (const child of undecided) {
      const settled = child.poll();
      if (settled === undefined) continue;
      decided += 1;
      if (ending === undefined && ends(settled)) ending = settled;
    }
    if (decided > 0) this.#undecided = undecided.filter((child) => child.poll() === undefined);
    else this.#undecided = undecided;
    return ending;
  }

  protected get complete(): boolean {
    return this.#undecided?.length === 0;
  }

  /** The outcomes in the order of the children. Only once complete. */
  protected outcomes(): Settled<T>[] {
    return this.children.flatMap((child) => child.poll() ?? []);
  }
}

/** The first child that is decided, whatever it comes out as; of several the first in the list. */
export class Race<T> extends Combined<T, T> {
  protected override decide(): Settled<T> | undefined {
    let winner: Settled<T> | undefined;
    for (const child of this.children) {
      const settled = child.poll();
      winner ??= settled;
    }
    return winner;
  }
}

/** All values, or the first error. */
export class All<T> extends Counting<T, T[]> {
  protected override decide(): Settled<T[]> | undefined {
    const failed = this.firstThat((settled) => !settled.ok);
    if (failed !== undefined && !failed.ok) return failed;
    if (!this.complete) return undefined;
    const value = this.outcomes().flatMap((settled) => (settled.ok ? [settled.value] : []));
    return { ok: true, value };
  }
}

/** The first value, or an `AggregateError` of all errors. */
export class AnyOf<T> extends Counting<T, T> {
  protected override decide(): Settled<T> | undefined {
    const succeeded = this.firstThat((settled) => settled.ok);
    if (succeeded !== undefined) return succeeded;
    if (!this.complete) return undefined;
    const errors = this.outcomes().flatMap((settled) => (settled.ok ? [] : [settled.error]));
    return { ok: false, error: new AggregateError(errors, "All promises were rejected") };
  }
}

/** Every outcome. */
export class AllSettled<T> extends Counting<T, PromiseSettledResult<T>[]> {
  protected override decide(): Settled<PromiseSettledResult<T>[]> | undefined {
    this.firstThat(() => false);
    if (!this.complete) return undefined;
    const value = this.outcomes().map((settled): PromiseSettledResult<T> =>
      settled.ok
        ? { status: "fulfilled", value: settled.value }
        : { status: "rejected", reason: settled.error },
    );
    return { ok: true, value };
  }
}
