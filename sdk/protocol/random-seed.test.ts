import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { randomSeed } from "./random-seed.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, "hex"));

test("the seed of an id is the one the official server sends", () => {
  assert.equal(
    randomSeed(hex("94352fdd0ba61fe615d3b7ca15aa209a05b49e4986df6d40")),
    3458221372594649982n,
  );
  assert.equal(
    randomSeed(hex("14986d2980c8ee5ace9dceff2d013c8536d479d2f20daf98")),
    8232695265040174657n,
  );
});

test("any id has the seed that SipHash-1-3 in 64-bit integers gives", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (id) => {
      assert.equal(randomSeed(id), sipHash13(id));
    }),
  );
});

test("an id that is a view into a larger buffer has its own seed", () => {
  const id = hex("94352fdd0ba61fe615d3b7ca15aa209a05b49e4986df6d40");
  const larger = new Uint8Array(64).fill(7);
  larger.set(id, 5);
  assert.equal(randomSeed(larger.subarray(5, 29)), randomSeed(id));
});

test("an id of another size is a programmer error", () => {
  assert.throws(() => randomSeed(new Uint8Array(23)), RangeError);
});

/** The definition in bigint. */
function sipHash13(id: Uint8Array): bigint {
  const mask = 0xffff_ffff_ffff_ffffn;
  const rotate = (value: bigint, bits: bigint): bigint =>
    ((value << bits) | (value >> (64n - bits))) & mask;
  let v0 = 0x736f6d6570736575n;
  let v1 = 0x646f72616e646f6dn;
  let v2 = 0x6c7967656e657261n;
  let v3 = 0x7465646279746573n;
  const round = (): void => {
    v0 = (v0 + v1) & mask;
    v2 = (v2 + v3) & mask;
    v1 = rotate(v1, 13n) ^ v0;
    v3 = rotate(v3, 16n) ^ v2;
    v0 = rotate(v0, 32n);
    v2 = (v2 + v1) & mask;
    v0 = (v0 + v3) & mask;
    v1 = rotate(v1, 17n) ^ v2;
    v3 = rotate(v3, 21n) ^ v0;
    v2 = rotate(v2, 32n);
  };
  const view = new DataView(id.buffer, id.byteOffset, id.byteLength);
  const words = [24n, ...[0, 8, 16].map((at) => view.getBigUint64(at, true)), 32n << 56n];
  for (const word of words) {
    v3 ^= word;
    round();
    v0 ^= word;
  }
  v2 ^= 0xffn;
  for (let count = 0; count < 3; count += 1) round();
  return v0 ^ v1 ^ v2 ^ v3;
}
