/**
 * Carries commits into the history: cuts what was committed out of the write-ahead log and appends it, in order.
 *
 * H1 One thing at a time: cuts, the pin of a snapshot and the end of a generation follow one another.
 * H2 What is cut is on this disk already (R8), and the payloads it names are in the bucket before it is appended (R9).
 * H3 The log starts over only when all of it is accepted. Where the bucket stays away for too long, continuity is given up
 *    instead: the next segment is then a base.
 */
import type { Appender } from "./appender.ts";
import { Progress } from "./progress.ts";
import type { BlobRef, Segment, WalPosition } from "./segment.ts";
import { durable, type Head, type Source } from "./source.ts";
import { isSameGeneration, PAGE_BYTES } from "./wal.ts";
import type { WalThread } from "./wal-thread.ts";

/** So many segments are under way at once: more would cost PUTs and memory and save no time. */
const UNDER_WAY_MAX = 4;
/** Under durability `bucket`: while a segment is under way, the next is cut after this. */
const GAP_MS = 15;
/** Commits wait for so long, at most, for the log's end to be accepted. */
const END_MS_MAX = 250;

export interface ShipperOptions {
  readonly source: Source;
  readonly pages: Pick<WalThread, "cut">;
  readonly appender: Appender;
  /** Where the history's state is in this directory's log; "base": it does not follow from it. */
  readonly start: WalPosition | "start" | "base";
  /** Somebody waits for each commit (durability `bucket`): ship at once. */
  readonly isEager: boolean;
  readonly intervalMs: number;
  readonly segmentBytes: number;
  readonly unshippedBytesMax: number;
  /** Payloads committed since the last call; resolves when they are in the bucket. */
  readonly uploadNewBlobs: () => {
    readonly refs: readonly BlobRef[];
    readonly done: Promise<void>;
  };
  /** Stores the whole and appends a base; returns the position it stands for and the commits it holds. */
  readonly makeBase: (
    reason: string,
  ) => Promise<{ position: WalPosition; commits: number; seq: number }>;
  /** Notes durably that the generation ends here, wholly shipped; null: that nothing follows from what was shipped. */
  readonly noteEnd: (end: WalPosition | null) => void;
  readonly after: (ms: number, fn: () => void) => () => void;
  readonly monotonicMs: () => number;
  /** The server cannot go on replicating: a defect. */
  readonly onDefect: (error: unknown) => void;
  readonly onLost: (reason: string) => void;
}

/** A segment that was appended, accepted or not. */
export interface Appended {
  readonly seq: number;
  readonly hash: Uint8Array;
}

/** The end of what a reader holds. */
interface Pinned {
  readonly frame: number;
  readonly salt1: number;
}

export class Shipper {
  readonly #options: ShipperOptions;
  #position: WalPosition | "start";
  #needsBase: string | null;
  /** Where the log was allowed to start over; null once it has, or has gone on. */
  #endedAt: WalPosition | null = null;
  /** Counts how often continuity was given up: what is cut across such a moment is void. */
  #breaks = 0;
  #signalBreak: () => void = () => {};
  #broken: Promise<void> = this.#nextBreak();
  #turn: Promise<void> = Promise.resolve();
  #isBusy = false;
  #pins = 0;
  readonly #progress = new Progress();
  /** -1: the log may hold what an earlier process committed. */
  #cutCommits = -1;
  /** How much of the present generation is accepted. */
  #acceptedFrame = 0;
  #dirtySinceMs: number | null = null;
  #lastCutMs = Number.NEGATIVE_INFINITY;
  #cancelTimer: (() => void) | null = null;
  #relieved: (() => void)[] = [];
  #failure: Error | null = null;
  #closed = false;

  constructor(options: ShipperOptions) {
    this.#options = options;
    this.#needsBase = options.start === "base" ? "its history is not known to the bucket" : null;
    this.#position = options.start === "base" ? "start" : options.start;
    // An earlier process ended its generation there, when the log is in another one: else what follows is still in it.
    const { salt1 } = options.source.head();
    if (this.#position !== "start") {
      if (salt1 === this.#position.salt1) this.#acceptedFrame = this.#position.frame;
      else this.#endedAt = this.#position;
    }
    options.source.onCommit(this.#committed);
  }

  start(): void {
    this.#dirtySinceMs = this.#options.monotonicMs();
    this.#wake();
  }

  /** Everything committed so far is accepted. */
  get isShipped(): boolean {
    return this.#progress.shippedCommits >= this.#options.source.head().commits;
  }

  /** Bytes of the log that are not accepted yet, as frames. */
  get unshippedBytes(): number {
    const { frames } = this.#options.source.head();
    const from = this.#acceptedFrame;
    return (frames >= from ? frames - from : frames) * PAGE_BYTES;
  }

  /** How long the oldest commit that is not accepted has been waiting; 0: there is none. */
  get lagMs(): number {
    const sinceMs = this.#progress.sinceMs ?? this.#dirtySinceMs;
    return sinceMs === null || this.isShipped
      ? 0
      : Math.max(0, this.#options.monotonicMs() - sinceMs);
  }

  /** Calls back once the commits so far are accepted; in the order of the calls. */
  whenShipped(done: (error: Error | null) => void): void {
    const { commits } = this.#options.source.head();
    this.#progress.wait(commits, done);
    this.#wake();
  }

  /** Not null while so much is unshipped that commits must wait. Under durability `disk` they never do. */
  get commitGate(): Promise<void> | null {
    if (!this.#options.isEager || this.unshippedBytes <= this.#options.unshippedBytesMax)
      return null;
    return new Promise((resolve) => this.#relieved.push(resolve));
  }

  /** Told by the appender, in order. */
  accepted(segment: Segment): void {
    const { seq } = segment.head;
    if (segment.content.kind !== "claim") this.#acceptedAt(segment.content.position);
    this.#progress.accepted(seq);
    for (const relieved of this.#relieved.splice(0)) relieved();
    this.#wake();
  }

  /** Nothing will be accepted any more: everybody who waits is told so. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#closed = true;
    this.#cancelTimer?.();
    this.#progress.fail(error);
  }

  close(): void {
    this.fail(new Error("the replica is closed"));
  }

  /** Resolves when everything committed by now is accepted. */
  caughtUp(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.whenShipped((error) => (error === null ? resolve() : reject(error)));
      this.#ship();
    });
  }

  /**
   * Runs `pin`, then cuts up to the frame it returns: the state it holds is that after the segment returned. Null when that cannot
   * be had, since the log was given up.
   */
  async cutAt(pin: () => Promise<Pinned>): Promise<Appended | null> {
    return this.#alone(async () => {
      if (this.#needsBase !== null) return null;
      const { commits } = this.#options.source.head();
      const { frame, salt1 } = await pin();
      if (!(await this.#cutTo({ commits, frames: frame, salt1 }))) return null;
      const { appender } = this.#options;
      return { seq: appender.nextSeq - 1, hash: appender.lastHash };
    });
  }

  /** Until it is released the log does not start over, or, where it must, `isBroken` says so. */
  hold(): { readonly isBroken: () => boolean; readonly release: () => void } {
    this.#pins += 1;
    const breaks = this.#breaks;
    return {
      isBroken: () => this.#breaks !== breaks,
      release: () => {
        this.#pins -= 1;
      },
    };
  }

  /** The log would start over; commits are held. Answers within `END_MS_MAX`. */
  readonly mayStartOver = (done: (ok: boolean) => void): void => {
    const isTooLong = this.unshippedBytes > this.#options.unshippedBytesMax;
    const giveUp = (): void => {
      if (!isTooLong || this.#options.isEager) return done(false);
      this.#lose(`more than ${this.#options.unshippedBytesMax} bytes were unshipped`);
      return done(true);
    };
    if (this.#pins > 0 || this.#needsBase !== null) return giveUp();
    let isAnswered = false;
    const once = (answer: () => void) => (): void => {
      if (isAnswered) return;
      isAnswered = true;
      cancel();
      answer();
    };
    const cancel = this.#options.after(END_MS_MAX, () => once(giveUp)());
    this.caughtUp().then(
      once(() => (this.#end() ? done(true) : giveUp())),
      once(() => done(false)),
    );
    return undefined;
  };

  #acceptedAt(position: WalPosition): void {
    const current = this.#position;
    const isCurrent = current !== "start" && isSameGeneration(current, position);
    this.#acceptedFrame = isCurrent ? position.frame : 0;
  }

  /** The generation ends where the history stands. False when something is in between after all. */
  #end(): boolean {
    const { commits } = this.#options.source.head();
    if (this.#isBusy || this.#position === "start" || this.#needsBase !== null) return false;
    if (commits !== this.#progress.shippedCommits || this.#pins > 0) return false;
    this.#options.noteEnd(this.#position);
    this.#endedAt = this.#position;
    return true;
  }

  readonly #committed = (): void => {
    this.#dirtySinceMs ??= this.#options.monotonicMs();
    if (this.#cancelTimer === null || this.#isLong()) this.#wake();
  };

  #isLong(): boolean {
    if (this.#position === "start") return false;
    const { frames } = this.#options.source.head();
    const { frame } = this.#position;
    return (frames >= frame ? frames - frame : frames) * PAGE_BYTES >= this.#options.segmentBytes;
  }

  /** Ships when it is time, or sets the timer for when it is. */
  #wake(): void {
    if (this.#closed || this.#isBusy) return;
    const delayMs = this.#delayMs();
    if (delayMs === null) return;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    if (delayMs <= 0) return this.#ship();
    this.#cancelTimer = this.#options.after(delayMs, () => {
      this.#cancelTimer = null;
      this.#ship();
    });
  }

  /** Null: nothing to do until something is accepted or committed. */
  #delayMs(): number | null {
    const { appender, isEager, intervalMs, monotonicMs, source } = this.#options;
    if (this.#needsBase === null && this.#cutCommits >= source.head().commits) return null;
    if (appender.unacceptedCount >= UNDER_WAY_MAX) return null;
    const isAwaited = this.#progress.awaitedCommits > this.#cutCommits;
    if (isEager && isAwaited) {
      if (appender.unacceptedCount === 0) return 0;
      return this.#lastCutMs + GAP_MS - monotonicMs();
    }
    if (isAwaited || this.#isLong()) return 0;
    return (this.#dirtySinceMs ?? monotonicMs()) + intervalMs - monotonicMs();
  }

  #ship(): void {
    if (this.#closed || this.#isBusy) return;
    this.#alone(async () => {
      if (this.#needsBase === null) await this.#cutTo(this.#options.source.head());
      else await this.#base();
    }).catch((error: unknown) => {
      if (!this.#closed) this.#options.onDefect(error);
    });
  }

  /** One after another (H1). */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(async () => {
      if (this.#failure !== null) throw this.#failure;
      this.#isBusy = true;
      try {
        return await run();
      } finally {
        this.#isBusy = false;
      }
    });
    this.#turn = result.then(
      () => this.#wake(),
      () => {},
    );
    return result;
  }

  /** Cuts and appends up to this frame. False when the log was given up meanwhile. */
  async #cutTo(head: Head): Promise<boolean> {
    const { source, pages, appender, segmentBytes, monotonicMs } = this.#options;
    const sinceMs = this.#dirtySinceMs ?? monotonicMs();
    this.#dirtySinceMs = null;
    this.#lastCutMs = monotonicMs();
    const breaks = this.#breaks;
    const { refs, done: uploaded } = this.#options.uploadNewBlobs();
    await durable(source);
    let blobs = refs;
    for (;;) {
      const cut = await pages.cut({
        from: this.#position,
        restarted: this.#endedAt !== null,
        toFrame: head.frames,
        toSalt1: head.salt1,
        rawBytesMax: segmentBytes,
        blobs,
      });
      if (breaks !== this.#breaks) return false;
      if ("lost" in cut) {
        this.#lose(cut.lost);
        return false;
      }
      await Promise.race([uploaded, this.#broken]);
      if (breaks !== this.#breaks) return false;
      this.#moveTo(cut.position);
      const { frames, ...delta } = cut;
      if (frames > 0 || blobs.length > 0) {
        const seq = appender.append({ kind: "delta", ...delta });
        this.#progress.appended({ seq, commits: null, sinceMs });
      }
      blobs = [];
      if (cut.position.frame >= head.frames) break;
      await Promise.race([this.#room(), this.#broken]);
      if (breaks !== this.#breaks) return false;
    }
    this.#cutCommits = Math.max(this.#cutCommits, head.commits);
    this.#progress.covered(head.commits);
    return true;
  }

  /** Too many segments under way would fill the memory. */
  async #room(): Promise<void> {
    const { appender } = this.#options;
    while (appender.unacceptedCount >= UNDER_WAY_MAX) {
      await appender.whenAccepted(appender.acceptedSeq + 1);
    }
  }

  #moveTo(position: WalPosition): void {
    const before = this.#position;
    const isSame = before !== "start" && isSameGeneration(before, position);
    if (!isSame) this.#acceptedFrame = 0;
    if (!isSame || position.frame > before.frame) this.#endedAt = null;
    this.#position = position;
  }

  async #base(): Promise<void> {
    const reason = this.#needsBase ?? "";
    const breaks = this.#breaks;
    const sinceMs = this.#dirtySinceMs ?? this.#options.monotonicMs();
    this.#dirtySinceMs = null;
    const { position, commits, seq } = await this.#options.makeBase(reason);
    this.#progress.appended({ seq, commits, sinceMs });
    // Were it the first of all and lost with this machine, what follows it would look like a history whose beginning is gone.
    await this.#options.appender.whenAccepted(seq);
    // It was accepted before this was told of it.
    this.#progress.accepted(this.#options.appender.acceptedSeq);
    // While it was under way the log was given up again: this base is a state of the past, and another follows.
    if (breaks !== this.#breaks) return;
    this.#needsBase = null;
    this.#moveTo(position);
    this.#acceptedFrame = position.frame;
    this.#endedAt = null;
    this.#cutCommits = commits;
    if (commits >= this.#options.source.head().commits) this.#dirtySinceMs = null;
  }

  #nextBreak(): Promise<void> {
    return new Promise((resolve) => (this.#signalBreak = resolve));
  }

  /** What follows cannot be derived from what was shipped: a base has to. */
  #lose(reason: string): void {
    this.#breaks += 1;
    this.#signalBreak();
    this.#broken = this.#nextBreak();
    this.#needsBase = reason;
    this.#options.noteEnd(null);
    this.#options.onLost(reason);
  }
}
