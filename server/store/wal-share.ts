/** The write-ahead log of a store as a replica sees it: how far it is, and when it starts over. Without a replica it only counts. */
import fs from "node:fs";
import { assert } from "../base/assert.ts";
import { ask } from "./ask.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { OpenDatabase } from "./open.ts";
import { WalGuard, type WalProgress } from "./wal-guard.ts";

/** Where the committed state is. */
export interface WalHead {
  /** Commits since the store was opened. */
  readonly commits: number;
  /** Frames of the log's present generation. */
  readonly frames: number;
  /** Of that generation: rises by one each time the log starts over. */
  readonly salt1: number;
}

export interface WalReplication {
  /** Commits are held until this answers. */
  mayStartOver(done: (ok: boolean) => void): void;
  /** Not null while commits should wait for the replica; never rejects. */
  commitGate(): Promise<void> | null;
}

export interface WalShareOptions {
  readonly database: OpenDatabase;
  readonly checkpointer: Checkpointer;
  readonly progress: () => WalProgress;
  /** The store is to take note of a commit that was not its own. */
  readonly committed: () => void;
}

/** In the header of the log. */
const SALT1_AT = 16;

export class WalShare {
  readonly #options: WalShareOptions;
  #commits = 0;
  #onCommit: (() => void) | null = null;
  #replication: WalReplication | null = null;
  #guard: WalGuard | null = null;
  /** Null: it is to be read. */
  #salt1: number | null = null;
  #version: number | null = null;

  constructor(options: WalShareOptions) {
    this.#options = options;
  }

  get commitGate(): Promise<void> | null {
    return this.#options.checkpointer.gate ?? this.#replication?.commitGate() ?? null;
  }

  head(): WalHead {
    const { frames } = this.#options.progress();
    return { commits: this.#commits, frames, salt1: this.#salt1 ?? this.#readSalt1() };
  }

  committed(): void {
    this.#commits += 1;
  }

  /** After a commit, when all who keep count have counted it. */
  tell(): void {
    this.#onCommit?.();
  }

  onCommit(fn: () => void): void {
    assert(this.#onCommit === null, "commits are told to one");
    this.#onCommit = fn;
  }

  replicate(replication: WalReplication): void {
    const { database, checkpointer, progress } = this.#options;
    const guard = new WalGuard(database.db.name, progress);
    this.#guard = guard;
    checkpointer.copyTo({
      guard: () => this.#stand(guard),
      mayStartOver: (done) => replication.mayStartOver(done),
      startOver: () => this.#startOver(guard),
    });
    this.#replication = replication;
  }

  close(): void {
    this.#guard?.close();
  }

  #stand(guard: WalGuard): void {
    if (!guard.move()) {
      // Only at a frame that is not in the database one can stand.
      this.#commitNothing(() => {});
      guard.move();
    }
    this.#salt1 ??= this.#readSalt1();
  }

  #startOver(guard: WalGuard): void {
    const { frames, checkpointed } = this.#options.progress();
    // Somebody did not wait: with what was committed meanwhile the log goes on.
    if (checkpointed < frames) return;
    this.#salt1 = null;
    this.#commitNothing(() => guard.release());
    this.#stand(guard);
  }

  /** Writes page 1 as it is. `begun` is called when the commit can no longer be refused. */
  #commitNothing(begun: () => void): void {
    const { db } = this.#options.database;
    db.exec("BEGIN IMMEDIATE");
    try {
      begun();
      this.#version ??= Number(ask(db, "PRAGMA user_version"));
      db.exec(`PRAGMA user_version = ${this.#version}`);
      db.exec("COMMIT");
    } catch (error) {
      if (db.inTransaction) db.exec("ROLLBACK");
      throw error;
    }
    this.#options.committed();
  }

  /** 0 where there is no log yet. */
  #readSalt1(): number {
    const bytes = Buffer.alloc(4);
    fs.readSync(this.#options.database.walFd, bytes, 0, bytes.length, SALT1_AT);
    return bytes.readUInt32BE(0);
  }
}
