/** `ctx.rand`: random values that follow from a seed of 64 bits. The generator is sfc32, which needs no bigint. */
import type { Rand } from "../define/context.ts";

/** Outputs to throw away until the seed has spread through the state. */
const WARM_UP = 12;
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

export class SeededRandom implements Rand {
  #a: number;
  #b: number;
  #c = 0;
  #counter = 1;

  constructor(seed: bigint) {
    this.#a = Number(seed & 0xffff_ffffn) | 0;
    this.#b = Number((seed >> 32n) & 0xffff_ffffn) | 0;
    for (let count = 0; count < WARM_UP; count += 1) this.#next();
  }

  /** 53 random bits, as many as a double holds. */
  random(): number {
    const high = this.#next() >>> 5;
    const low = this.#next() >>> 6;
    return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
  }

  uuidv4(): string {
    const bytes = new Uint8Array(16);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < 16; at += 4) view.setInt32(at, this.#next());
    // RFC 9562: version 4, variant 10.
    view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x40);
    view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
    const hex = Array.from(bytes, (byte) => HEX[byte]).join("");
    const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
    return [...parts, hex.slice(20)].join("-");
  }

  /** 32 random bits. */
  #next(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result;
  }
}
