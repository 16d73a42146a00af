/**
 * The seed of a handler's random numbers: SipHash-1-3 with the key (0, 0) over the length of the id as 8 bytes
 * little-endian and the id. It depends on nothing else, so it is the same for every attempt.
 *
 * The four 64-bit words of the state are pairs of 32-bit halves: bigint would cost forty times as much.
 */
import { INVOCATION_ID_BYTES } from "./limits.ts";

/** v0 low, v0 high, v1 low, … */
type State = Int32Array;

const V0 = 0;
const V1 = 2;
const V2 = 4;
const V3 = 6;

/** Rounds after each block and at the end: the 1 and the 3 of the name. */
const FINAL_ROUNDS = 3;

/** The seed for an invocation, from the 24 bytes of its id. */
export function randomSeed(id: Uint8Array): bigint {
  if (id.length !== INVOCATION_ID_BYTES) {
    throw new RangeError(`an invocation id has ${INVOCATION_ID_BYTES} bytes, not ${id.length}`);
  }
  // "somepseudorandomlygeneratedbytes", the constants of SipHash for a key of zeros.
  const state = Int32Array.of(
    0x70736575,
    0x736f6d65,
    0x6e646f6d,
    0x646f7261,
    0x6e657261,
    0x6c796765,
    0x79746573,
    0x74656462,
  );
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  block(state, INVOCATION_ID_BYTES, 0);
  for (let at = 0; at < INVOCATION_ID_BYTES; at += 8) {
    block(state, view.getInt32(at, true), view.getInt32(at + 4, true));
  }
  // The last block is what is left (nothing) and the number of bytes hashed in its top byte.
  block(state, 0, (INVOCATION_ID_BYTES + 8) << 24);
  xor(state, V2, 0xff, 0);
  for (let count = 0; count < FINAL_ROUNDS; count += 1) round(state);
  const low = word(state, V0) ^ word(state, V1) ^ word(state, V2) ^ word(state, V3);
  const high =
    word(state, V0 + 1) ^ word(state, V1 + 1) ^ word(state, V2 + 1) ^ word(state, V3 + 1);
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}

function block(state: State, low: number, high: number): void {
  xor(state, V3, low, high);
  round(state);
  xor(state, V0, low, high);
}

function round(state: State): void {
  add(state, V0, V1);
  rotateLeft(state, V1, 13);
  xor(state, V1, word(state, V0), word(state, V0 + 1));
  swapHalves(state, V0);
  add(state, V2, V3);
  rotateLeft(state, V3, 16);
  xor(state, V3, word(state, V2), word(state, V2 + 1));
  add(state, V0, V3);
  rotateLeft(state, V3, 21);
  xor(state, V3, word(state, V0), word(state, V0 + 1));
  add(state, V2, V1);
  rotateLeft(state, V1, 17);
  xor(state, V1, word(state, V2), word(state, V2 + 1));
  swapHalves(state, V2);
}

function word(state: State, at: number): number {
  return state[at] ?? 0;
}

function add(state: State, to: number, from: number): void {
  const low = (word(state, to) >>> 0) + (word(state, from) >>> 0);
  const carry = low > 0xffff_ffff ? 1 : 0;
  state[to] = low | 0;
  state[to + 1] = word(state, to + 1) + word(state, from + 1) + carry;
}

function xor(state: State, at: number, low: number, high: number): void {
  state[at] = word(state, at) ^ low;
  state[at + 1] = word(state, at + 1) ^ high;
}

/** By less than 32 bits. */
function rotateLeft(state: State, at: number, bits: number): void {
  const low = word(state, at);
  const high = word(state, at + 1);
  state[at] = (low << bits) | (high >>> (32 - bits));
  state[at + 1] = (high << bits) | (low >>> (32 - bits));
}

/** A rotation by 32 bits. */
function swapHalves(state: State, at: number): void {
  const low = word(state, at);
  state[at] = word(state, at + 1);
  state[at + 1] = low;
}
