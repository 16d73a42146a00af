/**
 * The end of the history, as its writer knows it: numbers segments, stores them, and says which are accepted (R3).
 *
 * N1 At most `WINDOW` segments are on their way (R2); the rest wait.
 * N2 `onAccepted` comes in the order of the numbers, each once.
 * N3 A refused PUT is our own, if what is there is ours byte for byte; else this writer is fenced, for ever (R4).
 * N4 A failed PUT is tried again until it is answered: it may have happened, and N3 tells.
 */
import type { HistoryEnd, WriterIdentity } from "./attachment.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { FencedError } from "./fenced-error.ts";
import { sameBytes } from "./format.ts";
import { segmentKey } from "./names.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { Base, Delta, Segment } from "./segment.ts";
import { decodeSegment, encodeSegment, WINDOW } from "./segment-codec.ts";

const RETRY_MS_MAX = 5000;

export interface AppenderOptions {
  readonly bucket: Bucket;
  readonly identity: WriterIdentity;
  readonly end: HistoryEnd;
  readonly after: (ms: number, fn: () => void) => () => void;
  readonly nowMs: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly onAccepted: (segment: Segment) => void;
  readonly onFenced: (error: FencedError) => void;
  readonly onTrouble?: (error: BucketError) => void;
  /** From the first try of a segment until its PUT succeeded, and its bytes. */
  readonly onPut?: (durationMs: number, bytes: number) => void;
}

interface Pending {
  readonly segment: Segment;
  readonly bytes: Uint8Array;
  isStored: boolean;
}

interface Waiter {
  readonly seq: number;
  readonly done: () => void;
  readonly failed: (error: Error) => void;
}

export class Appender {
  readonly #options: AppenderOptions;
  /** In the order of their numbers; the first `WINDOW` are on their way. */
  readonly #pending: Pending[] = [];
  #started = 0;
  #waiters: Waiter[] = [];
  #nextSeq: number;
  #lastHash: Uint8Array;
  #lastTimeMs: number;
  #acceptedSeq: number;
  #failure: Error | null = null;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#nextSeq = options.end.seq;
    this.#lastHash = options.end.hash;
    this.#lastTimeMs = options.end.timeMs;
    this.#acceptedSeq = options.end.seq - 1;
  }

  /** Of the segment that is appended next. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Of the newest accepted segment; before the first, the number before it. */
  get acceptedSeq(): number {
    return this.#acceptedSeq;
  }

  get unacceptedCount(): number {
    return this.#pending.length;
  }

  /** Of the newest appended segment, accepted or not. */
  get lastHash(): Uint8Array {
    return this.#lastHash;
  }

  /** Returns the number of the segment. It is accepted later, or this writer is fenced. */
  append(content: Delta | Base): number {
    const { identity, nowMs } = this.#options;
    const seq = this.#nextSeq;
    this.#lastTimeMs = Math.max(this.#lastTimeMs, nowMs());
    const head = { ...identity, seq, previousHash: this.#lastHash, timeMs: this.#lastTimeMs };
    const { bytes, segment } = encodeSegment(head, content);
    this.#nextSeq = seq + 1;
    this.#lastHash = segment.hash;
    this.#pending.push({ segment, bytes, isStored: false });
    this.#send();
    return seq;
  }

  /** Rejects with `FencedError`, or when it is closed before. */
  whenAccepted(seq: number): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (seq <= this.#acceptedSeq) return Promise.resolve();
    return new Promise((done, failed) => this.#waiters.push({ seq, done, failed }));
  }

  /** Nobody has stored anything behind the newest accepted segment. Also false where this writer is about to. */
  async isNewest(): Promise<boolean> {
    return (await this.#options.bucket.get(segmentKey(this.#acceptedSeq + 1))) === null;
  }

  /** What is on its way may still arrive; nobody is told. */
  close(): void {
    this.#fail(new Error("the replica is closed"));
  }

  #send(): void {
    while (this.#failure === null && this.#started < Math.min(this.#pending.length, WINDOW)) {
      const next = this.#pending[this.#started];
      this.#started += 1;
      if (next === undefined) return;
      this.#store(next).catch((error: unknown) => {
        // A defect: nothing may be acknowledged any more.
        this.#fail(error instanceof Error ? error : new Error(String(error)));
        throw error;
      });
    }
  }

  async #store(pending: Pending): Promise<void> {
    const { bucket, nowMs, onPut } = this.#options;
    const { seq } = pending.segment.head;
    const beganMs = nowMs();
    for (let attempt = 0; this.#failure === null; attempt += 1) {
      try {
        const result = await bucket.putNew(segmentKey(seq), pending.bytes);
        const owner = result === "created" ? null : await this.#ownerOf(seq, pending.bytes);
        if (this.#failure !== null) return;
        if (owner !== null) return this.#fenced(seq, owner);
        pending.isStored = true;
        onPut?.(Math.max(0, nowMs() - beganMs), pending.bytes.length);
        return this.#accept();
      } catch (error) {
        if (!(error instanceof BucketError)) throw error;
        if (this.#failure !== null) return;
        this.#options.onTrouble?.(error);
        await this.#pause(attempt);
      }
    }
  }

  /** Null when what is there is ours. A store that has refused a PUT has the object; one that has lost it since is asked again. */
  async #ownerOf(seq: number, bytes: Uint8Array): Promise<string | null> {
    const there = await this.#options.bucket.get(segmentKey(seq));
    if (there === null)
      throw new BucketError("unavailable", `segment ${seq} is refused, and not there`);
    if (sameBytes(there, bytes)) return null;
    return ownerOf(there);
  }

  #accept(): void {
    while (this.#pending[0]?.isStored === true) {
      const [first] = this.#pending.splice(0, 1);
      if (first === undefined) return;
      this.#started -= 1;
      const { seq } = first.segment.head;
      this.#acceptedSeq = seq;
      this.#options.onAccepted(first.segment);
      for (const { done } of this.#take(seq)) done();
    }
    this.#send();
  }

  #take(seq: number): Waiter[] {
    const due = this.#waiters.filter((waiter) => waiter.seq <= seq);
    if (due.length > 0) this.#waiters = this.#waiters.filter((waiter) => waiter.seq > seq);
    return due;
  }

  #fenced(seq: number, owner: string): void {
    if (this.#failure !== null) return;
    const error = new FencedError(seq, owner);
    this.#fail(error);
    this.#options.onFenced(error);
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    for (const { failed } of this.#waiters.splice(0)) failed(error);
  }

  #pause(attempt: number): Promise<void> {
    const ms = retryDelayMs(attempt, RETRY_MS_MAX, this.#options.random());
    return new Promise((resolve) => {
      this.#options.after(ms, resolve);
    });
  }
}

/** Who wrote this segment, for people. */
function ownerOf(bytes: Uint8Array): string {
  try {
    const { host, epoch, seq } = decodeSegment(bytes).head;
    return `${host}, epoch ${epoch}, segment ${seq}`;
  } catch {
    return "its segment cannot be read";
  }
}
