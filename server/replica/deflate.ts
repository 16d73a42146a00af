/** Raw deflate (RFC 1951), in one piece. */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { assert } from "../base/assert.ts";
import { DamageError } from "./damage-error.ts";
import { demand } from "./format.ts";

/** Level 6 takes three to four times as long, and makes pages of a journal 3 to 10 % smaller. */
const LEVEL = 1;
/** What zlib takes. */
const CHUNK_BYTES_MIN = 64;
/** In one go where the output is small; where it is large, no more is allocated than comes. */
const CHUNK_BYTES_MAX = 1024 * 1024;

export function deflate(bytes: Uint8Array): Uint8Array {
  const packed = deflateRawSync(bytes, { level: LEVEL, chunkSize: chunkBytes(bytes.length) });
  // With a buffer of its own, which can be handed to another thread.
  return new Uint8Array(packed);
}

/** Never makes more than `rawSize` bytes, whatever comes. Throws `DamageError` unless it is exactly that, out of all of `packed`. */
export function inflate(packed: Uint8Array, rawSize: number): Buffer {
  const result = inflateUpTo(packed, rawSize);
  assert(hasInfo(result), "zlib tells how much it read");
  demand(result.buffer.length === rawSize, "what is compressed has another length");
  demand(
    result.engine.bytesWritten === packed.length,
    "something follows the end of what is compressed",
  );
  return result.buffer;
}

function inflateUpTo(packed: Uint8Array, maxOutputLength: number): unknown {
  try {
    return inflateRawSync(packed, {
      // zlib knows no limit of zero.
      maxOutputLength: Math.max(maxOutputLength, 1),
      chunkSize: chunkBytes(maxOutputLength),
      info: true,
    });
  } catch (cause) {
    throw new DamageError("what is compressed cannot be read", { cause });
  }
}

/** What `info` makes of a result, which the types of Node do not say; `bytesWritten` are those that were read. */
interface WithInfo {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

function hasInfo(result: unknown): result is WithInfo {
  if (typeof result !== "object" || result === null) return false;
  if (!("buffer" in result && "engine" in result)) return false;
  const { buffer, engine } = result;
  return (
    Buffer.isBuffer(buffer) &&
    typeof engine === "object" &&
    engine !== null &&
    "bytesWritten" in engine &&
    typeof engine.bytesWritten === "number"
  );
}

function chunkBytes(outputBytes: number): number {
  return Math.min(Math.max(outputBytes, CHUNK_BYTES_MIN), CHUNK_BYTES_MAX);
}
