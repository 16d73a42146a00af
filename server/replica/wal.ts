/** The write-ahead log of SQLite as bytes: https://sqlite.org/fileformat2.html#the_write_ahead_log. Numbers are big-endian. */
import os from "node:os";
import type { WalPosition } from "./segment.ts";

export const PAGE_BYTES = 4096;
export const HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;
export const FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES;

/** The last bit tells the byte order of the words that checksums add up. */
const MAGIC = 0x377f0682;
const FORMAT = 3007000;
const IS_HOST_BIG_ENDIAN = os.endianness() === "BE";

export interface WalHeader {
  /** How often the log has started over since it was made. */
  readonly restarts: number;
  readonly salt1: number;
  readonly salt2: number;
  readonly checksum1: number;
  readonly checksum2: number;
  /** Checksums add up big-endian words. */
  readonly isBigEndian: boolean;
}

/** Where a generation of the log begins. */
export function origin(header: WalHeader): WalPosition {
  const { salt1, salt2, checksum1, checksum2 } = header;
  return { salt1, salt2, frame: 0, checksum1, checksum2 };
}

/** Of the log of one database: it starts over under other salts. */
export function isSameGeneration(
  one: Pick<WalPosition, "salt1" | "salt2">,
  other: Pick<WalPosition, "salt1" | "salt2">,
): boolean {
  return one.salt1 === other.salt1 && one.salt2 === other.salt2;
}

/** Where a frame lies in the file; the first is 1. */
export const frameOffset = (frame: number): number => HEADER_BYTES + (frame - 1) * FRAME_BYTES;

/** Null where SQLite would say that there is no log. Throws where the pages are not of 4096 bytes. */
export function parseHeader(bytes: Uint8Array): WalHeader | null {
  if (bytes.length < HEADER_BYTES) return null;
  // A copy begins where words may begin.
  const copy = Uint8Array.from(bytes.subarray(0, HEADER_BYTES));
  const view = new DataView(copy.buffer);
  const magic = view.getUint32(0);
  if ((magic & ~1) >>> 0 !== MAGIC || view.getUint32(4) !== FORMAT) return null;
  const isBigEndian = (magic & 1) === 1;
  const sum = new Checksum(isBigEndian, 0, 0);
  sum.add(new Int32Array(copy.buffer), 0, 6);
  if (sum.first !== view.getUint32(24) || sum.second !== view.getUint32(28)) return null;
  if (view.getUint32(8) !== PAGE_BYTES)
    throw new Error(`the write-ahead log has pages of ${view.getUint32(8)} bytes instead of 4096`);
  return {
    restarts: view.getUint32(12),
    salt1: view.getUint32(16),
    salt2: view.getUint32(20),
    checksum1: sum.first,
    checksum2: sum.second,
    isBigEndian,
  };
}

/** The running checksum of a log. */
class Checksum {
  readonly #isBigEndian: boolean;
  readonly #swaps: boolean;
  #first: number;
  #second: number;

  constructor(isBigEndian: boolean, first: number, second: number) {
    this.#isBigEndian = isBigEndian;
    this.#swaps = isBigEndian !== IS_HOST_BIG_ENDIAN;
    this.#first = first | 0;
    this.#second = second | 0;
  }

  get first(): number {
    return this.#first >>> 0;
  }

  get second(): number {
    return this.#second >>> 0;
  }

  copy(): Checksum {
    return new Checksum(this.#isBigEndian, this.#first, this.#second);
  }

  /** An even number of words, in the host's order. */
  add(words: Int32Array, from: number, to: number): void {
    let [first, second] = [this.#first, this.#second];
    if (this.#swaps) {
      for (let index = from; index < to; index += 2) {
        first = (first + swapped(words[index] ?? 0) + second) | 0;
        second = (second + swapped(words[index + 1] ?? 0) + first) | 0;
      }
    } else {
      for (let index = from; index < to; index += 2) {
        first = (first + (words[index] ?? 0) + second) | 0;
        second = (second + (words[index + 1] ?? 0) + first) | 0;
      }
    }
    this.#first = first;
    this.#second = second;
  }
}

const swapped = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);

/** Goes from frame to frame of one generation and takes only what follows from the frame before. */
export class FrameCursor {
  readonly #salt1: number;
  readonly #salt2: number;
  #sum: Checksum;
  #frame: number;
  #page = 0;
  #databasePages = 0;

  constructor(header: WalHeader, from: WalPosition) {
    this.#salt1 = header.salt1;
    this.#salt2 = header.salt2;
    this.#sum = new Checksum(header.isBigEndian, from.checksum1, from.checksum2);
    this.#frame = from.frame;
  }

  /** Number of the page that the present frame holds. */
  get page(): number {
    return this.#page;
  }

  /** Pages of the database after the transaction that the present frame ends; 0 where it ends none. */
  get databasePages(): number {
    return this.#databasePages;
  }

  get position(): WalPosition {
    return {
      salt1: this.#salt1,
      salt2: this.#salt2,
      frame: this.#frame,
      checksum1: this.#sum.first,
      checksum2: this.#sum.second,
    };
  }

  /** Goes to the next frame, at `offset` (a multiple of 4) of the buffer. False: what is there does not follow. */
  advance(buffer: ArrayBuffer, offset: number): boolean {
    const view = new DataView(buffer, offset, FRAME_HEADER_BYTES);
    const page = view.getUint32(0);
    if (page === 0) return false;
    if (view.getUint32(8) !== this.#salt1 || view.getUint32(12) !== this.#salt2) return false;
    const words = new Int32Array(buffer, offset, FRAME_BYTES / 4);
    const sum = this.#sum.copy();
    sum.add(words, 0, 2);
    sum.add(words, FRAME_HEADER_BYTES / 4, FRAME_BYTES / 4);
    if (view.getUint32(16) !== sum.first || view.getUint32(20) !== sum.second) return false;
    this.#sum = sum;
    this.#frame += 1;
    this.#page = page;
    this.#databasePages = view.getUint32(4);
    return true;
  }
}
