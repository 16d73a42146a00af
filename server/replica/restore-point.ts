/** Which states can be had again: a snapshot, or one and segments behind it. */
import type { Bucket } from "./bucket.ts";
import { parseSnapshotKey, SNAPSHOTS } from "./names.ts";

/** Which state: the newest, that of a moment, or that after a segment. */
export type RestorePoint = { readonly kind: "latest" } | PastPoint;

export type PastPoint =
  | { readonly kind: "time"; readonly atMs: number }
  | { readonly kind: "segment"; readonly seq: number };

/** There is no state like that. The message says which there are. */
export class RestoreError extends Error {
  override readonly name = "RestoreError";
}

/** A snapshot as a list shows it: whether it counts is not known. */
export interface ListedSnapshot {
  readonly key: string;
  readonly seq: number;
  readonly epoch: number;
  /** Bytes. */
  readonly size: number;
}

/** In the order of their numbers. */
export async function listSnapshots(bucket: Bucket): Promise<readonly ListedSnapshot[]> {
  const found: ListedSnapshot[] = [];
  for await (const { key, size } of bucket.list(SNAPSHOTS)) {
    const parsed = parseSnapshotKey(key);
    if (parsed !== null) found.push({ key, size, ...parsed });
  }
  return found;
}

/** The state after a segment of this number, and of this time where that is known, is at the point or before it. */
export function isWithin(point: RestorePoint, seq: number, timeMs?: number): boolean {
  if (point.kind === "segment") return seq <= point.seq;
  return point.kind === "latest" || timeMs === undefined || timeMs <= point.atMs;
}
