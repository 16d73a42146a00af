/** The state of one key, as a test reads and writes it. */

/**
 * The state of one key of an object or a workflow. Writing it waits for the key as a call does: while a handler has the key, the
 * change comes after it.
 */
export interface StateOf<TState> {
  get<K extends keyof TState & string>(name: K): Promise<TState[K] | undefined>;
  getAll(): Promise<Partial<TState>>;
  set<K extends keyof TState & string>(name: K, value: TState[K]): Promise<void>;
  /** Replaces all of it. */
  setAll(values: Partial<TState>): Promise<void>;
}
