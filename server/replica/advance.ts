/** A database image that goes on with the history, segment by segment. */
import type { Bucket } from "./bucket.ts";
import { DamageError } from "./damage-error.ts";
import { DatabaseImage } from "./database-image.ts";
import type { Meter } from "./meter.ts";
import type { BlobRef, Segment } from "./segment.ts";

export interface ImageState {
  readonly file: string;
  /** The file is the state after it, or between that and one that comes later: to be brought there by the segments in between. */
  last: Segment;
  readonly meter: Meter;
}

interface Advanced {
  /** Segments that were taken. */
  readonly segments: number;
  /** Payloads that came with them. */
  readonly blobs: readonly BlobRef[];
  /** The state does not follow from the one before: all its payloads are to be looked for. */
  readonly isReplaced: boolean;
}

/**
 * Takes what comes behind `state.last`, and moves that along. The file is not open before, nor afterwards. After an error it may be
 * called again. Throws `DamageError` or `BucketError`.
 */
export async function advance(
  bucket: Bucket,
  state: ImageState,
  segments: AsyncIterable<Segment>,
): Promise<Advanced> {
  const blobs: BlobRef[] = [];
  let taken = 0;
  let isReplaced = false;
  let image: DatabaseImage | null = null;
  try {
    for await (const segment of segments) {
      image ??= new DatabaseImage(state.file);
      blobs.push(...image.apply(segment));
      if (segment.content.kind === "base") {
        if (!(await image.load(bucket, segment, state.meter)))
          throw new DamageError(`the snapshot of base segment ${segment.head.seq} is missing`);
        isReplaced = true;
      }
      state.last = segment;
      taken += 1;
    }
  } finally {
    image?.close();
  }
  return { segments: taken, blobs, isReplaced };
}
