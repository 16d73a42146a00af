/** What the replica needs to know of large payloads, which lie beside the database as files. */
import type { BlobRef } from "./segment.ts";

/** A row of the database. */
export interface StoredBlob extends BlobRef {
  /** How many other rows refer to it. */
  readonly refs: number;
}

export interface BlobSource {
  /** Those committed since the last call, in the order of their commits. */
  takeNewBlobs(): BlobRef[];
  /** All that have a row, by hash and id, behind `after` (null: from the first). */
  allBlobs(after: BlobRef | null, limit: number): StoredBlob[];
  /** There is a row of this hash and id. */
  knowsBlob(ref: Pick<BlobRef, "hash" | "id">): boolean;
  /** The path of the file. Those that nothing refers to may have none. */
  blobFile(hash: Uint8Array): string;
  /** Those that nothing has referred to since before `beforeMs`. */
  unreferencedBlobs(beforeMs: number, limit: number): BlobRef[];
  /** Removes them, rows and files, unless something refers to them again. */
  forgetBlobs(refs: readonly BlobRef[]): void;
}
