/** A server makes itself the writer of the history (R2). */
import type { WriterIdentity } from "./attachment.ts";
import type { Bucket } from "./bucket.ts";
import { sameBytes } from "./format.ts";
import { segmentKey, SEGMENTS, seqOfKey } from "./names.ts";
import type { Segment, SegmentHead } from "./segment.ts";
import { encodeSegment, nextSeq, WINDOW } from "./segment-codec.ts";

export interface ClaimOptions {
  /** The last segment of the history; null: there is none yet. */
  readonly tail: Segment | null;
  readonly identity: Omit<WriterIdentity, "epoch">;
  readonly nowMs: number;
}

/**
 * - claimed: the history goes on with this segment
 * - moved: somebody else has stored a segment behind the tail: read on
 * - stale: the tail was read so long ago that it is not the end any more (R5): begin anew
 */
export type ClaimResult =
  | { readonly kind: "claimed"; readonly segment: Segment }
  | { readonly kind: "moved" }
  | { readonly kind: "stale" };

/** A store that fails leaves open whether the claim stands: asking again with the same arguments finds out. Throws `BucketError`. */
export async function claim(bucket: Bucket, options: ClaimOptions): Promise<ClaimResult> {
  const { tail, identity, nowMs } = options;
  const head: SegmentHead = {
    ...identity,
    epoch: (tail?.head.epoch ?? 0) + 1,
    seq: tail === null ? 1 : nextSeq(tail),
    previousHash: tail?.hash ?? new Uint8Array(32),
    timeMs: Math.max(nowMs, tail?.head.timeMs ?? 0),
  };
  const { bytes, segment } = encodeSegment(head, { kind: "claim" });
  const key = segmentKey(head.seq);
  if ((await bucket.putNew(key, bytes)) === "exists") {
    const there = await bucket.get(key);
    // An earlier try of ours may have arrived (R4).
    if (there === null || !sameBytes(there, bytes)) return { kind: "moved" };
  }
  return (await isBehind(bucket, head.seq)) ? { kind: "stale" } : { kind: "claimed", segment };
}

/** Something lies behind the window of a claim that was only just stored. */
async function isBehind(bucket: Bucket, seq: number): Promise<boolean> {
  for await (const { key } of bucket.list(SEGMENTS, segmentKey(seq + WINDOW - 1))) {
    if (seqOfKey(key) !== null) return true;
  }
  return false;
}
