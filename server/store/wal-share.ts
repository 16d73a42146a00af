/** The write-ahead log of a store as a replica sees it: how far it is, and when it starts over. Without a replica it only counts. */
import fs from "node:fs";
import { assert } from "../base/assert.ts";
import { ask } from "./ask.ts";
import type { Checkpointer } from "./checkpointer.ts";
import type { OpenDatabase } from "./open.ts";

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
  readonly progress: () => { readonly frames: number; readonly checkpointed: number };
  /** The store is to take note of a commit that was not its own. */
  readonly committed: () => void;
}

/** In the header of the log. */
const SALT1_AT = 16;

export class WalShare {
  readonly #options: WalShareOptions;
  #commits = 0;
  #salt1 = 0;
  #version: number | null = null;
  #onCommit: (() => void) | null = null;
  #replication: WalReplication | null = null;

  constructor(options: WalShareOptions) {
    this.#options = options;
  }

  get commitGate(): Promise<void> | null {
    return this.#options.checkpointer.gate ?? this.#replication?.commitGate() ?? null;
  }

  head(): WalHead {
    const { frames } = this.#options.progress();
    return { commits: this.#commits, frames, salt1: this.#currentSalt1() };
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
    const { frames, checkpointed } = this.#options.progress();
    // The guard stands at a frame that is not in the database yet.
    if (frames === checkpointed) this.#commitNothing();
    this.#salt1 = this.#readSalt1();
    this.#replication = replication;
    this.#options.checkpointer.guard({
      may: (done) => replication.mayStartOver(done),
      commit: () => {
        this.#commitNothing();
        this.#salt1 = this.#readSalt1();
      },
    });
  }

  /** A frame for page 1. */
  #commitNothing(): void {
    const { db } = this.#options.database;
    this.#version ??= Number(ask(db, "PRAGMA user_version"));
    db.exec(`PRAGMA user_version = ${this.#version}`);
    this.#options.committed();
  }

  /** Unguarded, the log starts over with any commit. It is guarded while commits are not held. */
  #currentSalt1(): number {
    const isGuarded = this.#replication !== null && this.#options.checkpointer.gate === null;
    return isGuarded ? this.#salt1 : this.#readSalt1();
  }

  /** 0 where there is no log yet. */
  #readSalt1(): number {
    const bytes = Buffer.alloc(4);
    fs.readSync(this.#options.database.walFd, bytes, 0, bytes.length, SALT1_AT);
    return bytes.readUInt32BE(0);
  }
}
