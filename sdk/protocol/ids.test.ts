import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  awakeableIdToString,
  deploymentIdToString,
  invocationIdToString,
  parseAwakeableId,
  parseInvocationId,
} from "./ids.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const id24 = fc.uint8Array({ minLength: 24, maxLength: 24 });
const UINT32_MAX = 0xffff_ffff;

const INVOCATIONS = [
  ["94352fdd0ba61fe6 15d3b7ca15aa209a05b49e4986df6d40", "inv_1jKWrCo9TdeA1XzIHSPAMVM9ySPdRCFvyB"],
  ["548ae3cba54055b3 6f17ce21cd2b29dd9df88eb6fe7846f6", "inv_1foAirY4KKzi7uIjKp6JysBUK1SL6x3eSH"],
  ["0021a1c51580f7c1 55fc9438d756f020d7d8fb9a2e8021d4", "inv_1gEtNRTV9wdO6shGmb3zenXBkDSCBSIJEh"],
  ["18d31dacd26a2e67 01a2074cfb069dd51a8e7bab43017ff5", "inv_18RemMbyCBks7tfa0VmdQBMCU02GFC7o8F"],
] as const;

test("an invocation id prints and parses as the official server does it", () => {
  for (const [bytes, text] of INVOCATIONS) {
    assert.equal(invocationIdToString(hex(bytes)), text);
    assert.deepEqual(parseInvocationId(text), hex(bytes));
  }
});

test("the extreme ids have the same 38 characters as any other", () => {
  const zeros = new Uint8Array(24);
  const ones = new Uint8Array(24).fill(255);
  assert.equal(invocationIdToString(zeros), `inv_1${"0".repeat(33)}`);
  assert.deepEqual(parseInvocationId(invocationIdToString(ones)), ones);
  assert.equal(invocationIdToString(ones).length, 38);
});

test("every invocation id survives its text, at the base62 a big integer would give", () => {
  fc.assert(
    fc.property(id24, (id) => {
      const text = invocationIdToString(id);
      assert.equal(text, `inv_1${base62(id.subarray(0, 8), 11)}${base62(id.subarray(8), 22)}`);
      assert.deepEqual(parseInvocationId(text), id);
    }),
  );
});

test("what parses as an invocation id prints to the same text", () => {
  const base62Char = fc.constantFrom(
    ...Array.from("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
  );
  fc.assert(
    fc.property(fc.array(base62Char, { minLength: 33, maxLength: 33 }), (chars) => {
      const text = `inv_1${chars.join("")}`;
      const id = parseInvocationId(text);
      if (id !== undefined) assert.equal(invocationIdToString(id), text);
    }),
  );
});

test("a text that is no invocation id is refused", () => {
  const valid = INVOCATIONS[0][1];
  for (const text of [
    "",
    "inv_1",
    valid.slice(0, -1),
    `${valid}0`,
    valid.replace("inv_1", "inv_2"),
    valid.replace("inv_1", "dep_1"),
    `${valid.slice(0, -1)}-`,
    `${valid.slice(0, -1)}é`,
    `inv_1${"Z".repeat(11)}${"0".repeat(22)}`,
    `inv_1${"0".repeat(11)}${"Z".repeat(22)}`,
    // One above the largest number of either part.
    `inv_1${digits(2n ** 64n, 11)}${"0".repeat(22)}`,
    `inv_1${"0".repeat(11)}${digits(2n ** 128n, 22)}`,
  ]) {
    assert.equal(parseInvocationId(text), undefined, text);
  }
  const largest = `inv_1${digits(2n ** 64n - 1n, 11)}${digits(2n ** 128n - 1n, 22)}`;
  assert.deepEqual(parseInvocationId(largest), new Uint8Array(24).fill(255));
});

test("an awakeable id prints and parses as the official server does it, padded or not", () => {
  const invocationId = hex("28564c4b1709deb118bb6f075ff6916eea8ce7ea29b4dc20");
  const text = "sign_1KFZMSxcJ3rEYu28HX_aRbuqM5-optNwgAAAAEQ";
  assert.equal(awakeableIdToString(invocationId, 17), text);
  assert.deepEqual(parseAwakeableId(text), { invocationId, signalIndex: 17 });
  assert.deepEqual(parseAwakeableId(`${text}==`), { invocationId, signalIndex: 17 });
});

test("every awakeable id survives its text, at the base64url of the platform", () => {
  fc.assert(
    fc.property(id24, fc.integer({ min: 0, max: UINT32_MAX }), (invocationId, signalIndex) => {
      const text = awakeableIdToString(invocationId, signalIndex);
      const body = Buffer.concat([invocationId, Buffer.alloc(4)]);
      body.writeUInt32BE(signalIndex, 24);
      assert.equal(text, `sign_1${body.toString("base64url")}`);
      assert.deepEqual(parseAwakeableId(text), { invocationId, signalIndex });
    }),
  );
});

test("a text that is no awakeable id is refused", () => {
  const valid = "sign_1KFZMSxcJ3rEYu28HX_aRbuqM5-optNwgAAAAEQ";
  for (const text of [
    "",
    "sign_1",
    "prom_1KFZMSxcJ3rEYu28HX_aRbuqM5-optNwgAAAAEQ",
    valid.slice(0, -1),
    `${valid}A`,
    `${valid}=`,
    `${valid}===`,
    valid.replace("_aR", "/aR"),
    valid.replace("5-o", "5+o"),
    // The last character carries 2 bits of the last byte; the 4 below them must be 0.
    `${valid.slice(0, -1)}R`,
    `${valid.slice(0, -2)}ü${valid.slice(-1)}`,
  ]) {
    assert.equal(parseAwakeableId(text), undefined, text);
  }
});

test("a deployment id prints as the official server does it", () => {
  const ulid = hex("01a2074c525cdbcaf3706dea01236f78");
  assert.equal(deploymentIdToString(ulid), "dp_13FfRRX2R8sXC6FEJHNQv0R");
});

test("ids of another size are programmer errors", () => {
  assert.throws(() => invocationIdToString(new Uint8Array(23)), RangeError);
  assert.throws(() => awakeableIdToString(new Uint8Array(25), 17), RangeError);
  assert.throws(() => deploymentIdToString(new Uint8Array(24)), RangeError);
  for (const index of [-1, 1.5, Number.NaN, UINT32_MAX + 1]) {
    assert.throws(() => awakeableIdToString(new Uint8Array(24), index), RangeError);
  }
});

/** The definition, slowly: the little-endian reading in base 62, fixed width. */
function base62(bytes: Uint8Array, width: number): string {
  return digits(
    bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n),
    width,
  );
}

function digits(number: bigint, width: number): string {
  const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  let text = "";
  for (let rest = number; rest > 0n; rest /= 62n) text = alphabet.charAt(Number(rest % 62n)) + text;
  return text.padStart(width, "0");
}
