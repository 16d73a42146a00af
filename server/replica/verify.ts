/**
 * Reads a whole replica back: every segment and its place in the chain, every snapshot, every payload that a kept state names; and
 * proves that the history leads from each snapshot to the next, page by page.
 */
import path from "node:path";
import { inLanes, readBlob } from "./blob-download.ts";
import type { Bucket } from "./bucket.ts";
import { linkOf, readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import { DatabaseImage, readSnapshotOf } from "./database-image.ts";
import { ImageDiff } from "./image-diff.ts";
import { Meter, type ReadSoFar } from "./meter.ts";
import { blobKey, BLOBS, parseBlobKey, SEGMENTS, seqOfKey } from "./names.ts";
import { type ListedSnapshot, listSnapshots } from "./restore-point.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { CLAIM_BYTES, nextSeq, WINDOW } from "./segment-codec.ts";
import { followWhole, isSkipped } from "./whole-history.ts";

export interface VerifyOptions {
  readonly bucket: Bucket;
  /** Empty; room for one database. */
  readonly directory: string;
  /** Throws where the database is not sound. Returns the payloads that it refers to. */
  readonly inspect: (databaseFile: string) => readonly BlobRef[];
  /** One line for each damage, as it is found. */
  readonly onDamage: (line: string) => void;
  readonly onProgress?: (soFar: ReadSoFar) => void;
}

export interface Verified {
  /** 0: the replica is sound. */
  readonly damages: number;
  readonly segments: number;
  readonly snapshots: number;
  readonly blobs: number;
  /** Read from the bucket. */
  readonly bytes: number;
  /** The last segment that the history leads to; null: there is no state. */
  readonly newest: Segment | null;
  /** What is there and needed by nothing, in words. */
  readonly notes: readonly string[];
}

/** A snapshot whose segment is there. */
interface Kept {
  readonly key: string;
  readonly segment: Segment;
}

export async function verify(options: VerifyOptions): Promise<Verified> {
  return await new Verification(options).run();
}

const isClaim = (listed: ReadonlyMap<number, number>, seq: number): boolean =>
  listed.get(seq) === CLAIM_BYTES;

/** A segment that is not there, although segments are that nobody stores before it: it was deleted. */
function isLost(listed: ReadonlyMap<number, number>, seq: number): boolean {
  const seqs = [...listed.keys()];
  const claimSeqs = seqs.filter((each) => isClaim(listed, each));
  return (seqs.at(-1) ?? 0) >= seq + WINDOW && !isSkipped(claimSeqs, seq);
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #file: string;
  readonly #meter: Meter;
  readonly #image: DatabaseImage;
  readonly #damages = new Set<string>();
  readonly #notes: string[] = [];
  /** By key, those that a kept state names. */
  readonly #blobs = new Map<string, BlobRef>();
  /** Numbers of the segments that were read. */
  readonly #read = new Set<number>();
  /** Numbers of those that were asked for without a chain; what is not among the others is damaged. */
  readonly #alone = new Set<number>();
  #snapshots = 0;
  #newest: Segment | null = null;

  constructor(options: VerifyOptions) {
    this.#options = options;
    this.#file = path.join(options.directory, "holdfast.db");
    this.#meter = new Meter(options.onProgress);
    this.#image = new DatabaseImage(this.#file);
  }

  async run(): Promise<Verified> {
    const { bucket } = this.#options;
    try {
      const listed = await this.#listedSegments();
      const snapshots = await listSnapshots(bucket);
      for (const { size } of snapshots) this.#meter.expect(size);
      const kept = await this.#kept(snapshots, listed);
      const firstSeq = kept[0]?.segment.head.seq ?? Number.POSITIVE_INFINITY;
      const early = [...listed.keys()].filter((seq) => seq < firstSeq);
      await this.#readAlone(early);
      if (kept.length > 0)
        this.#noteEarly(
          early.filter((seq) => !isClaim(listed, seq)),
          firstSeq,
        );
      for (let index = 0; index < kept.length;) index = await this.#walk(kept, index);
      if (kept.length === 0) this.#checkNothing(listed);
      this.#noteUnread(listed);
      await this.#readBlobs();
    } finally {
      this.#image.close();
    }
    return {
      damages: this.#damages.size,
      segments: this.#read.size,
      snapshots: this.#snapshots,
      blobs: this.#blobs.size,
      bytes: this.#meter.bytes,
      newest: this.#newest,
      notes: this.#notes,
    };
  }

  /** Sizes by number, which rise. */
  async #listedSegments(): Promise<ReadonlyMap<number, number>> {
    const listed = new Map<number, number>();
    for await (const { key, size } of this.#options.bucket.list(SEGMENTS)) {
      const seq = seqOfKey(key);
      if (seq === null) continue;
      listed.set(seq, size);
      this.#meter.expect(size);
    }
    return listed;
  }

  async #kept(
    snapshots: readonly ListedSnapshot[],
    listed: ReadonlyMap<number, number>,
  ): Promise<readonly Kept[]> {
    const kept: Kept[] = [];
    for (const { key, seq, epoch } of snapshots) {
      await this.#guarded(async () => {
        const segment = await readSegment(this.#options.bucket, seq);
        if (segment?.head.epoch === epoch) kept.push({ key, segment });
        else if (segment === null && isLost(listed, seq) && (await this.#isThere(key)))
          throw new DamageError(`segment ${seq} is missing, of which ${key} is the state`);
        else this.#notes.push(`${key} is of a segment that is not there: it counts for nothing`);
      });
    }
    return kept;
  }

  /** From the snapshot at `index` along the history. Returns the index to go on with, where it breaks. */
  async #walk(kept: readonly Kept[], index: number): Promise<number> {
    const start = kept[index];
    let next = index + 1;
    if (start === undefined) return next;
    if (!(await this.#begin(start))) return await this.#resume(kept, next, start.segment);
    let last = start.segment;
    try {
      for await (const segment of followWhole(this.#options.bucket, linkOf(last))) {
        const isKept = kept[next]?.segment.head.seq === segment.head.seq;
        await this.#step(segment, isKept);
        if (isKept) next += 1;
        last = segment;
        this.#newest = last;
      }
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      const there = await this.#stillThere(kept, index);
      if (there > index) return there;
      this.#damaged(error.message);
      return await this.#resume(kept, next, last);
    }
    const missed = kept[next];
    if (missed === undefined) return kept.length;
    this.#damaged(`${missed.key}: the history does not lead there from segment ${last.head.seq}`);
    return next;
  }

  async #begin({ key, segment }: Kept): Promise<boolean> {
    this.#readSegment(segment);
    return await this.#guarded(async () => {
      if (!(await this.#image.load(this.#options.bucket, segment, this.#meter))) {
        if (await this.#isThere(key)) throw new DamageError(`${key} is missing`);
        this.#notes.push(`${key} was deleted meanwhile`);
        return false;
      }
      this.#snapshots += 1;
      this.#newest = segment;
      this.#inspect(key);
      return true;
    }, false);
  }

  /** Retention may have deleted it since it was listed. */
  async #isThere(snapshot: string): Promise<boolean> {
    const snapshots = await listSnapshots(this.#options.bucket);
    return snapshots.some(({ key }) => key === snapshot);
  }

  async #step(segment: Segment, isKept: boolean): Promise<void> {
    const { bucket } = this.#options;
    const { seq } = segment.head;
    this.#readSegment(segment);
    for (const ref of this.#image.apply(segment)) this.#blobs.set(blobKey(ref), ref);
    if (segment.content.kind === "base") {
      if (!(await this.#image.load(bucket, segment, this.#meter)))
        throw new DamageError(`the snapshot of base segment ${seq} is missing`);
    } else if (isKept) {
      await this.#guarded(() => this.#compare(segment));
    } else {
      return;
    }
    this.#snapshots += 1;
    this.#inspect(`the state after segment ${seq}`);
  }

  /** The snapshot of this segment is what the image is. */
  async #compare(segment: Segment): Promise<void> {
    const { bucket } = this.#options;
    const { seq } = segment.head;
    let diff = new ImageDiff(this.#file);
    let difference: string | null;
    try {
      const read = await readSnapshotOf(bucket, segment, this.#meter, () => {
        diff.close();
        diff = new ImageDiff(this.#file);
        return (first, pages) => diff.compare(first, pages);
      });
      // Retention may have deleted it.
      if (read === null) {
        this.#notes.push(`the snapshot of segment ${seq} was deleted meanwhile`);
        return;
      }
    } finally {
      difference = diff.close();
    }
    if (difference !== null) throw new DamageError(`the snapshot of segment ${seq}: ${difference}`);
  }

  #inspect(what: string): void {
    try {
      for (const ref of this.#options.inspect(this.#file)) this.#blobs.set(blobKey(ref), ref);
    } catch (error) {
      this.#damaged(`${what}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** Segments that are needed by no snapshot, or that no chain leads to. */
  async #readAlone(seqs: readonly number[]): Promise<void> {
    for (const seq of seqs) this.#alone.add(seq);
    await inLanes(seqs, (seq) =>
      this.#guarded(async () => {
        const segment = await readSegment(this.#options.bucket, seq);
        if (segment !== null) this.#readSegment(segment);
      }),
    );
  }

  /** The next snapshot to go on from; what lies before it is read without a chain. */
  async #resume(kept: readonly Kept[], next: number, last: Segment): Promise<number> {
    const to = kept[next]?.segment.head.seq ?? Number.POSITIVE_INFINITY;
    const listed = await this.#listedBetween(last.head.seq, to);
    await this.#readAlone(listed);
    return next;
  }

  async #listedBetween(from: number, to: number): Promise<number[]> {
    const found: number[] = [];
    for await (const { key } of this.#options.bucket.list(SEGMENTS)) {
      const seq = seqOfKey(key);
      if (seq !== null && seq > from && seq < to) found.push(seq);
    }
    return found;
  }

  /** Retention may delete what is being read: the first snapshot from `index` on that it has left. */
  async #stillThere(kept: readonly Kept[], index: number): Promise<number> {
    const keys = new Set((await listSnapshots(this.#options.bucket)).map(({ key }) => key));
    const there = kept.findIndex(({ key }, at) => at >= index && keys.has(key));
    if (there === index) return index;
    this.#notes.push("the oldest snapshots were deleted meanwhile");
    return there < 0 ? kept.length : there;
  }

  #checkNothing(listed: ReadonlyMap<number, number>): void {
    for (const seq of listed.keys()) {
      if (!isClaim(listed, seq)) return this.#damaged(`no snapshot leads to segment ${seq}`);
    }
  }

  #noteEarly(seqs: readonly number[], firstSeq: number): void {
    if (seqs.length === 0) return;
    this.#notes.push(
      `segments before segment ${firstSeq} that no snapshot leads to: ${seqs.length} ` +
        "(retention was deleting them, or a snapshot was deleted)",
    );
  }

  /** What is left in the window behind a claim is nothing; what is behind the end may have been more. */
  #noteUnread(listed: ReadonlyMap<number, number>): void {
    const isUnread = (seq: number): boolean => !this.#read.has(seq) && !this.#alone.has(seq);
    const left = [...listed.keys()].filter(isUnread);
    const end = this.#newest === null ? Number.POSITIVE_INFINITY : nextSeq(this.#newest);
    const behind = left.filter((seq) => seq > end);
    const skipped = left.length - behind.length;
    if (skipped > 0) this.#notes.push(`segments that nobody reads: ${skipped}`);
    if (behind.length > 0) {
      this.#notes.push(
        `segments behind the end, without segment ${end} that leads there: ${behind.length} (a server was storing them, or ` +
          "ended before it was stored, or that one was deleted)",
      );
    }
  }

  async #readBlobs(): Promise<void> {
    const { bucket } = this.#options;
    let [count, size] = [0, 0];
    for await (const object of bucket.list(BLOBS)) {
      if (parseBlobKey(object.key) === null) continue;
      if (this.#blobs.has(object.key)) this.#meter.expect(object.size);
      else [count, size] = [count + 1, size + object.size];
    }
    if (count > 0)
      this.#notes.push(`payloads that no kept state names: ${count}, of ${size} bytes`);
    await inLanes([...this.#blobs.values()], (ref) =>
      this.#guarded(async () => {
        const bytes = await readBlob(bucket, ref);
        this.#meter.read(bytes.length, "payloads");
      }),
    );
  }

  #readSegment({ head, content }: Segment): void {
    if (this.#read.has(head.seq)) return;
    this.#read.add(head.seq);
    const bytes = content.kind === "delta" ? content.body.length : 0;
    this.#meter.read(bytes + CLAIM_BYTES, "segments");
  }

  #damaged(line: string): void {
    if (this.#damages.has(line)) return;
    this.#damages.add(line);
    this.#options.onDamage(line);
  }

  /** Damage is said, and the verification goes on. */
  async #guarded(run: () => Promise<void>): Promise<void>;
  async #guarded<T>(run: () => Promise<T>, otherwise: T): Promise<T>;
  async #guarded<T>(run: () => Promise<T>, otherwise?: T): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof DamageError)) throw error;
      this.#damaged(error.message);
      return otherwise;
    }
  }
}
