/**
 * The pages of a database that is in use, for the replica: what was committed since a position, and a whole state. Two threads, so
 * that cuts go on while a snapshot is written. To be closed before the store is.
 */
import type { Cut, CutRequest, Located, Lost } from "./pages-of-wal.ts";
import type { WalPosition } from "./segment.ts";
import type { DatabaseFile, SnapshotRequest, WrittenSnapshot } from "./snapshot-file.ts";
import { ThreadClient } from "./thread-client.ts";

export class WalThread {
  readonly #cuts: ThreadClient;
  readonly #snapshots: ThreadClient;

  /** Such as a store. */
  constructor({ file, databaseFd }: DatabaseFile) {
    this.#cuts = new ThreadClient({ file, databaseFd }, "replica cuts");
    this.#snapshots = new ThreadClient({ file, databaseFd }, "replica snapshots");
  }

  /** Reads frames behind `from` and ends at a commit; "lost" where what follows `from` is not to be had. */
  cut(request: CutRequest): Promise<Cut | Lost> {
    return this.#cuts.call("cut", request);
  }

  locate(position: WalPosition): Promise<Located> {
    return this.#cuts.call("locate", position);
  }

  /** Holds the state after `frame`, until `release`. One at a time. */
  pin(): Promise<{ readonly frame: number; readonly salt1: number }> {
    return this.#snapshots.call("pin");
  }

  /** Writes what is pinned. */
  write(request: SnapshotRequest): Promise<WrittenSnapshot> {
    return this.#snapshots.call("write", request);
  }

  async release(): Promise<void> {
    if (!this.#snapshots.isRunning) return undefined;
    return this.#snapshots.call("release");
  }

  /** What is under way is given up. */
  async close(): Promise<void> {
    await Promise.all([this.#cuts.close(), this.#snapshots.close()]);
  }
}
