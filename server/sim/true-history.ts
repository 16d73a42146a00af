/**
 * What the bucket's history is, as somebody sees it who is told of every object the moment it is there, and forgets none that is deleted.
 *
 * T1 One chain: each segment follows the hash of the one before, a claim raises the epoch by one, and only its writer goes on from it.
 * T2 Each state begins with the one before it: nothing that was accepted is ever left out, nor put in another order.
 * T3 Acknowledged is only what the history holds by then, by whom that part of it was written, and not by who knows to be fenced.
 */
import { unpackDelta } from "../replica/delta-pages.ts";
import { sameBytes } from "../replica/format.ts";
import { seqOfKey, snapshotKey } from "../replica/names.ts";
import type { Delta, Segment } from "../replica/segment.ts";
import { decodeSegment, nextSeq } from "../replica/segment-codec.ts";
import { readSnapshot } from "../replica/snapshot-codec.ts";
import { PAGE_BYTES } from "../replica/wal.ts";
import { commitsOf } from "./sim-disk.ts";

interface Writer {
  readonly name: string;
  readonly epoch: number;
  readonly isFenced: boolean;
}

export class TrueHistory {
  /** The promises that were broken. */
  readonly broken: string[] = [];
  /** The first of each number: whatever takes its place later is read by nobody. */
  readonly #segments = new Map<number, Uint8Array>();
  readonly #snapshots = new Map<string, Uint8Array>();
  /** By commit: the epoch of the segment that brought it. */
  readonly #epochs = new Map<number, number>();
  readonly #lengths = new Map<number, number>();
  #image: Uint8Array = new Uint8Array(0);
  #commits: readonly number[] = [];
  #last: Segment | null = null;
  #claim: Segment | null = null;
  #turn: Promise<void> = Promise.resolve();
  /** So many commits of the state, from the first on, hold all that was acknowledged. */
  #acknowledgedLength = 0;
  #acknowledged = 0;

  /** Of the newest state, in order. */
  get commits(): readonly number[] {
    return this.#commits;
  }

  get epoch(): number {
    return this.#claim?.head.epoch ?? 0;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  get acknowledgedLength(): number {
    return this.#acknowledgedLength;
  }

  /** Numbers of the segments with a state. */
  get states(): readonly number[] {
    return [...this.#lengths.keys()];
  }

  /** Of the state after this segment. */
  stateAfter(seq: number): readonly number[] | null {
    const length = this.#lengths.get(seq);
    return length === undefined ? null : this.#commits.slice(0, length);
  }

  /** An object is there. What follows from it is known before the next event. */
  stored(key: string, bytes: Uint8Array): void {
    const seq = seqOfKey(key);
    if (seq === null) this.#snapshots.set(key, bytes);
    else if (!this.#segments.has(seq)) this.#segments.set(seq, bytes);
    this.#turn = this.#turn
      .then(() => this.#goOn())
      .catch((error: unknown) => this.#break(`the history cannot be read: ${String(error)}`));
  }

  acknowledge(number: number, { name, epoch, isFenced }: Writer): void {
    this.#acknowledged += 1;
    const what = `${name} (epoch ${epoch}) acknowledged commit ${number}`;
    if (isFenced) this.#break(`${what} after it was fenced`);
    const by = this.#epochs.get(number);
    if (by === undefined) return this.#break(`${what}, which the history does not hold`);
    if (by !== epoch) this.#break(`${what}, which epoch ${by} wrote`);
    const length = this.#commits.indexOf(number) + 1;
    this.#acknowledgedLength = Math.max(this.#acknowledgedLength, length);
    return undefined;
  }

  /** `acknowledgedLength`: of when it began. */
  restored(commits: readonly number[], acknowledgedLength: number, what: string): void {
    const { length } = commits;
    if (length < acknowledgedLength)
      this.#break(`${what} has ${length} commits, and ${acknowledgedLength} were acknowledged`);
    const at = commits.findIndex((commit, index) => commit !== this.#commits[index]);
    if (at >= 0) this.#break(`${what} has another commit ${at + 1} than the history`);
  }

  async #goOn(): Promise<void> {
    for (;;) {
      const bytes = this.#segments.get(this.#last === null ? 1 : nextSeq(this.#last));
      if (bytes === undefined) return;
      const segment = decodeSegment(bytes);
      this.#checkLink(segment);
      this.#last = segment;
      const { content } = segment;
      if (content.kind === "claim") {
        this.#claim = segment;
        continue;
      }
      if (content.kind === "delta") this.#apply(content);
      else await this.#load(segment);
      this.#changed(segment);
    }
  }

  #checkLink({ head, content }: Segment): void {
    const { seq, epoch, previousHash, writerId } = head;
    if (!sameBytes(previousHash, this.#last?.hash ?? new Uint8Array(32)))
      this.#break(`segment ${seq} does not follow the one before`);
    if (content.kind === "claim") {
      if (epoch !== this.epoch + 1) this.#break(`claim ${seq} of epoch ${epoch} skips one`);
      return;
    }
    const isWriter = this.#claim !== null && sameBytes(writerId, this.#claim.head.writerId);
    if (epoch !== this.epoch || !isWriter)
      this.#break(`segment ${seq} is by epoch ${epoch}, and the writer is epoch ${this.epoch}`);
  }

  #apply(delta: Delta): void {
    const { numbers, pages } = unpackDelta(delta);
    if (numbers.length === 0) return;
    const image = new Uint8Array(delta.databasePages * PAGE_BYTES);
    image.set(this.#image.subarray(0, image.length));
    for (const [index, number] of numbers.entries()) {
      const page = pages.subarray(index * PAGE_BYTES, (index + 1) * PAGE_BYTES);
      image.set(page, (number - 1) * PAGE_BYTES);
    }
    this.#image = image;
  }

  async #load({ head, content }: Segment): Promise<void> {
    const bytes = this.#snapshots.get(snapshotKey(head.seq, head.epoch));
    if (bytes === undefined || content.kind !== "base")
      return this.#break(`base ${head.seq} is there before its snapshot`);
    const image = new Uint8Array(content.databasePages * PAGE_BYTES);
    const { hash } = await readSnapshot(once(bytes), (first, pages) =>
      image.set(pages, (first - 1) * PAGE_BYTES),
    );
    if (!sameBytes(hash, content.snapshotHash))
      this.#break(`base ${head.seq} names another snapshot`);
    this.#image = image;
    return undefined;
  }

  #changed({ head }: Segment): void {
    const commits = commitsOf(this.#image);
    const at = this.#commits.findIndex((commit, index) => commit !== commits[index]);
    if (at >= 0)
      this.#break(
        `segment ${head.seq} of epoch ${head.epoch} leaves out commit ${at + 1} of ${this.#commits.length}`,
      );
    for (const commit of commits.slice(this.#commits.length)) this.#epochs.set(commit, head.epoch);
    this.#commits = commits;
    this.#lengths.set(head.seq, commits.length);
  }

  #break(what: string): void {
    this.broken.push(what);
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
