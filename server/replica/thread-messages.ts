/** What a replica's thread is asked, and answers. */
import type { Cut, CutRequest, Located, Lost } from "./pages-of-wal.ts";
import type { WalPosition } from "./segment.ts";
import type { SnapshotRequest, WrittenSnapshot } from "./snapshot-file.ts";

/** What the thread is started with. */
export interface ThreadData {
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

export interface Call {
  readonly id: number;
  readonly name: keyof Calls;
  readonly argument: unknown;
}

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly message: string; readonly code: string | null };
