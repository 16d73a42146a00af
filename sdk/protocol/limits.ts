/** The limits of the contract between server and endpoint, each with its reason. */

/** The payload of one frame. The same figure as the peers', so that what one accepts the other accepts. */
export const MESSAGE_BYTES_MAX_DEFAULT = 32 * 1024 * 1024;

/** An invocation id: a 64-bit partition key and a 128-bit unique part. */
export const INVOCATION_ID_BYTES = 24;

/** A deployment id is a ULID. */
export const DEPLOYMENT_ID_BYTES = 16;

/** The largest value of a `uint32` field: ids, indexes, counts. */
export const UINT32_MAX = 0xffff_ffff;

/** Failure codes are HTTP-style and travel in 16 bits from peer to peer. */
export const FAILURE_CODE_MAX = 0xffff;

/** Levels of an await tree. Deeper ones are no mistake of the endpoint's code, but are not evaluated. */
export const FUTURE_DEPTH_MAX = 1000;
/** Levels that are decoded at all. Decoding recurses, so a hostile tree must not reach the end of the stack. */
export const FUTURE_DEPTH_DECODED_MAX = 2 * FUTURE_DEPTH_MAX;

/** A varint carries 64 bits in groups of 7. */
export const VARINT_BYTES_MAX = 10;
