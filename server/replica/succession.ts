/**
 * A restored state becomes that of the writer: whoever has written the history meanwhile is followed to the claim that ends its
 * turn, so that nothing it was acknowledged is left out.
 */
import { patiently } from "./attach.ts";
import type { Bucket } from "./bucket.ts";
import type { BucketError } from "./bucket-error.ts";
import { advance, type ImageState } from "./advance.ts";
import { linkOf } from "./chain.ts";
import { claim } from "./claim.ts";
import type { BlobRef, Segment } from "./segment.ts";
import { followWhole } from "./whole-history.ts";

export interface SuccessionOptions {
  /** The machine, for people. */
  readonly host: string;
  readonly nowMs: () => number;
  /** Between two tries of what failed and may pass. */
  readonly pause: (error: BucketError) => Promise<void>;
}

export interface Succession {
  /** The state is the one after it; nobody else can add to the history before it. */
  readonly claim: Segment;
  /** Payloads that came with what was added. */
  readonly blobs: readonly BlobRef[];
  /** The state does not follow from the restored one: all its payloads are to be looked for. */
  readonly isReplaced: boolean;
}

/** The file of `state` is not open. */
export async function succeed(
  bucket: Bucket,
  state: ImageState,
  { host, nowMs, pause, writerId }: SuccessionOptions & { readonly writerId: Uint8Array },
): Promise<Succession> {
  const blobs: BlobRef[] = [];
  let isReplaced = false;
  for (;;) {
    const added = await advance(bucket, state, followWhole(bucket, linkOf(state.last)));
    blobs.push(...added.blobs);
    isReplaced ||= added.isReplaced;
    const tail = state.last;
    const { replicaId } = tail.head;
    const request = { tail, identity: { replicaId, writerId, host }, nowMs: nowMs() };
    const claimed = await patiently(() => claim(bucket, request), pause);
    if (claimed.kind === "claimed") return { claim: claimed.segment, blobs, isReplaced };
    // Somebody was first: what they stored comes next, or is missing.
  }
}
