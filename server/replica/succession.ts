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
import type { Segment } from "./segment.ts";
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
  /** The state is another one than before: its payloads are to be looked for, since a server that died may have left some unnamed. */
  readonly isAdvanced: boolean;
}

/** The file of `state` is not open. */
export async function succeed(
  bucket: Bucket,
  state: ImageState,
  { host, nowMs, pause, writerId }: SuccessionOptions & { readonly writerId: Uint8Array },
): Promise<Succession> {
  let isAdvanced = false;
  for (;;) {
    const { segments } = await advance(bucket, state, followWhole(bucket, linkOf(state.last)));
    isAdvanced ||= segments > 0;
    const tail = state.last;
    const { replicaId } = tail.head;
    const request = { tail, identity: { replicaId, writerId, host }, nowMs: nowMs() };
    const claimed = await patiently(() => claim(bucket, request), pause);
    if (claimed.kind === "claimed") return { claim: claimed.segment, isAdvanced };
    // Somebody was first: what they stored comes next, or is missing.
  }
}
