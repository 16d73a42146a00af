/** Brings large payloads into the bucket, before the segments that name them (R9). */
import type { Bucket } from "./bucket.ts";
import type { BlobSource } from "./blob-source.ts";
import { blobKey, BLOBS } from "./names.ts";
import type { BlobRef } from "./segment.ts";

const UNDER_WAY_MAX = 4;
const PAGE = 1000;
const NO_BYTES = new Uint8Array();

export class BlobUploader {
  readonly #bucket: Bucket;
  readonly #source: BlobSource;
  #recovered: BlobRef[] = [];

  constructor(bucket: Bucket, source: BlobSource) {
    this.#bucket = bucket;
    this.#source = source;
  }

  /** What an earlier process committed and did not upload; the next segment names it. */
  async recover(): Promise<void> {
    this.#recovered = await this.#uploadMissing();
  }

  /** Payloads committed since the last call; `done` resolves when they are in the bucket. */
  uploadNew(): { readonly refs: readonly BlobRef[]; readonly done: Promise<void> } {
    const refs = [...this.#recovered.splice(0), ...this.#source.takeNewBlobs()];
    const done = refs.length === 0 ? Promise.resolve() : this.#upload(refs);
    // Whoever awaits it later gets the error all the same.
    done.catch(() => {});
    return { refs, done };
  }

  /** All that the database names and the bucket lacks: of a directory whose history is not known. */
  async uploadAll(): Promise<void> {
    this.#source.takeNewBlobs();
    this.#recovered = [];
    await this.#uploadMissing();
  }

  async #uploadMissing(): Promise<BlobRef[]> {
    const uploaded: BlobRef[] = [];
    let after: Uint8Array = NO_BYTES;
    let there: ReadonlySet<string> | null = null;
    for (;;) {
      const refs = this.#source.allBlobs(after, PAGE);
      const last = refs.at(-1);
      if (last === undefined) return uploaded;
      there ??= await this.#listed();
      const known = there;
      const missing = refs.filter((ref) => !known.has(blobKey(ref)));
      await this.#upload(missing);
      uploaded.push(...missing);
      after = last.hash;
    }
  }

  async #listed(): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for await (const { key } of this.#bucket.list(BLOBS)) keys.add(key);
    return keys;
  }

  async #upload(refs: readonly BlobRef[]): Promise<void> {
    const left = [...refs];
    const lane = async (): Promise<void> => {
      for (let ref = left.pop(); ref !== undefined; ref = left.pop()) {
        await this.#bucket.putFile(blobKey(ref), this.#source.blobFile(ref.hash));
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY_MAX }, lane));
  }
}
