/**
 * Request identity (service protocol section 5), all but the signature: the server signs a token for each request with an
 * Ed25519 key. How a signature is checked differs between runtimes; what it must say does not.
 */
import { base64ToBytes } from "../context/base64.ts";
import type { AttemptHeaders } from "../context/request.ts";

/** What is looked at of a request. */
export interface SignedRequest {
  readonly path: string;
  readonly scheme: string | undefined;
  readonly token: string | undefined;
}

/** What must be signed, by one of the keys. */
export interface SignedBytes {
  readonly input: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

const KEY_PREFIX = "publickeyv1_";
const KEY_BYTES = 32;
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const SCHEME = "v1";

/** @param headers with names in lower case */
export function signedRequest(path: string, headers: AttemptHeaders): SignedRequest {
  const scheme = single(headers["x-restate-signature-scheme"]);
  return { path, scheme, token: single(headers["x-restate-jwt-v1"]) };
}

const single = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? undefined : value;

/** What is left to check of a request that claims to be signed for this path and now; undefined for any other. */
export function signedBytes(
  { path, scheme, token }: SignedRequest,
  nowMs: number,
): SignedBytes | undefined {
  if (scheme !== SCHEME || token === undefined) return undefined;
  const [header = "", claims = "", signatureText = "", ...rest] = token.split(".");
  if (rest.length > 0 || parseJson(header)?.["alg"] !== "EdDSA") return undefined;
  const signature = fromBase64Url(signatureText);
  if (signature === undefined) return undefined;
  if (!isCurrent(parseJson(claims) ?? {}, audience(path), nowMs / 1000)) return undefined;
  return { input: new TextEncoder().encode(`${header}.${claims}`), signature };
}

/** All claims must be there; no leeway for clocks that differ. */
function isCurrent(
  { aud, exp, iat, nbf }: Readonly<Record<string, unknown>>,
  expectedAudience: string,
  nowSeconds: number,
): boolean {
  if (aud !== expectedAudience || typeof iat !== "number") return false;
  if (typeof nbf !== "number" || typeof exp !== "number") return false;
  return nbf <= nowSeconds && nowSeconds <= exp;
}

/** The path without the prefix under which the endpoint is mounted, which the server leaves out as well. */
function audience(path: string): string {
  const segments = path.split("/");
  if (segments.at(-1) === "discover") return "/discover";
  return segments.at(-3) === "invoke" ? `/${segments.slice(-3).join("/")}` : path;
}

/** The bytes of a public key. Throws `TypeError` for what is no key of the form `publickeyv1_…`. */
export function publicKeyBytes(text: string): Uint8Array<ArrayBuffer> {
  const raw = text.startsWith(KEY_PREFIX) ? fromBase58(text.slice(KEY_PREFIX.length)) : undefined;
  if (raw === undefined)
    throw new TypeError(`"${text}" is no public key of the form publickeyv1_…`);
  return raw;
}

/** Exactly the bytes of a key; undefined for anything else. */
function fromBase58(text: string): Uint8Array<ArrayBuffer> | undefined {
  let number = 0n;
  for (const char of text) {
    const digit = BASE58.indexOf(char);
    if (digit < 0) return undefined;
    number = number * 58n + BigInt(digit);
  }
  const bytes = new Uint8Array(KEY_BYTES);
  for (let index = KEY_BYTES - 1; index >= 0; index -= 1) {
    bytes[index] = Number(number & 0xffn);
    number >>= 8n;
  }
  return number === 0n ? bytes : undefined;
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return base64ToBytes(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
}

function parseJson(base64url: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(fromBase64Url(base64url)));
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
