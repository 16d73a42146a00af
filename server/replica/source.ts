/** What the replica needs of the store it copies: `SqliteStore` has it, a simulated store may. */

/** Where the committed state is at a moment between two transactions. */
export interface Head {
  /** Commits so far, from the opening of the store on. */
  readonly commits: number;
  /** Frames in the present generation of the write-ahead log, up to the end of the last commit. */
  readonly frames: number;
  /** Of that generation: rises by one each time the log starts over. */
  readonly salt1: number;
}

/** The replica's word in what becomes of the write-ahead log. */
export interface Replication {
  /**
   * The log would start over, and commits are held until this answers. True: all of it was shipped, or is given up. Then the log has
   * started over when `done` returns, or, where a foreign reader or a commit that did not wait is in the way, goes on until this is
   * asked again.
   */
  mayStartOver(done: (ok: boolean) => void): void;
  /** Not null while commits should wait for the replica; never rejects. */
  commitGate(): Promise<void> | null;
}

export interface Source {
  /** The path of the database; its log is beside it. */
  readonly file: string;
  /** Of that file, open as long as the store: closing another one would release SQLite's locks on the file. */
  readonly databaseFd: number;
  /** Costs a microsecond. Not within a transaction. */
  head(): Head;
  /** Calls back once everything committed before this call is on the disk; with an error when that cannot be had. */
  barrier(done: (error: Error | null) => void): void;
  /** `fn` is called after every commit, which stands whatever becomes of it: it must not throw. Once. */
  onCommit(fn: () => void): void;
  /** From now on the log starts over only when `mayStartOver` says so. Once, after opening. */
  replicate(replication: Replication): void;
}

/** Resolves once everything committed before this call is on the disk. */
export function durable(source: Pick<Source, "barrier">): Promise<void> {
  return new Promise((resolve, reject) => {
    source.barrier((error) => (error === null ? resolve() : reject(error)));
  });
}
