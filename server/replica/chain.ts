/** Reading the history: from a segment to the next, each proved by the hash of the one before (R6). */
import type { Bucket } from "./bucket.ts";
import { DamageError } from "./damage-error.ts";
import { sameBytes } from "./format.ts";
import { segmentKey } from "./names.ts";
import type { Segment } from "./segment.ts";
import { decodeSegment, nextSeq } from "./segment-codec.ts";

/** So many GETs are under way at once, at most. */
const AHEAD_MAX = 16;

/** A place in the history: the segment that was read last, and what has to follow. */
export interface ChainLink {
  readonly hash: Uint8Array;
  /** Number of the segment that follows. */
  readonly next: number;
}

export function linkOf(segment: Segment): ChainLink {
  return { hash: segment.hash, next: nextSeq(segment) };
}

/** Null when there is none of this number. Throws `DamageError`. */
export async function readSegment(bucket: Bucket, seq: number): Promise<Segment | null> {
  const bytes = await bucket.get(segmentKey(seq));
  if (bytes === null) return null;
  try {
    const segment = decodeSegment(bytes);
    if (segment.head.seq !== seq)
      throw new DamageError(`it says to be segment ${segment.head.seq}`);
    return segment;
  } catch (error) {
    if (error instanceof DamageError) throw new DamageError(`segment ${seq}: ${error.message}`);
    throw error;
  }
}

/**
 * What comes behind `from`, until the store has no next number. Throws `DamageError` where the chain is broken. So many GETs are
 * under way at first, and twice as many after each segment that is there.
 */
export async function* follow(
  bucket: Bucket,
  from: ChainLink,
  aheadAtFirst = AHEAD_MAX,
): AsyncGenerator<Segment> {
  let link = from;
  let count = aheadAtFirst;
  let ahead = new Map<number, Promise<Segment | null>>();
  for (;;) {
    // A claim leads elsewhere than to the number after it: what was asked for in between is nobody's.
    const kept = new Map<number, Promise<Segment | null>>();
    for (let seq = link.next; seq < link.next + count; seq += 1) {
      kept.set(seq, ahead.get(seq) ?? reading(bucket, seq));
    }
    ahead = kept;
    const segment = await (ahead.get(link.next) ?? null);
    if (segment === null) return;
    checkLink(link, segment);
    yield segment;
    link = linkOf(segment);
    count = Math.min(AHEAD_MAX, count * 2);
  }
}

/** Ahead of its turn, which may never come: at the end of the history most of these find nothing. */
function reading(bucket: Bucket, seq: number): Promise<Segment | null> {
  const segment = readSegment(bucket, seq);
  // Whoever gets there awaits it; else nobody minds.
  segment.catch(() => {});
  return segment;
}

/** Throws `DamageError` when `segment` does not follow. */
function checkLink({ hash }: ChainLink, { head }: Segment): void {
  if (sameBytes(hash, head.previousHash)) return;
  throw new DamageError(`segment ${head.seq} does not follow the one before it`);
}
