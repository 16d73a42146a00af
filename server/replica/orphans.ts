/**
 * Payloads that no row names: a server died, or was fenced, between storing one and the segment that would have named it.
 *
 * O1 Every restore point that is kept is a past of the present database, whose rows outlive what those states need; so what has no
 *    row is needed by none. It is not so while a state is kept from before a server began with a base: that may be of another past.
 * O2 What is listed while nobody else has claimed the history was stored by this writer or one before it: a successor stores nothing
 *    before its claim. So a writer that sleeps, and is succeeded, between list and delete deletes nothing of the successor's.
 */
import type { BlobSource } from "./blob-source.ts";
import type { Bucket, ObjectInfo } from "./bucket.ts";
import { readSegment } from "./chain.ts";
import { BLOBS, parseBlobKey, parseSnapshotKey } from "./names.ts";

export interface OrphanOptions {
  readonly bucket: Bucket;
  readonly blobs: BlobSource;
  /** Asks the bucket. */
  readonly isStillWriter: () => Promise<boolean>;
}

/** Those that were stored before `beforeMs`. `kept`: the snapshots that are, in the order of their keys. */
export async function orphans(
  { bucket, blobs, isStillWriter }: OrphanOptions,
  kept: readonly ObjectInfo[],
  beforeMs: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const { key, modifiedAtMs } of bucket.list(BLOBS)) {
    const ref = parseBlobKey(key);
    if (ref !== null && modifiedAtMs < beforeMs && !blobs.knowsBlob(ref)) found.push(key);
  }
  if (found.length === 0 || (await isAnotherPast(bucket, kept))) return [];
  return (await isStillWriter()) ? found : [];
}

/** A server that begins with a base stores its snapshot before any other. */
async function isAnotherPast(bucket: Bucket, [oldest, ...later]: readonly ObjectInfo[]) {
  let before = parseSnapshotKey(oldest?.key ?? "")?.epoch;
  for (const { key } of later) {
    const at = parseSnapshotKey(key);
    if (at === null || at.epoch === before) continue;
    before = at.epoch;
    const segment = await readSegment(bucket, at.seq);
    if (segment === null || segment.content.kind === "base") return true;
  }
  return false;
}
