/** What a replica's thread is asked, and answers. */
import type { Cut, CutRequest, Located, Lost } from "./pages-of-wal.ts";
import type { WalPosition } from "./segment.ts";
import type { SnapshotRequest, WrittenSnapshot } from "./snapshot-file.ts";

/** The first message: what the thread works with. */
export interface Setup {
  /** The database; its log is beside it. */
  readonly file: string;
  readonly databaseFd: number;
  /** The path of better-sqlite3. */
  readonly driver: string;
  /** One 32-bit number; not 0: what is under way is to be given up. */
  readonly stop: SharedArrayBuffer;
}

/** Names, and for each what it takes and returns. */
export interface Calls {
  readonly cut: (request: CutRequest) => Cut | Lost;
  readonly locate: (position: WalPosition) => Located;
  readonly pin: () => { readonly frame: number; readonly salt1: number };
  readonly write: (request: SnapshotRequest) => WrittenSnapshot;
  readonly release: () => void;
}

/** The argument is what the call of that name takes, which only the caller's types know: to others it is `never`. */
export interface Call<Argument> {
  readonly id: number;
  readonly name: keyof Calls;
  readonly argument: Argument;
}

/** Likewise. Errors of the driver do not survive the way between threads, so they come in parts. */
export type Answer<Result> =
  | { readonly id: number; readonly result: Result }
  | { readonly id: number; readonly message: string; readonly code: string | null };
