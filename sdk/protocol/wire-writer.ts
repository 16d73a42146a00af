/**
 * Writes the subset of protobuf (proto3) that the protocol uses: varints and length-delimited fields.
 *
 * One writer serves all encoding, one message at a time: encoding is synchronous and never calls out. It writes into a
 * buffer it keeps and hands out copies; a message too large to copy twice takes the buffer itself along.
 *
 * Fields are written in the order of the calls. `string`, `bytes`, `uint32`, … leave the default value out, as proto3
 * does; the `…Always` forms write it, for fields with presence (optional ones and members of a oneof).
 */
import { FRAME_HEADER_BYTES, writeFrameHeader } from "./frame.ts";

/** A tag as it stands on the wire: `field << 3 | wire type`. */
export const varintTag = (field: number): number => field << 3;
export const bytesTag = (field: number): number => (field << 3) | 2;

const BUFFER_BYTES = 16 * 1024;
/** Above it, a second copy costs more than a new buffer. */
const COPIED_BYTES_MAX = 8 * 1024;
/** Up to this length a loop over character codes beats the call into the encoder. */
const SHORT_CHARS = 48;
/** A tag (up to two bytes) and a varint. */
const FIELD_HEAD_BYTES = 12;

const utf8 = new TextEncoder();

export class WireWriter {
  #buffer = new Uint8Array(BUFFER_BYTES);
  #at = 0;

  /** Begins a message; leaves room for a frame header in front of it when `framed`. */
  begin(framed: boolean): void {
    this.#at = framed ? FRAME_HEADER_BYTES : 0;
  }

  /** The payload since `begin(false)`. */
  finishBody(): Uint8Array {
    return this.#handOut();
  }

  /** The frame since `begin(true)`. */
  finishFrame(type: number, ackRequested: boolean): Uint8Array {
    writeFrameHeader(this.#buffer, type, this.#at - FRAME_HEADER_BYTES, ackRequested);
    return this.#handOut();
  }

  #handOut(): Uint8Array {
    if (this.#at <= COPIED_BYTES_MAX) return this.#buffer.slice(0, this.#at);
    const bytes = this.#buffer.subarray(0, this.#at);
    this.#buffer = new Uint8Array(BUFFER_BYTES);
    return bytes;
  }

  uint32(tag: number, value: number): void {
    if (value !== 0) this.uint32Always(tag, value);
  }

  uint32Always(tag: number, value: number): void {
    this.#reserve(FIELD_HEAD_BYTES);
    this.#tag(tag);
    this.#uint32(value);
  }

  /** A 64-bit field that holds a safe integer: times and durations. */
  uint53(tag: number, value: number): void {
    if (value !== 0) this.uint53Always(tag, value);
  }

  uint53Always(tag: number, value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`a time is a safe integer of at least 0, not ${value}`);
    }
    this.#reserve(FIELD_HEAD_BYTES);
    this.#tag(tag);
    this.#halves(value >>> 0, Math.floor(value / 0x1_0000_0000));
  }

  uint64(tag: number, value: bigint): void {
    if (value === 0n) return;
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
      throw new RangeError(`a uint64 is from 0 to 2^64-1, not ${value}`);
    }
    this.#reserve(FIELD_HEAD_BYTES);
    this.#tag(tag);
    this.#halves(Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  bool(tag: number, value: boolean): void {
    if (value) this.uint32Always(tag, 1);
  }

  bytes(tag: number, value: Uint8Array): void {
    if (value.length > 0) this.bytesAlways(tag, value);
  }

  bytesAlways(tag: number, value: Uint8Array): void {
    this.#reserve(FIELD_HEAD_BYTES + value.length);
    this.#tag(tag);
    this.#uint32(value.length);
    this.#buffer.set(value, this.#at);
    this.#at += value.length;
  }

  string(tag: number, value: string): void {
    if (value !== "") this.stringAlways(tag, value);
  }

  stringAlways(tag: number, value: string): void {
    // 3 bytes hold any UTF-16 code unit.
    this.#reserve(FIELD_HEAD_BYTES + 3 * value.length);
    this.#tag(tag);
    if (value.length > SHORT_CHARS || !this.#shortAscii(value)) this.#utf8(value);
  }

  /** A string that is optional in the schema: absent is not the same as empty. */
  optionalString(tag: number, value: string | undefined): void {
    if (value !== undefined) this.stringAlways(tag, value);
  }

  /** Packed, as proto3 writes repeated numbers. */
  packedUint32(tag: number, values: readonly number[]): void {
    if (values.length === 0) return;
    const start = this.open(tag);
    for (const value of values) {
      this.#reserve(FIELD_HEAD_BYTES);
      this.#uint32(value);
    }
    this.close(start);
  }

  /** Begins a sub-message; give what it returns to `close`. */
  open(tag: number): number {
    this.#reserve(FIELD_HEAD_BYTES);
    this.#tag(tag);
    this.#at += 1;
    return this.#at;
  }

  /** Ends a sub-message. One byte was left for its length; a longer one is moved up. */
  close(start: number): void {
    const length = this.#at - start;
    if (length > 0x7f) {
      const shift = varintBytes(length) - 1;
      this.#reserve(shift);
      this.#buffer.copyWithin(start + shift, start, this.#at);
      this.#at = start - 1;
      this.#uint32(length);
      this.#at += length;
    } else {
      this.#buffer[start - 1] = length;
    }
  }

  /** A sub-message whose only field, #1, is `bytes`: `Value`. Present even when empty. */
  wrappedBytes(tag: number, value: Uint8Array): void {
    const length = value.length;
    this.#reserve(2 * FIELD_HEAD_BYTES + length);
    this.#tag(tag);
    if (length === 0) {
      this.#uint32(0);
    } else {
      this.#uint32(1 + varintBytes(length) + length);
      this.bytesAlways(bytesTag(1), value);
    }
  }

  #tag(tag: number): void {
    if (tag > 0x7f) {
      this.#buffer[this.#at] = (tag & 0x7f) | 0x80;
      this.#buffer[this.#at + 1] = tag >>> 7;
      this.#at += 2;
    } else {
      this.#buffer[this.#at] = tag;
      this.#at += 1;
    }
  }

  #uint32(value: number): void {
    let rest = value >>> 0;
    if (rest !== value)
      throw new RangeError(`a uint32 is an integer from 0 to 2^32-1, not ${value}`);
    while (rest > 0x7f) {
      this.#buffer[this.#at] = (rest & 0x7f) | 0x80;
      this.#at += 1;
      rest >>>= 7;
    }
    this.#buffer[this.#at] = rest;
    this.#at += 1;
  }

  /** A 64-bit varint from its unsigned halves; bigint arithmetic would cost ten times as much. */
  #halves(lowHalf: number, highHalf: number): void {
    let low = lowHalf;
    let high = highHalf;
    while (high > 0 || low > 0x7f) {
      this.#buffer[this.#at] = (low & 0x7f) | 0x80;
      this.#at += 1;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#buffer[this.#at] = low;
    this.#at += 1;
  }

  /** Length and characters of a short string of ASCII; says false if it is not ASCII, and the writer stands where it stood. */
  #shortAscii(value: string): boolean {
    const buffer = this.#buffer;
    const start = this.#at + 1;
    for (let index = 0; index < value.length; index += 1) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[start + index] = code;
    }
    buffer[start - 1] = value.length;
    this.#at = start + value.length;
    return true;
  }

  #utf8(value: string): void {
    const start = this.#at + 1;
    const { written } = utf8.encodeInto(value, this.#buffer.subarray(start));
    this.#at = start + written;
    this.close(start);
  }

  /** Room for `bytes` more. */
  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed + FIELD_HEAD_BYTES * 8, 2 * this.#buffer.length));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes += 1;
  return bytes;
}
