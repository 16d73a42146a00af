/**
 * Keeps a copy of the newest state, and makes its data directory that of the writer when the writer's lease has lapsed or ended. Until its
 * claim stands it changes nothing of the replica.
 */
import { errorFields, type Log } from "../base/log.ts";
import type { Bucket } from "./bucket.ts";
import { BucketError } from "./bucket-error.ts";
import { hasMovedOn, patiently } from "./attach.ts";
import { readSegment } from "./chain.ts";
import { claim, type ClaimOptions } from "./claim.ts";
import { DamageError } from "./damage-error.ts";
import { sameBytes } from "./format.ts";
import { decodeLease } from "./lease.ts";
import { LeaseWatch, type LeaseState } from "./lease-watch.ts";
import type { LeaseWriter } from "./lease-writer.ts";
import { leaseKey } from "./names.ts";
import { newId, readReplicaFile, writeReplicaFile } from "./replica-file.ts";
import type { Segment } from "./segment.ts";
import { type Claimant, WarmCopy, type WarmCopyOptions } from "./warm-copy.ts";

/** So often a list shows whether a segment is missing. */
const THOROUGH_MS = 60_000;
/** A lease that is about to lapse is not read more often than this. */
const PAUSE_MS_MIN = 10;

export interface StandbyOptions extends WarmCopyOptions, Claimant {
  /** Tries once, so that an outage is seen at once. */
  readonly hasty: Bucket;
  /** How often the bucket is asked for the next segment and the lease. */
  readonly pollMs: number;
  readonly lease: LeaseWriter;
  readonly sleep: (ms: number) => Promise<void>;
  readonly monotonicMs: () => number;
  readonly log: Log;
}

/**
 * - preparing: the newest state is being read
 * - waiting: the history has no state yet
 * - following: the copy is kept
 * - taking-over
 */
type StandbyState = "preparing" | "waiting" | "following" | "taking-over";

export interface StandbyStatus {
  readonly state: StandbyState;
  /** The copy is the state after this segment; null: there is none yet. */
  readonly segment: number | null;
  readonly epoch: number | null;
  /** Segments that the writer had stored at its last beat, and are not in the copy; null: not known. */
  readonly lagSegments: number | null;
  readonly lease: {
    readonly state: LeaseState;
    readonly leaseMs: number | null;
    readonly silentMs: number;
  };
}

export class Standby {
  readonly #options: StandbyOptions;
  readonly #lease = new LeaseWatch();
  #state: StandbyState = "preparing";
  #copy: WarmCopy | null = null;
  #thoroughMs = 0;
  /** The same each time, so that one whose answer was lost is known again. */
  readonly #firstClaim: ClaimOptions;

  constructor(options: StandbyOptions) {
    const { host, nowMs } = options;
    this.#options = options;
    const identity = { replicaId: newId(), writerId: newId(), host };
    this.#firstClaim = { tail: null, identity, nowMs: nowMs() };
  }

  /**
   * Resolves when the directory is that of the writer: the claim stands. An empty history is claimed at once. Throws `DamageError` where
   * the bucket does not lead to a state.
   */
  async run(): Promise<void> {
    for (;;) {
      if (await this.#turn()) return;
      await this.#options.sleep(this.#pauseMs());
    }
  }

  status(): StandbyStatus {
    const head = this.#copy?.last.head ?? null;
    const { lease, state, silentMs } = this.#lease;
    const behind = lease === null || head === null ? null : lease.segment - head.seq;
    return {
      state: this.#state,
      segment: head?.seq ?? null,
      epoch: head?.epoch ?? null,
      lagSegments: behind === null ? null : Math.max(0, behind),
      lease: { state, leaseMs: lease?.leaseMs ?? null, silentMs },
    };
  }

  async #turn(): Promise<boolean> {
    const copy = this.#copy;
    try {
      if (copy === null) return await this.#prepare();
      await this.#follow(copy);
      if (copy.isClaimed) {
        await copy.complete(this.#options.hasty);
        return this.#become(copy, copy.last);
      }
      await this.#readLease(copy);
      if (this.#mayTakeOver && (await this.#takeOver(copy))) return true;
    } catch (error) {
      if (error instanceof BucketError) this.#lease.missed();
      else if (error instanceof DamageError && copy !== null) this.#startAnew(copy, error);
      else throw error;
    }
    if (this.#state === "taking-over") this.#state = "following";
    return false;
  }

  get #mayTakeOver(): boolean {
    return this.#lease.state === "lapsed" || this.#lease.state === "ended";
  }

  #pauseMs(): number {
    const { leftMs, lease } = this.#lease;
    const { pollMs } = this.#options;
    if (leftMs === null || lease === null) return pollMs;
    return Math.max(PAUSE_MS_MIN, Math.min(pollMs, lease.leaseMs / 3, leftMs));
  }

  /** Reads the newest state, or makes this the first writer of all. */
  async #prepare(): Promise<boolean> {
    const { bucket, log, monotonicMs } = this.#options;
    const first = await readSegment(bucket, 1);
    if (first === null || this.#isOwnFirst(first)) {
      if (await this.#claimFirst()) return true;
    }
    const beganMs = monotonicMs();
    const copy = await WarmCopy.make(this.#options);
    this.#copy = copy;
    if (copy === null) {
      if (await this.#isFirstWriter()) return true;
      if (this.#state !== "waiting") log.info("standing-by", { segment: null });
      this.#state = "waiting";
      return false;
    }
    this.#state = "following";
    this.#lease.changed();
    const { seq, epoch, host } = copy.last.head;
    const tookMs = Math.round(monotonicMs() - beganMs);
    log.info("standing-by", { segment: seq, epoch, writer: host, tookMs });
    return false;
  }

  #isOwnFirst({ head }: Segment): boolean {
    return sameBytes(head.writerId, this.#firstClaim.identity.writerId);
  }

  /** The directory is empty, and so is the history. */
  async #claimFirst(): Promise<boolean> {
    const { hasty, directory, lease, pause, log } = this.#options;
    const claimed = await patiently(() => claim(hasty, this.#firstClaim), pause);
    if (claimed.kind !== "claimed") return false;
    const { seq, epoch, replicaId, writerId, host } = claimed.segment.head;
    const position = { shippedSeq: seq, restart: null, clean: null, rolledBack: false };
    writeReplicaFile(directory, { replicaId, writerId, epoch, ...position });
    log.info("took-over", { epoch, segment: seq });
    void lease.hold({ epoch, writerId, host }, () => seq);
    return true;
  }

  /** An earlier process claimed the history, and ended before there was a state. */
  async #isFirstWriter(): Promise<boolean> {
    const { bucket, directory } = this.#options;
    if (readReplicaFile(directory) === null) return false;
    return !(await hasMovedOn({ bucket, directory }));
  }

  async #follow(copy: WarmCopy): Promise<void> {
    const { hasty, monotonicMs } = this.#options;
    const isThorough = monotonicMs() - this.#thoroughMs >= THOROUGH_MS;
    await this.#goOn(copy, hasty, isThorough);
    if (isThorough) this.#thoroughMs = monotonicMs();
  }

  async #goOn(copy: WarmCopy, bucket: Bucket, isThorough: boolean): Promise<void> {
    const { epoch } = copy.last.head;
    try {
      if ((await copy.follow(bucket, isThorough)) > 0) this.#lease.alive();
    } finally {
      if (copy.last.head.epoch !== epoch) this.#lease.changed();
    }
  }

  async #readLease(copy: WarmCopy): Promise<void> {
    const { hasty, monotonicMs } = this.#options;
    const { head } = copy.last;
    const beganMs = monotonicMs();
    const bytes = await hasty.get(leaseKey(head.epoch));
    const lease = bytes === null ? null : decodeLease(bytes, head);
    this.#lease.saw(lease, beganMs, monotonicMs());
  }

  #saySilence(): void {
    const { lease, silentMs, state } = this.#lease;
    const why = state === "ended" ? "the writer has stopped" : "the writer is silent";
    const { epoch, host, leaseMs } = lease ?? {};
    this.#options.log.warn("lease-lapsed", { why, epoch, writer: host, silentMs, leaseMs });
  }

  /** False: somebody else was first, or the writer lives after all. */
  async #takeOver(copy: WarmCopy): Promise<boolean> {
    const { hasty, log } = this.#options;
    this.#saySilence();
    this.#state = "taking-over";
    log.info("taking-over", { segment: copy.last.head.seq, epoch: copy.last.head.epoch });
    await this.#goOn(copy, hasty, true);
    if (!this.#mayTakeOver) return this.#giveUp();
    // What is missing is found out before anybody is fenced for it.
    await copy.complete(hasty);
    const claimed = await copy.claim(hasty, this.#options);
    return claimed === null ? this.#giveUp() : this.#become(copy, claimed);
  }

  /** The claim stands, and the copy is complete. */
  #become(copy: WarmCopy, claimed: Segment): true {
    const { log, lease } = this.#options;
    const { epoch, seq, writerId, host } = claimed.head;
    this.#state = "taking-over";
    void lease.hold({ epoch, writerId, host }, () => seq);
    copy.place(claimed);
    log.info("took-over", { epoch, segment: seq });
    return true;
  }

  #giveUp(): false {
    this.#options.log.info("take-over-given-up", { why: "the history has gone on" });
    return false;
  }

  /** Retention may have deleted what comes next: a standby that slept. */
  #startAnew(copy: WarmCopy, error: DamageError): void {
    this.#options.log.warn("standby-starts-anew", errorFields(error));
    copy.remove();
    this.#copy = null;
    this.#state = "preparing";
  }
}
