/** The history up to its end, where the end is not one that a missing segment makes. */
import type { Bucket } from "./bucket.ts";
import { type ChainLink, follow, linkOf, readSegment } from "./chain.ts";
import { DamageError } from "./damage-error.ts";
import { segmentKey, SEGMENTS, seqOfKey } from "./names.ts";
import type { Segment } from "./segment.ts";
import { WINDOW } from "./segment-codec.ts";

/** What comes behind `from`. Throws `DamageError` where the chain is broken, or a segment is gone that others follow. */
export async function* followWhole(
  bucket: Bucket,
  from: ChainLink,
  aheadAtFirst?: number,
): AsyncGenerator<Segment> {
  let link = from;
  for (;;) {
    for await (const segment of follow(bucket, link, aheadAtFirst)) {
      link = linkOf(segment);
      yield segment;
    }
    const later = await firstBehindWindow(bucket, link.next);
    if (later === null) return;
    // What was listed may have been stored since the number before it was asked for.
    if ((await readSegment(bucket, link.next)) === null) {
      throw new DamageError(`segment ${link.next} is missing, and segment ${later} is there`);
    }
  }
}

/** A writer has at most a window of segments on their way: beyond it nothing is stored before `next` is. Null: nothing is there. */
export async function firstBehindWindow(bucket: Bucket, next: number): Promise<number | null> {
  for await (const { key } of bucket.list(SEGMENTS, segmentKey(next + WINDOW - 1))) {
    const seq = seqOfKey(key);
    if (seq !== null) return seq;
  }
  return null;
}

/** In the window behind a claim: nobody reads it. `claimSeqs` rise. */
export function isSkipped(claimSeqs: readonly number[], seq: number): boolean {
  const before = claimSeqs.findLast((claim) => claim < seq);
  return before !== undefined && seq < before + WINDOW;
}
