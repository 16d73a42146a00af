/** What the replica needs to know of large payloads, which lie beside the database as files. */
import type { BlobRef } from "./segment.ts";

export interface BlobSource {
  /** Those committed since the last call, in the order of their commits. */
  takeNewBlobs(): BlobRef[];
  /** Those that something refers to, by hash, behind `afterHash` (empty: from the first). */
  allBlobs(afterHash: Uint8Array, limit: number): BlobRef[];
  /** The path of the file. */
  blobFile(hash: Uint8Array): string;
  /** Those that nothing has referred to since before `beforeMs`. */
  unreferencedBlobs(beforeMs: number, limit: number): BlobRef[];
  /** Removes them, rows and files, unless something refers to them again. */
  forgetBlobs(refs: readonly BlobRef[]): void;
}
