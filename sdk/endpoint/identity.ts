/** Whom an endpoint on Node serves, when it is given keys: signatures are checked at once, by `node:crypto`. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { publicKeyBytes, signedBytes, type SignedRequest } from "./identity-token.ts";

/** An Ed25519 public key as SubjectPublicKeyInfo, up to the key itself (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

export class IdentityVerifier {
  readonly #keys: readonly KeyObject[];

  /** Throws `TypeError` for what is no key of the form `publickeyv1_…`. */
  constructor(keys: readonly string[]) {
    this.#keys = keys.map((key) => parseKey(key));
  }

  /** True when one of the keys signed this request, for this path, and now. */
  accepts(request: SignedRequest, nowMs: number): boolean {
    const signed = signedBytes(request, nowMs);
    if (signed === undefined) return false;
    return this.#keys.some((key) => verify(null, signed.input, key, signed.signature));
  }
}

function parseKey(text: string): KeyObject {
  const key = Buffer.concat([SPKI_PREFIX, publicKeyBytes(text)]);
  return createPublicKey({ key, format: "der", type: "spki" });
}
