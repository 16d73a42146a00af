/** Zstandard, where Node has it: from 22.15. */
import zlib from "node:zlib";
import { trust } from "../define/any.ts";

interface NodeZstd {
  zstdCompressSync(bytes: Uint8Array): Buffer;
  zstdDecompressSync(bytes: Uint8Array): Buffer;
}

export interface Zstd {
  compress(bytes: Uint8Array): Buffer;
  /** Throws for what is no zstd. */
  decompress(bytes: Uint8Array): Buffer;
}

// Newer than the types of the oldest Node that is supported.
const { zstdCompressSync, zstdDecompressSync } = trust<Partial<NodeZstd>>(zlib);

/** Undefined where it is missing. */
export const zstd: Zstd | undefined =
  zstdCompressSync === undefined || zstdDecompressSync === undefined
    ? undefined
    : { compress: zstdCompressSync, decompress: zstdDecompressSync };
