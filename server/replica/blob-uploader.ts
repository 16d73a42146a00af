/** Brings large payloads into the bucket, before the segments that name them (R9). */
import fs from "node:fs";
import type { Bucket } from "./bucket.ts";
import type { BlobSource } from "./blob-source.ts";
import { blobKey, BLOBS } from "./names.ts";
import type { BlobRef } from "./segment.ts";

const UNDER_WAY_MAX = 4;
const PAGE = 1000;

export interface BlobUploaderOptions {
  readonly bucket: Bucket;
  readonly source: BlobSource;
  /** Its file is gone, and the bucket has no other copy: nobody has this payload any more. */
  readonly onMissing: (ref: BlobRef) => void;
}

export class BlobUploader {
  readonly #options: BlobUploaderOptions;
  /** They are in the bucket; the next segment names them. */
  #unnamed: readonly BlobRef[] = [];

  constructor(options: BlobUploaderOptions) {
    this.#options = options;
  }

  /** What an earlier process committed and did not upload. */
  async recover(): Promise<void> {
    this.#unnamed = await this.#uploadMissing();
  }

  /** Payloads committed since the last call; `done` resolves when they are in the bucket. */
  uploadNew(): { readonly refs: readonly BlobRef[]; readonly done: Promise<void> } {
    const taken = this.#options.source.takeNewBlobs();
    const refs = [...this.#unnamed, ...taken];
    this.#unnamed = [];
    const done = taken.length === 0 ? Promise.resolve() : this.#upload(taken);
    // Whoever awaits it later gets the error all the same.
    done.catch(() => {});
    return { refs, done };
  }

  /**
   * All that the database knows and the bucket lacks: of a state that stands for itself. Also what nothing refers to now, for
   * something may have done so in that state.
   */
  async uploadAll(): Promise<void> {
    const taken = this.#options.source.takeNewBlobs();
    await this.#uploadMissing();
    this.#unnamed = [...this.#unnamed, ...taken];
  }

  async #uploadMissing(): Promise<readonly BlobRef[]> {
    const uploaded: BlobRef[] = [];
    let after: BlobRef | null = null;
    let there: ReadonlySet<string> | null = null;
    for (;;) {
      const rows = this.#options.source.allBlobs(after, PAGE);
      const last = rows.at(-1);
      if (last === undefined) return uploaded;
      there ??= await this.#listed();
      const known = there;
      const missing = rows.filter((row) => !known.has(blobKey(row)));
      const unreferenced = new Set<BlobRef>(missing.filter(({ refs }) => refs === 0));
      await this.#upload(missing, unreferenced);
      uploaded.push(...missing);
      after = last;
    }
  }

  async #listed(): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for await (const { key } of this.#options.bucket.list(BLOBS)) keys.add(key);
    return keys;
  }

  /** Those of `dispensable` may have no file. */
  async #upload(refs: readonly BlobRef[], dispensable?: ReadonlySet<BlobRef>): Promise<void> {
    const { bucket, source, onMissing } = this.#options;
    const left = [...refs];
    const lane = async (): Promise<void> => {
      for (let ref = left.pop(); ref !== undefined; ref = left.pop()) {
        const file = source.blobFile(ref.hash);
        if (fs.existsSync(file)) await bucket.putFile(blobKey(ref), file);
        else if (dispensable?.has(ref) !== true) onMissing(ref);
      }
    };
    await Promise.all(Array.from({ length: UNDER_WAY_MAX }, lane));
  }
}
