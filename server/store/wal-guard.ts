/**
 * Keeps the write-ahead log from starting over. It does that only where no reader stands at a frame of it; here two connections take
 * turns at standing there, each going to the newest frame before the other lets go, so that checkpoints can copy up to there.
 *
 * A reader that comes when all of the log is in the database stands at no frame and holds nothing: then the other stays.
 */
import Database from "better-sqlite3";
import type { Statement } from "better-sqlite3";

export interface WalProgress {
  readonly frames: number;
  /** Of them, those that are in the database. */
  readonly checkpointed: number;
}

interface Reader {
  readonly db: Database.Database;
  readonly touch: Statement;
}

/** A reader has to wait only while another process recovers or removes the log. */
const BUSY_TIMEOUT_MS = 1000;

export class WalGuard {
  readonly #progress: () => WalProgress;
  #standing: Reader;
  #idle: Reader;

  constructor(file: string, progress: () => WalProgress) {
    this.#progress = progress;
    this.#standing = open(file);
    this.#idle = open(file);
  }

  /** Goes to the newest frame. False: it stands nowhere, for all of the log is in the database. */
  move(): boolean {
    const { frames, checkpointed } = this.#progress();
    if (checkpointed < frames && this.#stands(this.#idle, frames)) {
      [this.#standing, this.#idle] = [this.#idle, this.#standing];
      end(this.#idle);
    }
    return this.#standing.db.inTransaction;
  }

  release(): void {
    end(this.#standing);
  }

  close(): void {
    for (const { db } of [this.#standing, this.#idle]) db.close();
  }

  /** Stands at frame `frames` or behind it, unless the database caught up with the log meanwhile. */
  #stands(reader: Reader, frames: number): boolean {
    let stands = false;
    try {
      reader.db.exec("BEGIN");
      reader.touch.get();
      stands = this.#progress().checkpointed < frames;
    } finally {
      if (!stands) end(reader);
    }
    return stands;
  }
}

function open(file: string): Reader {
  const db = new Database(file, { readonly: true, timeout: BUSY_TIMEOUT_MS });
  return { db, touch: db.prepare("SELECT rootpage FROM sqlite_schema LIMIT 1") };
}

function end({ db }: Reader): void {
  if (db.inTransaction) db.exec("ROLLBACK");
}
