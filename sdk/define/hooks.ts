/** Hooks: code of your own around handlers and their steps, such as tracing. */
import type { Request } from "./context.ts";

/**
 * Goes around a handler, or around its steps. It is part of the invocation: what it throws, before or after `next()`, is
 * treated as if the handler or the step had thrown it. `next()` must be called exactly once. The result goes past it, but an
 * error can be caught and another one thrown; one that is swallowed is a success without a result.
 */
export interface Interceptor {
  /**
   * Around the handler, in every attempt. When the attempt ends before the handler does, because it is suspended, paused, or
   * tried again, `next()` rejects; `internal.isSuspendedError` tells when that is no failure. Clean up and throw it on.
   */
  handler?: (next: () => Promise<void>) => Promise<void>;
  /**
   * Around the action of each step that is executed; a recorded step is not executed again.
   *
   * @param name of the step; empty when it has none
   */
  run?: (name: string, next: () => Promise<void>) => Promise<void>;
}

export interface Hooks {
  interceptor?: Interceptor;
}

/**
 * Called once for each attempt; what it returns is for that attempt.
 *
 * @example
 * const timing: HooksProvider = ({ request }) => ({
 *   interceptor: {
 *     handler: async (next) => {
 *       const startedMs = performance.now();
 *       try {
 *         await next();
 *       } finally {
 *         histogram.record(`${request.target}`, performance.now() - startedMs);
 *       }
 *     },
 *   },
 * });
 * const greeter = service({ name: "Greeter", handlers, options: { hooks: [timing] } });
 */
export type HooksProvider = (ctx: { request: Request }) => Hooks;
