/** Deletes what no restore point needs. Whatever fails is tried again after the next snapshot. */
import type { BlobSource } from "./blob-source.ts";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { blobKey, parseSnapshotKey, segmentKey, SEGMENTS, SNAPSHOTS } from "./names.ts";
import { readSnapshotHead } from "./snapshot-codec.ts";
import {
  AGE_MS_MIN,
  expiredSnapshots,
  isExpiredSegment,
  type RetentionPolicy,
} from "./retention.ts";

const DELETED_AT_ONCE = 1000;

export interface SweepOptions {
  readonly bucket: Bucket;
  readonly blobs: BlobSource;
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
  const { deleted, oldestKept } = expiredSnapshots(snapshots, retention, nowMs());
  if (deleted.length > 0) await bucket.delete(deleted.map(({ key }) => key));
  if (oldestKept === null) return { snapshots: 0, segments: 0, blobs: 0 };
  const segments = await sweepSegments(bucket, oldestKept);
  const blobs = await sweepBlobs(options, oldestKept);
  return { snapshots: deleted.length, segments, blobs };
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
  { bucket, blobs }: SweepOptions,
  oldestKept: ObjectInfo,
): Promise<number> {
  let count = 0;
  const chunks = await bucket.read(oldestKept.key);
  if (chunks === null) return 0;
  // Clocks of machines differ, and may be set back; the head is not proved before the end of the snapshot.
  const { timeMs } = await readSnapshotHead(chunks);
  const beforeMs = Math.min(timeMs, oldestKept.modifiedAtMs) - AGE_MS_MIN;
  for (;;) {
    const refs = blobs.unreferencedBlobs(beforeMs, DELETED_AT_ONCE);
    if (refs.length === 0) return count;
    await bucket.delete(refs.map(blobKey));
    blobs.forgetBlobs(refs);
    count += refs.length;
  }
}
