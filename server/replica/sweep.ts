/** Deletes what no restore point needs. Whatever fails is tried again after the next snapshot. */
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { blobKey, parseSnapshotKey, segmentKey, SEGMENTS, SNAPSHOTS } from "./names.ts";
import { readSegment } from "./chain.ts";
import { orphans, type OrphanOptions } from "./orphans.ts";
import { readSnapshotHead } from "./snapshot-codec.ts";
import {
  AGE_MS_MIN,
  expiredSnapshots,
  isExpiredSegment,
  type RetentionPolicy,
} from "./retention.ts";

const DELETED_AT_ONCE = 1000;

export interface SweepOptions extends OrphanOptions {
  /** Look also for payloads that no row names, which lists them all. */
  readonly findsOrphans: boolean;
  readonly retention: RetentionPolicy;
  readonly nowMs: () => number;
}

export interface Swept {
  readonly snapshots: number;
  readonly segments: number;
  readonly blobs: number;
}

/** Snapshots first, so that no restore begins with one whose segments are going. */
export async function sweep(options: SweepOptions): Promise<Swept> {
  const { bucket, retention, nowMs } = options;
  const snapshots: ObjectInfo[] = [];
  for await (const each of bucket.list(SNAPSHOTS)) snapshots.push(each);
  const { length } = expiredSnapshots(snapshots, retention, nowMs()).deleted;
  const firstKept = await lastThatCounts(bucket, snapshots, length);
  const deleted = snapshots.slice(0, firstKept);
  const oldestKept = snapshots[firstKept] ?? null;
  if (deleted.length > 0) await bucket.delete(deleted.map(({ key }) => key));
  if (oldestKept === null) return { snapshots: 0, segments: 0, blobs: 0 };
  const segments = await sweepSegments(bucket, oldestKept);
  const blobs = await sweepBlobs(options, snapshots.slice(firstKept), oldestKept);
  return { snapshots: deleted.length, segments, blobs };
}

/** At `index` or before it: what a server stored that died before the segment leads nowhere, and keeps nothing. */
async function lastThatCounts(
  bucket: Bucket,
  snapshots: readonly ObjectInfo[],
  index: number,
): Promise<number> {
  for (let at = index; at > 0; at -= 1) {
    const { seq, epoch } = parseSnapshotKey(snapshots[at]?.key ?? "") ?? { seq: 0, epoch: 0 };
    if (seq > 0 && (await readSegment(bucket, seq))?.head.epoch === epoch) return at;
  }
  return 0;
}

/** In their order, so that what is left has no gap. */
async function sweepSegments(bucket: Bucket, oldestKept: ObjectInfo): Promise<number> {
  const end = segmentKey(parseSnapshotKey(oldestKept.key)?.seq ?? 1);
  let count = 0;
  let keys: string[] = [];
  for await (const each of bucket.list(SEGMENTS)) {
    if (each.key >= end) break;
    if (!isExpiredSegment(each, oldestKept)) continue;
    keys.push(each.key);
    count += 1;
    if (keys.length < DELETED_AT_ONCE) continue;
    await bucket.delete(keys);
    keys = [];
  }
  if (keys.length > 0) await bucket.delete(keys);
  return count;
}

/** Payloads that nothing has named since before the oldest restore point. */
async function sweepBlobs(
  options: SweepOptions,
  kept: readonly ObjectInfo[],
  oldestKept: ObjectInfo,
): Promise<number> {
  const { bucket, blobs } = options;
  let count = 0;
  const chunks = await bucket.read(oldestKept.key);
  if (chunks === null) return 0;
  // Clocks of machines differ, and may be set back; the head is not proved before the end of the snapshot.
  const { timeMs } = await readSnapshotHead(chunks);
  const beforeMs = Math.min(timeMs, oldestKept.modifiedAtMs) - AGE_MS_MIN;
  for (;;) {
    const refs = blobs.unreferencedBlobs(beforeMs, DELETED_AT_ONCE);
    if (refs.length === 0) break;
    await bucket.delete(refs.map(blobKey));
    blobs.forgetBlobs(refs);
    count += refs.length;
  }
  const lost = options.findsOrphans ? await orphans(options, kept, beforeMs) : [];
  for (let at = 0; at < lost.length; at += DELETED_AT_ONCE) {
    await bucket.delete(lost.slice(at, at + DELETED_AT_ONCE));
  }
  return count + lost.length;
}
