/**
 * Frames: an 8-byte header and a payload. `type` u16, `flags` u16, `length` u32 (payload only), all big-endian.
 *
 * 1. Any cut of the bytes into chunks gives the same frames.
 * 2. Work and memory are linear in the bytes received, never in a length that was only announced.
 */
import { ProtocolError } from "./protocol-error.ts";

export const FRAME_HEADER_BYTES = 8;

/** The only flag: the sender of a command or of a run result asks for an acknowledgement. */
export const REQUESTED_ACK = 0x8000;

export interface Frame {
  readonly type: number;
  readonly ackRequested: boolean;
  readonly body: Uint8Array;
}

const EMPTY = new Uint8Array(0);

/** The smallest buffer to collect a cut payload in. */
const COLLECT_BYTES_MIN = 4096;

/** Writes a header at the start of `bytes`. */
export function writeFrameHeader(
  bytes: Uint8Array,
  type: number,
  bodyBytes: number,
  ackRequested: boolean,
): void {
  bytes[0] = type >>> 8;
  bytes[1] = type;
  bytes[2] = ackRequested ? REQUESTED_ACK >>> 8 : 0;
  bytes[3] = 0;
  bytes[4] = bodyBytes >>> 24;
  bytes[5] = bodyBytes >>> 16;
  bytes[6] = bodyBytes >>> 8;
  bytes[7] = bodyBytes;
}

/** A whole frame around a payload that is already encoded. */
export function encodeFrame(type: number, body: Uint8Array, ackRequested = false): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrameHeader(bytes, type, body.length, ackRequested);
  bytes.set(body, FRAME_HEADER_BYTES);
  return bytes;
}

interface Header {
  readonly type: number;
  readonly ackRequested: boolean;
  readonly length: number;
}

/**
 * Cuts a stream of chunks into frames. Push a chunk, then take frames until there is none.
 *
 * A payload that lies within one chunk is a view of that chunk; one that is cut is collected in a buffer that doubles as
 * its bytes arrive, up to exactly its length, so that small chunks cost neither their number squared nor their wrappers.
 */
export class FrameDecoder {
  readonly #maxMessageBytes: number;
  /** Pushed and not yet looked at, oldest first; `#chunk` is the one in work. */
  readonly #queue: Uint8Array[] = [];
  #chunk: Uint8Array = EMPTY;
  #offset = 0;
  readonly #cutHeader = new Uint8Array(FRAME_HEADER_BYTES);
  #cutHeaderBytes = 0;
  /** Set between a frame's header and the end of its payload. */
  #header: Header | undefined;
  #collected: Uint8Array = EMPTY;
  #collectedBytes = 0;
  #pendingBytes = 0;
  #failure: ProtocolError | undefined;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** Bytes pushed that no frame has carried away yet; not 0 at the end of a stream means it was cut. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The decoder keeps views of the chunk; the caller must not change it afterwards. */
  push(chunk: Uint8Array): void {
    this.#pendingBytes += chunk.length;
    if (this.#queue.length > 0 || this.#offset < this.#chunk.length) {
      this.#queue.push(chunk);
    } else {
      this.#chunk = chunk;
      this.#offset = 0;
    }
  }

  /** The next whole frame. Throws `ProtocolError` 413 as soon as a header announces too much, and ever after. */
  next(): Frame | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    const header = this.#header ?? this.#readHeader();
    if (header === undefined) return undefined;
    const body = this.#readBody(header.length);
    if (body === undefined) {
      this.#header = header;
      return undefined;
    }
    this.#header = undefined;
    this.#pendingBytes -= FRAME_HEADER_BYTES + header.length;
    return { type: header.type, ackRequested: header.ackRequested, body };
  }

  #readHeader(): Header | undefined {
    let at = this.#offset;
    let bytes = this.#chunk;
    if (this.#cutHeaderBytes > 0 || bytes.length - at < FRAME_HEADER_BYTES) {
      if (!this.#collectHeader()) return undefined;
      bytes = this.#cutHeader;
      at = 0;
      this.#cutHeaderBytes = 0;
    } else {
      this.#offset += FRAME_HEADER_BYTES;
    }
    const length = uint16(bytes, at + 4) * 0x1_0000 + uint16(bytes, at + 6);
    if (length > this.#maxMessageBytes) {
      this.#failure = new ProtocolError(
        413,
        `a message of ${length} bytes is above the limit of ${this.#maxMessageBytes}`,
      );
      throw this.#failure;
    }
    const ackRequested = (uint16(bytes, at + 2) & REQUESTED_ACK) !== 0;
    return { type: uint16(bytes, at), ackRequested, length };
  }

  #collectHeader(): boolean {
    while (this.#cutHeaderBytes < FRAME_HEADER_BYTES) {
      const missing = FRAME_HEADER_BYTES - this.#cutHeaderBytes;
      const part = this.#take(missing);
      if (part === undefined) return false;
      this.#cutHeader.set(part, this.#cutHeaderBytes);
      this.#cutHeaderBytes += part.length;
    }
    return true;
  }

  #readBody(length: number): Uint8Array | undefined {
    if (length === 0) return EMPTY;
    if (this.#collectedBytes === 0) {
      const part = this.#take(length);
      if (part === undefined) return undefined;
      if (part.length === length) return part;
      this.#collect(part, length);
    }
    while (this.#collectedBytes < length) {
      const part = this.#take(length - this.#collectedBytes);
      if (part === undefined) return undefined;
      this.#collect(part, length);
    }
    const body = this.#collected;
    this.#collected = EMPTY;
    this.#collectedBytes = 0;
    return body;
  }

  #collect(part: Uint8Array, length: number): void {
    const needed = this.#collectedBytes + part.length;
    if (needed > this.#collected.length) {
      const grown = Math.max(needed, 2 * this.#collected.length, COLLECT_BYTES_MIN);
      const larger = new Uint8Array(Math.min(length, grown));
      larger.set(this.#collected.subarray(0, this.#collectedBytes));
      this.#collected = larger;
    }
    this.#collected.set(part, this.#collectedBytes);
    this.#collectedBytes = needed;
  }

  /** A view of up to `maxBytes` of what was pushed; undefined when there is nothing left. */
  #take(maxBytes: number): Uint8Array | undefined {
    while (this.#offset >= this.#chunk.length) {
      const following = this.#queue.shift();
      if (following === undefined) {
        this.#chunk = EMPTY;
        this.#offset = 0;
        return undefined;
      }
      this.#chunk = following;
      this.#offset = 0;
    }
    const end = Math.min(this.#chunk.length, this.#offset + maxBytes);
    const part = this.#chunk.subarray(this.#offset, end);
    this.#offset = end;
    return part;
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}
