/**
 * What may be deleted. A restore to any moment since `retentionMs` needs the newest snapshot before that moment and every segment
 * behind it; everything older goes, except claims, which stay for ever (R5).
 */
import type { ObjectInfo } from "./bucket.ts";
import { parseSnapshotKey, seqOfKey } from "./names.ts";
import { CLAIM_BYTES } from "./segment-codec.ts";

export interface RetentionPolicy {
  readonly retentionMs: number;
  /** Kept whatever their age. */
  readonly snapshotsMin: number;
}

/** Nothing younger is ever deleted: a claimer that slept relies on lists that are less than this behind (R5). */
export const AGE_MS_MIN = 60 * 60 * 1000;

export interface SnapshotDecision {
  readonly deleted: readonly ObjectInfo[];
  /** Null when there is none. */
  readonly oldestKept: ObjectInfo | null;
}

/** `snapshots` in the order of their keys, as listed. */
export function expiredSnapshots(
  snapshots: readonly ObjectInfo[],
  { retentionMs, snapshotsMin }: RetentionPolicy,
  nowMs: number,
): SnapshotDecision {
  const horizonMs = nowMs - Math.max(retentionMs, AGE_MS_MIN);
  const firstYoung = snapshots.findIndex(({ modifiedAtMs }) => modifiedAtMs > horizonMs);
  // The one before the first that is young enough is what a restore to the horizon begins with.
  const byAge = firstYoung < 0 ? snapshots.length - 1 : firstYoung - 1;
  const kept = Math.max(0, Math.min(byAge, snapshots.length - snapshotsMin));
  return { deleted: snapshots.slice(0, kept), oldestKept: snapshots[kept] ?? null };
}

/** Whether this object in `segments/` is needed by no snapshot from `oldest` on. */
export function isExpiredSegment({ key, size }: ObjectInfo, oldest: ObjectInfo): boolean {
  const seq = seqOfKey(key);
  const from = parseSnapshotKey(oldest.key)?.seq;
  if (seq === null || from === undefined) return false;
  return seq < from && size !== CLAIM_BYTES;
}
