/** What `ctx.saga` gives its body. */
import type { RestatePromise, RunAction, RunOptions, RunStep } from "./context.ts";

/** How to execute a step that can be undone. */
export type SagaRunOptions<T> = RunOptions<T> & {
  /**
   * Undoes the step, as a step of its own named `undo {name}`. `value` is what the step gave; undefined where the step failed for
   * good, since what it did before it failed is not known. Should do nothing where there is nothing to undo.
   */
  undo: (value: T | undefined, step: RunStep) => unknown;
  /** Default: the retry policy of the service or the server. */
  undoOptions?: Omit<RunOptions<void>, "serde">;
};

/** Steps that are undone in reverse order when the saga fails for good or the invocation is cancelled. */
export interface Saga {
  /**
   * `ctx.run`, and how to undo it. It counts as begun with the call.
   *
   * @example
   * const flight = await saga.run("book flight", (step) => flights.book(step.idempotencyKey), {
   *   undo: (flight) => flight && flights.cancel(flight.id),
   * });
   */
  run<T>(name: string, action: RunAction<T>, options: SagaRunOptions<T>): RestatePromise<T>;
  /**
   * A compensation that uses the context, such as a call to another service: ordinary code of the handler, run in its place in the
   * order. The name is for the error that says it failed.
   */
  compensate(name: string, compensation: () => PromiseLike<unknown>): void;
}
