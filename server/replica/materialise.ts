/** Makes the database of a restore point: the newest snapshot before it that counts, and the segments from there on. */
import { rfc3339 } from "../base/rfc3339.ts";
import type { Bucket } from "./bucket.ts";
import { linkOf, readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import { DatabaseImage } from "./database-image.ts";
import type { Meter } from "./meter.ts";
import { segmentKey, SEGMENTS, seqOfKey } from "./names.ts";
import {
  isWithin,
  type ListedSnapshot,
  listSnapshots,
  RestoreError,
  type RestorePoint,
} from "./restore-point.ts";
import type { Segment } from "./segment.ts";
import { CLAIM_BYTES } from "./segment-codec.ts";
import { followWhole, isSkipped } from "./whole-history.ts";

export interface MaterialiseOptions {
  readonly bucket: Bucket;
  /** Written anew. */
  readonly file: string;
  readonly point: RestorePoint;
  readonly meter: Meter;
  /** Segments that are damaged end the history instead of the call: the result is the last state before them. */
  readonly isTolerant?: boolean;
}

export interface Materialised {
  /** The file is the state after it. */
  readonly last: Segment;
  /** No later state exists. */
  readonly isNewest: boolean;
  /** The state after this segment was the beginning. */
  readonly snapshotSeq: number;
  /** Segments from there on. */
  readonly segments: number;
  /** Snapshots that would have been nearer, and segments that end the history, with what is wrong with them. */
  readonly damages: readonly string[];
}

/** Null: the history has no state yet. Throws `RestoreError`, `DamageError` or `BucketError`. */
export async function materialise(options: MaterialiseOptions): Promise<Materialised | null> {
  const image = new DatabaseImage(options.file);
  try {
    return await new Materialising(options, image).run();
  } finally {
    image.close();
  }
}

class Materialising {
  readonly #options: MaterialiseOptions;
  readonly #image: DatabaseImage;
  readonly #damages: string[] = [];

  constructor(options: MaterialiseOptions, image: DatabaseImage) {
    this.#options = options;
    this.#image = image;
  }

  async run(): Promise<Materialised | null> {
    const { bucket, point } = this.#options;
    const snapshots = await listSnapshots(bucket);
    for (const snapshot of snapshots.filter(({ seq }) => isWithin(point, seq)).toReversed()) {
      const segment = await this.#begin(snapshot);
      if (segment !== null) return await this.#goOn(segment, true);
    }
    const [damage] = this.#damages;
    if (damage !== undefined) throw new DamageError(damage);
    const [earliest] = snapshots;
    if (earliest !== undefined && point.kind !== "latest") throw await this.#tooEarly(snapshots);
    // Nothing is decided by what a list lacks.
    const first = await readSegment(bucket, 1);
    const made = first === null ? null : await this.#goOn(first, false);
    if (made === null && earliest !== undefined && (await hasStates(bucket))) {
      const { key, seq } = earliest;
      throw new DamageError(`segment ${seq} is missing, of which ${key} is the state`);
    }
    return made;
  }

  /** Null where the snapshot does not count, or is behind the point. */
  async #begin({ seq, epoch, size }: ListedSnapshot): Promise<Segment | null> {
    const { bucket, point, meter } = this.#options;
    try {
      const segment = await readSegment(bucket, seq);
      if (segment === null || segment.head.epoch !== epoch) return null;
      if (!isWithin(point, seq, segment.head.timeMs)) return null;
      meter.expect(size);
      return (await this.#image.load(bucket, segment, meter)) ? segment : null;
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      // An older one and more segments lead to the same state.
      this.#damages.push(error.message);
      return null;
    }
  }

  /** The segments behind `first`, as far as the point. `hasState`: the image is the state after it. */
  async #goOn(first: Segment, hasState: boolean): Promise<Materialised | null> {
    const { bucket, isTolerant = false } = this.#options;
    await this.#expectSegments(first.head.seq);
    const walk = new Walk(this.#options, this.#image, first, hasState);
    try {
      for await (const segment of followWhole(bucket, linkOf(first))) {
        if (!(await walk.take(segment))) break;
      }
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      if (walk.isAtPoint) walk.breakOff();
      else if (isTolerant && walk.hasState) this.#damages.push(error.message);
      else throw this.#broken(error, walk);
    }
    return walk.end(this.#damages);
  }

  async #expectSegments(afterSeq: number): Promise<void> {
    const { bucket, point, meter } = this.#options;
    for await (const { key, size, modifiedAtMs } of bucket.list(SEGMENTS, segmentKey(afterSeq))) {
      const seq = seqOfKey(key);
      if (seq !== null && isWithin(point, seq, modifiedAtMs)) meter.expect(size);
    }
  }

  /** What was asked for cannot be had; what comes before it can. */
  #broken({ message }: DamageError, { last, hasState }: Walk): DamageError {
    const what = [message, ...this.#damages].join("; ");
    if (!hasState) return new DamageError(what);
    return new DamageError(
      `${what}. The last state before that is the one after segment ${last.head.seq}`,
    );
  }

  /** Says which state is the first that can be had. */
  async #tooEarly(snapshots: readonly ListedSnapshot[]): Promise<RestoreError> {
    const { bucket } = this.#options;
    for (const { seq, epoch } of snapshots) {
      const segment = await readSegment(bucket, seq);
      if (segment === null || segment.head.epoch !== epoch) continue;
      return new RestoreError(
        `${bucket.url} has no state so early: the first one is that after segment ${seq} of ${rfc3339(segment.head.timeMs)}`,
      );
    }
    return new RestoreError(`${bucket.url} has no state so early`);
  }
}

/** Somebody has stored more than claims, where it is read. */
async function hasStates(bucket: Bucket): Promise<boolean> {
  const claimSeqs: number[] = [];
  for await (const { key, size } of bucket.list(SEGMENTS)) {
    const seq = seqOfKey(key);
    if (seq === null) continue;
    if (size === CLAIM_BYTES) claimSeqs.push(seq);
    else if (!isSkipped(claimSeqs, seq)) return true;
  }
  return false;
}

/** From segment to segment. */
class Walk {
  readonly #options: MaterialiseOptions;
  readonly #image: DatabaseImage;
  #last: Segment;
  /** A claim behind the point: it leaves the state as it is. */
  #claim: Segment | null = null;
  /** The first segment behind the point that does not. */
  #beyond: Segment | null = null;
  #snapshotSeq: number;
  #segments = 0;
  #hasState: boolean;
  /** Something is behind the point, and cannot be read. */
  #isBrokenOff = false;

  constructor(
    options: MaterialiseOptions,
    image: DatabaseImage,
    first: Segment,
    hasState: boolean,
  ) {
    this.#options = options;
    this.#image = image;
    this.#last = first;
    this.#snapshotSeq = first.head.seq;
    this.#hasState = hasState;
  }

  get last(): Segment {
    return this.#last;
  }

  get hasState(): boolean {
    return this.#hasState;
  }

  /** What comes next is behind the point, whatever it is. */
  get isAtPoint(): boolean {
    const { point } = this.#options;
    return this.#hasState && point.kind === "segment" && this.#last.head.seq === point.seq;
  }

  breakOff(): void {
    this.#isBrokenOff = true;
  }

  /** False: it is behind the point. */
  async take(segment: Segment): Promise<boolean> {
    const { bucket, point, meter } = this.#options;
    const { head, content } = segment;
    if (!isWithin(point, head.seq, head.timeMs)) {
      if (content.kind === "claim") this.#claim = segment;
      else this.#beyond = segment;
      return content.kind === "claim";
    }
    if (content.kind === "base") {
      // The list did not show it: it was behind.
      if (!(await this.#image.load(bucket, segment, meter)))
        throw new DamageError(`the snapshot of base segment ${head.seq} is missing`);
      this.#hasState = true;
      this.#snapshotSeq = head.seq;
      this.#segments = 0;
    } else {
      if (content.kind === "delta") {
        if (!this.#hasState) throw new DamageError(`no snapshot leads to segment ${head.seq}`);
        meter.read(content.body.length, "segments");
      }
      this.#image.apply(segment);
      this.#segments += 1;
    }
    this.#last = segment;
    return true;
  }

  end(damages: readonly string[]): Materialised | null {
    const { bucket, point } = this.#options;
    const isNewest = this.#beyond === null && !this.#isBrokenOff;
    const { seq } = this.#last.head;
    if (point.kind === "segment" && seq < point.seq) throw this.#noSuch(point.seq, seq);
    if (!this.#hasState) {
      if (point.kind === "latest") return null;
      throw new RestoreError(`${bucket.url} has no state so early`);
    }
    return {
      last: isNewest ? (this.#claim ?? this.#last) : this.#last,
      isNewest,
      snapshotSeq: this.#snapshotSeq,
      segments: this.#segments,
      damages,
    };
  }

  #noSuch(asked: number, before: number): RestoreError {
    const next = this.#claim ?? this.#beyond;
    const where =
      next === null
        ? `it ends with segment ${before}`
        : `segment ${before} is followed by segment ${next.head.seq}`;
    return new RestoreError(`${this.#options.bucket.url} has no segment ${asked}: ${where}`);
  }
}
