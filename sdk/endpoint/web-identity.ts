/** Whom an endpoint serves, when it is given keys: signatures are checked by Web Crypto, which every runtime has. */
import { publicKeyBytes, signedBytes, type SignedRequest } from "./identity-token.ts";

const ALGORITHM = "Ed25519";

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export class WebIdentityVerifier {
  readonly #rawKeys: readonly Uint8Array<ArrayBuffer>[];
  #keys: Promise<readonly Key[]> | undefined;

  /** Throws `TypeError` for what is no key of the form `publickeyv1_…`. */
  constructor(keys: readonly string[]) {
    this.#rawKeys = keys.map((key) => publicKeyBytes(key));
  }

  /** True when one of the keys signed this request, for this path, and now. Rejects where Ed25519 is not known. */
  async accepts(request: SignedRequest, nowMs: number): Promise<boolean> {
    const signed = signedBytes(request, nowMs);
    if (signed === undefined) return false;
    // Not before the first request: Workers allow no cryptography while a module is loaded.
    this.#keys ??= Promise.all(this.#rawKeys.map((raw) => importKey(raw)));
    for (const key of await this.#keys) {
      if (await crypto.subtle.verify(ALGORITHM, key, signed.signature, signed.input)) return true;
    }
    return false;
  }
}

function importKey(raw: Uint8Array<ArrayBuffer>): Promise<Key> {
  return crypto.subtle.importKey("raw", raw, ALGORITHM, false, ["verify"]);
}
