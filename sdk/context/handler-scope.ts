/**
 * Which handler the running code belongs to, as far as its awaits carry: with `AsyncLocalStorage`, where the runtime has it.
 * Nothing is set up before the first handler asks to be watched.
 */

/** What is told of the code of one attempt of a handler. */
export interface Watcher {
  /** @param callee the function that was called, which is not a part of where it was called from */
  onUse(api: Api, callee: unknown): void;
}

/** Something that is not the same in every attempt. */
export interface Api {
  /** As in a program: `Date.now()`. */
  readonly name: string;
  /** What to write instead. */
  readonly remedy: string;
  /** Libraries read the clock for what they log and measure; that is no concern of the handler's. */
  readonly isClock?: boolean;
}

interface Storage {
  getStore(): Watcher | undefined;
  run<R>(store: Watcher | undefined, callback: () => R): R;
}

let storage: Storage | undefined;

/** False where the runtime does not have it. */
export function enableScopes(): boolean {
  storage ??= makeStorage();
  return storage !== undefined;
}

function makeStorage(): Storage | undefined {
  if (typeof process === "undefined" || typeof process.getBuiltinModule !== "function") {
    return undefined;
  }
  try {
    const { AsyncLocalStorage } = process.getBuiltinModule("node:async_hooks");
    return new AsyncLocalStorage<Watcher | undefined>();
  } catch {
    return undefined;
  }
}

/** Of the code that is running; undefined for all that is no handler's. */
export function currentWatcher(): Watcher | undefined {
  return storage?.getStore();
}

/** Runs code of a handler. */
export function insideHandler<R>(watcher: Watcher, run: () => R): R {
  return storage === undefined ? run() : storage.run(watcher, run);
}

/** Runs what a handler set off, and what is not its own: the SDK, a logger, a codec. */
export function outsideHandler<R>(run: () => R): R {
  return storage?.getStore() === undefined ? run() : storage.run(undefined, run);
}
