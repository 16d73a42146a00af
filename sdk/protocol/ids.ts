/**
 * The text forms of ids: a prefix, `_1` for the scheme, and a body.
 *
 * Invocation and deployment ids have a base62 body: each integer in fixed width, digits before lower before upper case.
 * The number written is the LITTLE-endian reading of the bytes. Awakeable ids have a base64url body.
 * Every id has exactly one text: what parses prints to the same text again.
 */
import { DEPLOYMENT_ID_BYTES, INVOCATION_ID_BYTES, UINT32_MAX } from "./limits.ts";

const INVOCATION_PREFIX = "inv_1";
const AWAKEABLE_PREFIX = "sign_1";
const DEPLOYMENT_PREFIX = "dp_1";

const BASE62 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const BASE62_DIGITS = digitTable(BASE62);
const BASE64_DIGITS = digitTable(BASE64);

/** 62 to the 6th: the largest power whose product with 16 bits is still an exact integer in a double. */
const GROUP_DIGITS = 6;
const GROUP = 62 ** GROUP_DIGITS;

const CHARS_64_BIT = 11;
const CHARS_128_BIT = 22;
const INVOCATION_CHARS = INVOCATION_PREFIX.length + CHARS_64_BIT + CHARS_128_BIT;
const AWAKEABLE_BODY_BYTES = INVOCATION_ID_BYTES + 4;
const AWAKEABLE_BODY_CHARS = Math.ceil((AWAKEABLE_BODY_BYTES * 8) / 6);
const AWAKEABLE_PADDING = "==";

/** `inv_1…`, 38 characters. */
export function invocationIdToString(id: Uint8Array): string {
  requireBytes(id, INVOCATION_ID_BYTES, "an invocation id");
  return INVOCATION_PREFIX + toBase62(id, 0, 8) + toBase62(id, 8, INVOCATION_ID_BYTES);
}

/** The 24 bytes of an `inv_1…` text; undefined when it is none. */
export function parseInvocationId(text: string): Uint8Array | undefined {
  if (text.length !== INVOCATION_CHARS || !text.startsWith(INVOCATION_PREFIX)) return undefined;
  const id = new Uint8Array(INVOCATION_ID_BYTES);
  const middle = INVOCATION_PREFIX.length + CHARS_64_BIT;
  const valid =
    fromBase62(text, INVOCATION_PREFIX.length, middle, id.subarray(0, 8)) &&
    fromBase62(text, middle, INVOCATION_CHARS, id.subarray(8));
  return valid ? id : undefined;
}

/** `sign_1…`, 44 characters: the id of the invocation that waits and the index of the signal it waits for. */
export function awakeableIdToString(invocationId: Uint8Array, signalIndex: number): string {
  requireBytes(invocationId, INVOCATION_ID_BYTES, "an invocation id");
  if (!Number.isInteger(signalIndex) || signalIndex < 0 || signalIndex > UINT32_MAX) {
    throw new RangeError(`a signal index is a uint32, not ${signalIndex}`);
  }
  const body = new Uint8Array(AWAKEABLE_BODY_BYTES);
  body.set(invocationId);
  new DataView(body.buffer).setUint32(INVOCATION_ID_BYTES, signalIndex);
  return AWAKEABLE_PREFIX + toBase64Url(body);
}

/** The parts of a `sign_1…` text, with or without padding; undefined when it is none. */
export function parseAwakeableId(
  text: string,
): { readonly invocationId: Uint8Array; readonly signalIndex: number } | undefined {
  if (!text.startsWith(AWAKEABLE_PREFIX)) return undefined;
  const chars = text.slice(AWAKEABLE_PREFIX.length);
  const unpadded = chars.endsWith(AWAKEABLE_PADDING)
    ? chars.slice(0, -AWAKEABLE_PADDING.length)
    : chars;
  if (unpadded.length !== AWAKEABLE_BODY_CHARS) return undefined;
  const body = fromBase64Url(unpadded, AWAKEABLE_BODY_BYTES);
  if (body === undefined) return undefined;
  return {
    invocationId: body.subarray(0, INVOCATION_ID_BYTES),
    signalIndex: new DataView(body.buffer).getUint32(INVOCATION_ID_BYTES),
  };
}

/** `dp_1…`, 26 characters. */
export function deploymentIdToString(ulid: Uint8Array): string {
  requireBytes(ulid, DEPLOYMENT_ID_BYTES, "a deployment id");
  return DEPLOYMENT_PREFIX + toBase62(ulid, 0, DEPLOYMENT_ID_BYTES);
}

function requireBytes(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new RangeError(`${what} has ${length} bytes, not ${bytes.length}`);
  }
}

/** The limbs in work, 16 bits each; conversions are synchronous and leave nothing in it. */
const LIMBS = new Uint16Array(8);

/** Long division of 16-bit limbs, most significant first, six digits a turn. */
function toBase62(bytes: Uint8Array, start: number, end: number): string {
  const count = (end - start) / 2;
  for (let limb = 0, at = end - 2; limb < count; limb += 1, at -= 2) {
    LIMBS[limb] = ((bytes[at + 1] ?? 0) << 8) | (bytes[at] ?? 0);
  }
  let missing = end - start === 8 ? CHARS_64_BIT : CHARS_128_BIT;
  let text = "";
  while (missing > 0) {
    let rest = 0;
    for (let limb = 0; limb < count; limb += 1) {
      const dividend = rest * 0x1_0000 + (LIMBS[limb] ?? 0);
      const quotient = Math.floor(dividend / GROUP);
      LIMBS[limb] = quotient;
      rest = dividend - quotient * GROUP;
    }
    const digits = Math.min(missing, GROUP_DIGITS);
    for (let digit = 0; digit < digits; digit += 1) {
      const following = Math.floor(rest / 62);
      text = BASE62.charAt(rest - following * 62) + text;
      rest = following;
    }
    missing -= digits;
  }
  return text;
}

/** Long multiplication into `out`; false on a foreign character or a number that does not fit. */
function fromBase62(text: string, start: number, end: number, out: Uint8Array): boolean {
  // Least significant limb first: the order of the bytes.
  const limbCount = out.length / 2;
  LIMBS.fill(0);
  let at = start;
  while (at < end) {
    const digits = (end - at) % GROUP_DIGITS || GROUP_DIGITS;
    let carry = 0;
    for (let index = 0; index < digits; index += 1) {
      const digit = BASE62_DIGITS[text.charCodeAt(at + index)];
      if (digit === undefined || digit < 0) return false;
      carry = carry * 62 + digit;
    }
    for (let limb = 0; limb < limbCount; limb += 1) {
      const product = (LIMBS[limb] ?? 0) * GROUP + carry;
      carry = Math.floor(product / 0x1_0000);
      LIMBS[limb] = product - carry * 0x1_0000;
    }
    if (carry > 0) return false;
    at += digits;
  }
  for (let limb = 0; limb < limbCount; limb += 1) {
    const value = LIMBS[limb] ?? 0;
    out[2 * limb] = value;
    out[2 * limb + 1] = value >>> 8;
  }
  return true;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = (bits << 8) | byte;
    held += 8;
    while (held >= 6) {
      held -= 6;
      text += BASE64.charAt((bits >>> held) & 63);
    }
    bits &= (1 << held) - 1;
  }
  return held === 0 ? text : text + BASE64.charAt((bits << (6 - held)) & 63);
}

/** Undefined on a foreign character or on bits behind the last byte that are not 0. */
function fromBase64Url(text: string, byteLength: number): Uint8Array | undefined {
  const out = new Uint8Array(byteLength);
  let written = 0;
  let bits = 0;
  let held = 0;
  for (let at = 0; at < text.length; at += 1) {
    const digit = BASE64_DIGITS[text.charCodeAt(at)];
    if (digit === undefined || digit < 0) return undefined;
    bits = (bits << 6) | digit;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[written] = bits >>> held;
      written += 1;
      bits &= (1 << held) - 1;
    }
  }
  return bits === 0 ? out : undefined;
}

/** Digit by character code; -1 for a character that is none. */
function digitTable(alphabet: string): Int8Array {
  const table = new Int8Array(128).fill(-1);
  for (let digit = 0; digit < alphabet.length; digit += 1) {
    table[alphabet.charCodeAt(digit)] = digit;
  }
  return table;
}
