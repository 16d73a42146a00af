/** The combinators, under the name of the type they make. */
import { trust } from "../define/any.ts";
import type { RestatePromise as RestatePromiseType } from "../define/context.ts";
import type { TerminalError } from "../define/errors.ts";
import { type AwaitNode, Constant } from "../replay/await-node.ts";
import { All, AllSettled, AnyOf, Race } from "../replay/combinators.ts";
import { durable, JournalPromise } from "./journal-promise.ts";

type Promises = readonly RestatePromiseType<unknown>[];
type Values<T extends Promises> = { -readonly [P in keyof T]: Awaited<T[P]> };
type Outcomes<T extends Promises> = {
  -readonly [P in keyof T]: PromiseSettledResult<Awaited<T[P]>>;
};

export type RestatePromise<T> = RestatePromiseType<T>;

/**
 * Combines promises of the context. Which of several is first is decided by their order in the journal, so it is the same
 * in every attempt. Throws `TypeError` when given any other promise.
 */
export const RestatePromise = {
  /** A promise that is resolved already; a `RestatePromise` is returned as it is. */
  resolve<T>(value: T): RestatePromiseType<Awaited<T>> {
    if (value instanceof JournalPromise) return trust(value);
    return new JournalPromise(
      new Constant({ ok: true, value: trust<Awaited<T>>(value) }),
      undefined,
    );
  },

  /** A promise that is rejected already. */
  reject<T = never>(reason: TerminalError): RestatePromiseType<T> {
    return new JournalPromise(new Constant<T>({ ok: false, error: reason }), undefined);
  },

  /** All values in the order of the list; the first failure as soon as there is one. */
  all<const T extends Promises>(values: T): RestatePromiseType<Values<T>> {
    return trust(combine(values, (nodes) => new All(nodes)));
  },

  /** The outcome of the first one that is decided. An empty list is never decided. */
  race<const T extends Promises>(values: T): RestatePromiseType<Awaited<T[number]>> {
    return trust(combine(values, (nodes) => new Race(nodes)));
  },

  /** The value of the first one that succeeds; an `AggregateError` when all fail. */
  any<const T extends Promises>(values: T): RestatePromiseType<Awaited<T[number]>> {
    return trust(combine(values, (nodes) => new AnyOf(nodes)));
  },

  /** The outcomes of all, in the order of the list. Never rejected. */
  allSettled<const T extends Promises>(values: T): RestatePromiseType<Outcomes<T>> {
    return trust(combine(values, (nodes) => new AllSettled(nodes)));
  },
};

/** @deprecated use `RestatePromise` */
export type CombineablePromise<T> = RestatePromiseType<T>;
/** @deprecated use `RestatePromise` */
export const CombineablePromise = RestatePromise;

function combine<R>(
  values: Promises,
  node: (nodes: readonly AwaitNode<unknown>[]) => AwaitNode<R>,
): JournalPromise<R> {
  const promises = Array.from(values, (value) => durable(value));
  const attempt = promises.find((promise) => promise.attempt !== undefined)?.attempt;
  return new JournalPromise(node(promises.map((promise) => promise.node)), attempt);
}
