/**
 * Request identity (service protocol section 5): the server signs a token for each request with an Ed25519 key, and an
 * endpoint that is given the public keys serves nobody else.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** What is looked at of a request. */
export interface SignedRequest {
  readonly path: string;
  readonly scheme: string | undefined;
  readonly token: string | undefined;
}

const KEY_PREFIX = "publickeyv1_";
const KEY_BYTES = 32;
const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/** An Ed25519 public key as SubjectPublicKeyInfo, up to the key itself (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const SCHEME = "v1";

export class IdentityVerifier {
  readonly #keys: readonly KeyObject[];

  /** Throws `TypeError` for what is no key of the form `publickeyv1_…`. */
  constructor(keys: readonly string[]) {
    this.#keys = keys.map((key) => parseKey(key));
  }

  /** True when one of the keys signed this request, for this path, and now. */
  accepts({ path, scheme, token }: SignedRequest, nowMs: number): boolean {
    if (scheme !== SCHEME || token === undefined) return false;
    const [header = "", claims = "", signature = "", ...rest] = token.split(".");
    if (rest.length > 0 || parseJson(header)?.["alg"] !== "EdDSA") return false;
    const input = Buffer.from(`${header}.${claims}`);
    const bytes = Buffer.from(signature, "base64url");
    if (!this.#keys.some((key) => verify(null, input, key, bytes))) return false;
    return isCurrent(parseJson(claims) ?? {}, audience(path), nowMs / 1000);
  }
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

function parseKey(text: string): KeyObject {
  const raw = text.startsWith(KEY_PREFIX) ? fromBase58(text.slice(KEY_PREFIX.length)) : undefined;
  if (raw === undefined)
    throw new TypeError(`"${text}" is no public key of the form publickeyv1_…`);
  return createPublicKey({ key: Buffer.concat([SPKI_PREFIX, raw]), format: "der", type: "spki" });
}

/** Exactly the bytes of a key; undefined for anything else. */
function fromBase58(text: string): Buffer | undefined {
  let number = 0n;
  for (const char of text) {
    const digit = BASE58.indexOf(char);
    if (digit < 0) return undefined;
    number = number * 58n + BigInt(digit);
  }
  const hex = number.toString(16);
  return hex.length <= 2 * KEY_BYTES
    ? Buffer.from(hex.padStart(2 * KEY_BYTES, "0"), "hex")
    : undefined;
}

function parseJson(base64url: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, "base64url").toString());
    return typeof value === "object" && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
