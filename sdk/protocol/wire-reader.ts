/**
 * Reads the subset of protobuf (proto3) that the protocol uses, and never past the end: whatever the bytes are, the only
 * error is `ProtocolError` 500.
 *
 * 1. Unknown fields are skipped. A KNOWN field under another wire type is an error, not an unknown field.
 * 2. Of a field that may stand once and stands more often, the last one counts, sub-messages included.
 * 3. `uint32` beyond its range is an error (protobuf would cut it). 64-bit times beyond 2^53-1 read as 2^53-1.
 * 4. Strings must be UTF-8. Bytes are views, not copies.
 * 5. Groups, which proto3 does not have, are an error.
 */
import { VARINT_BYTES_MAX } from "./limits.ts";
import { ProtocolError } from "./protocol-error.ts";

/** Up to this length a loop over ASCII beats the call into the decoder. */
const SHORT_BYTES = 48;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undecodable bytes. */
export function undecodable(what: string): ProtocolError {
  return new ProtocolError(500, what);
}

export class WireReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  #end: number;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** The next tag (`field << 3 | wire type`), or 0 at the end of the message. */
  tag(): number {
    if (this.#at >= this.#end) return 0;
    const tag = this.uint32();
    if (tag < 8) throw undecodable("a field has the number 0");
    return tag;
  }

  uint32(): number {
    const byte = this.#byte();
    return byte < 0x80 ? byte : this.#longUint32(byte);
  }

  #longUint32(first: number): number {
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.#byte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.#byte();
    if (last > 0x0f) {
      // Only zeros may follow: padded, but in range.
      if (last < 0x80 || (last & 0x70) !== 0) throw undecodable("a number is above 2^32-1");
      this.#zeroPadding(5);
    }
    return value + (last & 0x0f) * 0x1000_0000;
  }

  #zeroPadding(read: number): void {
    for (let count = read; count < VARINT_BYTES_MAX; count += 1) {
      const byte = this.#byte();
      if (byte === 0) return;
      if (byte !== 0x80) throw undecodable("a number is above 2^32-1");
    }
    throw undecodable("a varint has more than 10 bytes");
  }

  /** A 64-bit varint in two halves of 32 bits, each unsigned. */
  #halves(): { readonly low: number; readonly high: number } {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 7 * VARINT_BYTES_MAX; shift += 7) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && bits > 1) throw undecodable("a number is above 2^64-1");
        return { low: low >>> 0, high: high >>> 0 };
      }
    }
    throw undecodable("a varint has more than 10 bytes");
  }

  uint64(): bigint {
    const { low, high } = this.#halves();
    return (BigInt(high) << 32n) | BigInt(low);
  }

  /** A 64-bit time or duration; the largest safe integer stands for anything above it. */
  uint53(): number {
    const { low, high } = this.#halves();
    return high > 0x1f_ffff ? Number.MAX_SAFE_INTEGER : high * 0x1_0000_0000 + low;
  }

  bool(): boolean {
    const { low, high } = this.#halves();
    return (low | high) !== 0;
  }

  /** An enum value, by its number an element of `values`; one that is not among them reads as the first. */
  enumeration<T extends number>(values: readonly [T, ...T[]]): T {
    const { low, high } = this.#halves();
    return (high === 0 ? values[low] : undefined) ?? values[0];
  }

  bytes(): Uint8Array {
    const end = this.#fieldEnd();
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return value;
  }

  string(): string {
    const end = this.#fieldEnd();
    const start = this.#at;
    this.#at = end;
    const ascii = end - start <= SHORT_BYTES ? this.#shortAscii(start, end) : undefined;
    return ascii ?? this.#utf8(start, end);
  }

  /** One element of a repeated uint32, or all of a packed one: encoders may write either. */
  uint32s(tag: number, into: number[]): void {
    if ((tag & 7) === 0) {
      into.push(this.uint32());
      return;
    }
    const outer = this.enter();
    while (this.#at < this.#end) into.push(this.uint32());
    this.leave(outer);
  }

  /** Narrows the reader to the sub-message that begins here; give what it returns to `leave`. */
  enter(): number {
    const outer = this.#end;
    this.#end = this.#fieldEnd();
    return outer;
  }

  /** Widens the reader again, once the sub-message is read to its end. */
  leave(outer: number): void {
    this.#end = outer;
  }

  /** Passes over an unknown field. `known` has a bit for the number of each known one. */
  skipField(tag: number, known: number): void {
    const field = tag >>> 3;
    if (field < 32 && ((known >>> field) & 1) === 1) {
      throw undecodable(`field ${field} has the wrong wire type`);
    }
    switch (tag & 7) {
      case 0:
        this.#halves();
        break;
      case 1:
        this.#advance(8);
        break;
      case 2:
        this.#at = this.#fieldEnd();
        break;
      case 5:
        this.#advance(4);
        break;
      default:
        throw undecodable(`field ${field} has no wire type of proto3`);
    }
  }

  #byte(): number {
    if (this.#at >= this.#end) throw undecodable("the message ends in the middle of a field");
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }

  #advance(bytes: number): void {
    if (bytes > this.#end - this.#at)
      throw undecodable("the message ends in the middle of a field");
    this.#at += bytes;
  }

  #fieldEnd(): number {
    const length = this.uint32();
    if (length > this.#end - this.#at) throw undecodable("a field reaches past its message");
    return this.#at + length;
  }

  #shortAscii(start: number, end: number): string | undefined {
    let text = "";
    for (let at = start; at < end; at += 1) {
      const byte = this.#bytes[at] ?? 0;
      if (byte > 0x7f) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }

  #utf8(start: number, end: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, end));
    } catch {
      throw undecodable("a string is not UTF-8");
    }
  }
}

/** The bit set of field numbers for `skipField`. */
export function fieldSet(...fields: readonly number[]): number {
  return fields.reduce((set, field) => set | (1 << field), 0);
}
