/**
 * Keeps the write-ahead log short. The log can start over at its head only when all of it is in the database at the moment of
 * a commit, and under load that moment never comes by itself. So: passes while commits go on, until little is left; then
 * a last one while commits are held. The hold is a request (`gate`): the writer collects its inputs meanwhile, and nothing
 * blocks. A commit that comes all the same harms nothing, the log starts over another time.
 *
 * Somebody who copies the log (`StartOver`) is asked before it starts over: until then a guard keeps it from that, while passes go
 * on. It starts over by a commit under the hold, not by the next that comes, so that the guard stands again before others do.
 */
import { assert } from "../base/assert.ts";
import type { StorageError } from "../base/storage-error.ts";
import type { PassDone, Passes } from "./checkpoint-worker.ts";
import { sqliteCode, storageFailure } from "./medium-error.ts";
import type { Sync } from "./barrier.ts";

/** So few frames are copied and synced in about the time of a barrier: then commits may be held for the rest. */
const HELD_FRAMES_MAX = 512;
/** A disk slower than the writer: hold after so many passes, or the log would grow for ever. */
const FREE_PASSES_MAX = 4;
/** The number of frames is asked for after so many commits; the question costs a microsecond. */
const COMMITS_PER_LOOK = 8;

/** What a replica has to do with the end of a generation of the log. */
export interface StartOver {
  /** Commits are held until this answers. */
  may(done: (ok: boolean) => void): void;
  /** Commits something that changes nothing, but stands in the log. */
  commit(): void;
}

export interface CheckpointerOptions {
  readonly passes: Passes;
  /** Frames in the log. */
  readonly frames: () => number;
  readonly framesMax: number;
  /** Syncs the database file, so that the pass under the hold finds little left to sync. */
  readonly syncDatabase: Sync;
  readonly onFailure: (error: StorageError) => void;
  /** Checkpoints nothing before `guard` is called. */
  readonly awaitsGuard?: boolean;
}

export class Checkpointer {
  readonly #options: CheckpointerOptions;
  #commits = 0;
  #dueAtFrames: number;
  #busy = false;
  #closed = false;
  #freePasses = 0;
  #gate: Promise<void> | null = null;
  #openGate: (() => void) | null = null;
  #idle: (() => void) | null = null;
  #startOver: StartOver | null = null;
  #awaitsGuard: boolean;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#dueAtFrames = options.framesMax;
    this.#awaitsGuard = options.awaitsGuard === true;
  }

  /** Not null while the writer should hold its next commit; resolves when it may go on. Never rejects. */
  get gate(): Promise<void> | null {
    return this.#gate;
  }

  /** From now on the log starts over only when it may. It must hold a frame that is not in the database. */
  guard(startOver: StartOver): void {
    assert(this.#awaitsGuard && !this.#closed, "the log is guarded once, before the first pass");
    this.#awaitsGuard = false;
    this.#startOver = startOver;
    this.#busy = true;
    this.#options.passes.guard((error) => this.#end(error));
  }

  /** Called after every commit, which stands whatever becomes of this: so it never throws. */
  committed(): void {
    this.#commits += 1;
    if (this.#busy || this.#closed || this.#awaitsGuard) return;
    if (this.#commits < COMMITS_PER_LOOK) return;
    this.#commits = 0;
    try {
      this.#look();
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #look(): void {
    const frames = this.#options.frames();
    // The log has started over since the last look.
    if (frames < this.#options.framesMax) this.#dueAtFrames = this.#options.framesMax;
    if (frames >= this.#dueAtFrames) this.#begin(frames);
  }

  /** Starts nothing more; resolves when nothing is under way and the thread has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#busy) await new Promise<void>((resolve) => (this.#idle = resolve));
    await this.#options.passes.close();
  }

  #begin(frames: number): void {
    this.#busy = true;
    this.#freePasses = 0;
    // Should a foreign reader keep the log from starting over, the next try is another such length away.
    this.#dueAtFrames = frames + this.#options.framesMax;
    this.#options.passes.run(this.#onFreePass);
  }

  readonly #onFreePass: PassDone = (error, result) => {
    if (error !== null || this.#closed) return this.#end(error);
    this.#freePasses += 1;
    return this.#options.syncDatabase((syncError) => {
      if (syncError !== null || this.#closed) return this.#end(syncError);
      const left = this.#options.frames() - result.checkpointed;
      if (left > HELD_FRAMES_MAX && this.#freePasses < FREE_PASSES_MAX) {
        return this.#options.passes.run(this.#onFreePass);
      }
      return this.#hold();
    });
  };

  #hold(): void {
    this.#gate = new Promise<void>((resolve) => (this.#openGate = resolve));
    if (this.#startOver !== null) return this.#askToStartOver(this.#startOver);
    return this.#options.passes.run((error) => this.#end(error));
  }

  #askToStartOver(startOver: StartOver): void {
    const { passes } = this.#options;
    startOver.may((ok) => {
      if (!ok || this.#closed) return this.#end(null);
      return passes.runUnguarded((passError) => {
        if (passError !== null && !isBusy(passError)) return this.#end(passError);
        try {
          // Whatever the pass came to: what this commits is not in the database, so the guard will hold.
          startOver.commit();
        } catch (error) {
          return this.#end(error instanceof Error ? error : new Error(String(error)));
        }
        return passes.guard((error) => this.#end(error));
      });
    });
  }

  #end(error: Error | null): void {
    this.#busy = false;
    this.#gate = null;
    this.#openGate?.();
    this.#openGate = null;
    if (error !== null && !isBusy(error)) {
      this.#options.onFailure(storageFailure("the checkpoint failed", error));
    }
    this.#idle?.();
    this.#idle = null;
  }
}

/** Another program checkpoints this database. Its work is as good as ours. */
const isBusy = (error: Error): boolean => sqliteCode(error) === "SQLITE_BUSY";
