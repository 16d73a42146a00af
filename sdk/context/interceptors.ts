/** Runs what hooks put around a handler or a step. */

type NextState = "not called" | "called" | "done";

export type Around = (next: () => Promise<void>) => Promise<void>;

/**
 * The value of `innermost`, with all of these around it, the first one outermost; undefined when one of them swallowed an
 * error. Rejects as the outermost does, or when one breaks the rules for `next()`.
 */
export async function intercepted<T>(
  arounds: readonly Around[],
  innermost: () => T | PromiseLike<T>,
): Promise<T | undefined> {
  let value: T | undefined;
  const run = async (place: number): Promise<void> => {
    const around = arounds[place];
    if (around === undefined) {
      value = await innermost();
      return;
    }
    let state: NextState = "not called";
    const goOn = async (): Promise<void> => {
      if (state !== "not called") throw new Error("an interceptor called next() more than once");
      state = "called";
      try {
        await run(place + 1);
      } finally {
        state = "done";
      }
    };
    await around(() => {
      const inner = goOn();
      // One that is not awaited must not end the process when it is rejected; it fails the attempt below.
      inner.catch(() => {});
      return inner;
    });
    requireDone(state);
  };
  await run(0);
  return value;
}

/** What goes on after its interceptor has returned would be lost, errors included. */
function requireDone(state: NextState): void {
  if (state === "not called") throw new Error("an interceptor returned without calling next()");
  if (state === "called") throw new Error("an interceptor returned without awaiting next()");
}
