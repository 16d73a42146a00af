/** What restore points a replica has, from lists and the heads of few segments: nothing is verified. */
import type { Bucket } from "./bucket.ts";
import { inLanes } from "./blob-download.ts";
import { readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import { BLOBS, SEGMENTS, seqOfKey } from "./names.ts";
import { listSnapshots } from "./restore-point.ts";
import type { Segment } from "./segment.ts";
import { CLAIM_BYTES } from "./segment-codec.ts";
import { isSkipped } from "./whole-history.ts";

export interface ReplicaList {
  readonly url: string;
  /** The end of the history; null: there is none, or it is damaged. */
  readonly newest: ListedMoment | null;
  readonly restorePoints: readonly RestoreRange[];
  /** Who became the writer; the last of them where there are many. */
  readonly epochs: readonly ListedEpoch[];
  readonly segments: Objects;
  readonly snapshots: Objects;
  readonly payloads: Objects;
  readonly bytes: number;
}

export interface ListedMoment {
  readonly seq: number;
  readonly timeMs: number;
}

/** A snapshot, and the segments from there to the next: any state among them can be had. */
export interface RestoreRange extends ListedMoment {
  readonly epoch: number;
  /** Of the snapshot. */
  readonly bytes: number;
  /** Null: none yet. */
  readonly behind: {
    readonly firstSeq: number;
    readonly lastSeq: number;
    readonly count: number;
    readonly bytes: number;
    /** Of the last one; null: it is damaged. */
    readonly timeMs: number | null;
  } | null;
}

export interface ListedEpoch extends ListedMoment {
  readonly epoch: number;
  readonly host: string;
}

export interface Objects {
  readonly count: number;
  readonly bytes: number;
}

interface Stored {
  readonly seq: number;
  readonly size: number;
}

/** Older claims say nothing about what can be restored. */
const EPOCHS_MAX = 100;

/** What is damaged is left out. */
export async function listReplica(bucket: Bucket): Promise<ReplicaList> {
  const all: Stored[] = [];
  for await (const { key, size } of bucket.list(SEGMENTS)) {
    const seq = seqOfKey(key);
    if (seq !== null) all.push({ seq, size });
  }
  const claims = all.filter(({ size }) => size === CLAIM_BYTES);
  const claimSeqs = claims.map(({ seq }) => seq);
  const read = all.filter(({ seq }) => !isSkipped(claimSeqs, seq));
  const listed = await listSnapshots(bucket);
  const counting: { readonly segment: Segment; readonly size: number }[] = [];
  for (const { seq, epoch, size } of listed) {
    const segment = await readable(bucket, seq);
    if (segment?.head.epoch === epoch) counting.push({ segment, size });
  }
  const restorePoints: RestoreRange[] = [];
  for (const [index, { segment, size }] of counting.entries()) {
    const { seq, epoch } = segment.head;
    const next = counting[index + 1]?.segment.head.seq ?? Number.POSITIVE_INFINITY;
    const range = read.filter((each) => each.seq > seq && each.seq < next);
    const behind = await behindOf(bucket, range);
    restorePoints.push({ ...momentOf(segment), epoch, bytes: size, behind });
  }
  const payloads = await objectsOf(bucket.list(BLOBS));
  const [segments, snapshots] = [sumOf(all), sumOf(listed)];
  const last = read.at(-1);
  const newest = last === undefined ? null : await readable(bucket, last.seq);
  return {
    url: bucket.url,
    newest: newest === null ? null : momentOf(newest),
    restorePoints,
    epochs: await epochsOf(bucket, claims),
    segments,
    snapshots,
    payloads,
    bytes: segments.bytes + snapshots.bytes + payloads.bytes,
  };
}

async function behindOf(bucket: Bucket, range: readonly Stored[]): Promise<RestoreRange["behind"]> {
  const [first, last] = [range[0], range.at(-1)];
  if (first === undefined || last === undefined) return null;
  const segment = await readable(bucket, last.seq);
  const { count, bytes } = sumOf(range);
  const timeMs = segment?.head.timeMs ?? null;
  return { firstSeq: first.seq, lastSeq: last.seq, count, bytes, timeMs };
}

async function epochsOf(bucket: Bucket, claims: readonly Stored[]): Promise<ListedEpoch[]> {
  const epochs: ListedEpoch[] = [];
  await inLanes(claims.slice(-EPOCHS_MAX), async ({ seq }) => {
    const claim = await readable(bucket, seq);
    if (claim === null) return;
    epochs.push({ ...momentOf(claim), epoch: claim.head.epoch, host: claim.head.host });
  });
  return epochs.toSorted((one, other) => one.seq - other.seq);
}

async function readable(bucket: Bucket, seq: number): Promise<Segment | null> {
  try {
    return await readSegment(bucket, seq);
  } catch (error) {
    if (error instanceof DamageError) return null;
    throw error;
  }
}

function momentOf({ head }: Segment): ListedMoment {
  return { seq: head.seq, timeMs: head.timeMs };
}

function sumOf(stored: readonly { readonly size: number }[]): Objects {
  return { count: stored.length, bytes: stored.reduce((sum, { size }) => sum + size, 0) };
}

async function objectsOf(stored: AsyncIterable<{ readonly size: number }>): Promise<Objects> {
  let [count, bytes] = [0, 0];
  for await (const { size } of stored) [count, bytes] = [count + 1, bytes + size];
  return { count, bytes };
}
