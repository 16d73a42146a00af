/**
 * Keeps the write-ahead log short. The log can start over at its head only when all of it is in the database at the moment of
 * a commit, and under load that moment never comes by itself. So: passes while commits go on, until little is left; then
 * a last one while commits are held. The hold is a request (`gate`): the writer collects its inputs meanwhile, and nothing
 * blocks. A commit that comes all the same harms nothing, the log starts over another time.
 *
 * Somebody who copies the log (`LogCopier`) is asked before it starts over: passes go on, but a guard keeps it from that. Then it does
 * so at once, by a commit between which and the answer nothing can come.
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

/** What a replica has to do with the log. */
export interface LogCopier {
  /** Before every pass: from here on the log must not start over, though this pass may copy all that is in it now. */
  guard(): void;
  /** Asks for leave; commits are held until `done`. */
  mayStartOver(done: (ok: boolean) => void): void;
  /** With leave. */
  startOver(): void;
}

export interface CheckpointerOptions {
  readonly passes: Passes;
  /** Frames in the log. */
  readonly frames: () => number;
  readonly framesMax: number;
  /** Syncs the database file, so that the pass under the hold finds little left to sync. */
  readonly syncDatabase: Sync;
  readonly onFailure: (error: StorageError) => void;
  /** Nothing is checkpointed before `copyTo`. */
  readonly awaitsCopier?: boolean;
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
  #copier: LogCopier | null = null;

  constructor(options: CheckpointerOptions) {
    this.#options = options;
    this.#dueAtFrames = options.framesMax;
  }

  /** Not null while the writer should hold its next commit; resolves when it may go on. Never rejects. */
  get gate(): Promise<void> | null {
    return this.#gate;
  }

  /** From now on the log starts over only with leave. */
  copyTo(copier: LogCopier): void {
    assert(this.#isAwaitingCopier, "the log has one copier, who comes before the first pass");
    this.#copier = copier;
    copier.guard();
  }

  get #isAwaitingCopier(): boolean {
    return this.#options.awaitsCopier === true && this.#copier === null;
  }

  /** Called after every commit, which stands whatever becomes of this: so it never throws. */
  committed(): void {
    this.#commits += 1;
    if (this.#busy || this.#closed || this.#commits < COMMITS_PER_LOOK) return;
    if (this.#isAwaitingCopier) return;
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
    this.#pass(this.#onFreePass);
  }

  readonly #onFreePass: PassDone = (error, result) => {
    if (error !== null || this.#closed) return this.#end(error);
    this.#freePasses += 1;
    return this.#options.syncDatabase((syncError) => {
      if (syncError !== null || this.#closed) return this.#end(syncError);
      const left = this.#options.frames() - result.checkpointed;
      if (left > HELD_FRAMES_MAX && this.#freePasses < FREE_PASSES_MAX) {
        return this.#pass(this.#onFreePass);
      }
      return this.#hold();
    });
  };

  #pass(done: PassDone): void {
    try {
      this.#copier?.guard();
      this.#options.passes.run(done);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #hold(): void {
    this.#gate = new Promise<void>((resolve) => (this.#openGate = resolve));
    this.#pass((error, { frames, checkpointed }) => {
      const copier = this.#copier;
      if (error !== null || this.#closed || copier === null) return this.#end(error);
      // A foreign reader: the log cannot start over, whatever the copier says.
      if (checkpointed < frames) return this.#end(null);
      return copier.mayStartOver((ok) => this.#answered(copier, ok));
    });
  }

  #answered(copier: LogCopier, ok: boolean): void {
    try {
      if (ok && !this.#closed) copier.startOver();
      this.#end(null);
    } catch (error) {
      this.#end(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #end(error: Error | null): void {
    this.#busy = false;
    this.#gate = null;
    this.#openGate?.();
    this.#openGate = null;
    // Busy: another program checkpoints this database. Its work is as good as ours.
    if (error !== null && sqliteCode(error) !== "SQLITE_BUSY") {
      this.#options.onFailure(storageFailure("the checkpoint failed", error));
    }
    this.#idle?.();
    this.#idle = null;
  }
}
