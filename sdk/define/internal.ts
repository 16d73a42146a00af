/** `internal`: what few handlers need. */
import type { Context, InvocationId, RestatePromise } from "./context.ts";
import { SuspendedError } from "./errors.ts";

/**
 * What a context can do besides. Every context is one: `ctx as Context & internal.ContextInternal`.
 */
export interface ContextInternal extends Context {
  /** False while the handler repeats what the journal holds. For logging only: a handler that acts on it does not replay. */
  isProcessing(): boolean;
  /**
   * Resolves when somebody cancels this invocation; nothing else happens then. For handlers with `explicitCancellation: true`:
   * without it, it never resolves, and cancellation ends the current await instead. It is the same promise until a
   * cancellation has been seen, and then a new one for the next. Combine it with what the handler waits for.
   *
   * @example
   * const stop = (ctx as internal.ContextInternal).cancellation().map(() => {
   *   throw new TerminalError("stopped", { errorCode: 409 });
   * });
   * await RestatePromise.race([ctx.sleep({ hours: 1 }), stop]);
   */
  cancellation(): RestatePromise<void>;
  /**
   * When awaited, cancels the calls that this handler has made up to here and not cancelled yet; one-way calls are left alone.
   * Resolves to the ids of the cancelled invocations. Without `explicitCancellation: true` it does nothing.
   */
  cancelPreviousCalls(): RestatePromise<InvocationId[]>;
}

/**
 * For the hooks of a handler: whether `next()` rejected because the attempt is over, and not because anything failed. The
 * invocation is suspended, or its connection is gone, and the handler goes on in another attempt.
 */
export function isSuspendedError(error: unknown): boolean {
  return error instanceof SuspendedError;
}
