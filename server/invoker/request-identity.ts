/**
 * Signs the requests to endpoints (service protocol section 5): a JSON Web Token over the path, with an Ed25519 key that
 * only the operator has. An endpoint that is given the public key serves nobody else. The body is not covered.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";

/** How far from now a token is valid, either way: clocks differ. */
const VALIDITY_SECONDS = 60;

/** Tokens of one second that are kept; more handlers and keys at once are signed for anew. */
const TOKENS_MAX = 1000;

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----/g;
const HOW_TO = "make one with: openssl genpkey -algorithm ed25519";

/** What was given is no private key to sign with. Says why, and never what was given. */
export class IdentityKeyError extends Error {
  override readonly name = "IdentityKeyError";
}

export class RequestIdentity {
  readonly #key: KeyObject;
  readonly #header: string;
  /** What endpoints are to be given: `publickeyv1_` and the key in Base58. */
  readonly publicKey: string;
  /** Signing costs as much as all the rest of a small attempt: requests of one second for the same target share a token. */
  readonly #tokens = new Map<string, string>();
  #second = 0;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.publicKey = `publickeyv1_${base58(publicBytes(key))}`;
    this.#header = encoded({ typ: "JWT", alg: "EdDSA", kid: this.publicKey });
  }

  /** From the text of a PEM file with one PKCS#8 private key. Throws `IdentityKeyError`. */
  static fromPem(pem: string): RequestIdentity {
    const blocks = [...pem.matchAll(PEM_BLOCK)].map(([, label = ""]) => label);
    if (blocks.length !== 1) {
      throw new IdentityKeyError(
        `the file must hold exactly one PEM block, not ${blocks.length}; ${HOW_TO}`,
      );
    }
    const [label] = blocks;
    if (label !== "PRIVATE KEY") {
      throw new IdentityKeyError(`the PEM block is a ${label}, not a PRIVATE KEY; ${HOW_TO}`);
    }
    const key = parsed(pem);
    if (key.asymmetricKeyType !== "ed25519") {
      throw new IdentityKeyError(`the key is of type ${key.asymmetricKeyType}; ${HOW_TO}`);
    }
    return new RequestIdentity(key);
  }

  /**
   * The headers that sign a request. `audience` is its path without the prefix of the endpoint; `subject` the key of an
   * object or a workflow, null for other requests.
   */
  headers(audience: string, subject: string | null, nowMs: number): Record<string, string> {
    return {
      "x-restate-signature-scheme": "v1",
      "x-restate-jwt-v1": this.#token(audience, subject, Math.floor(nowMs / 1000)),
    };
  }

  #token(audience: string, subject: string | null, second: number): string {
    if (second !== this.#second || this.#tokens.size >= TOKENS_MAX) this.#tokens.clear();
    this.#second = second;
    // A path holds no space, so that no two pairs make the same text.
    const name = subject === null ? audience : `${audience} ${subject}`;
    let token = this.#tokens.get(name);
    if (token === undefined) {
      token = this.#sign(audience, subject, second);
      this.#tokens.set(name, token);
    }
    return token;
  }

  #sign(aud: string, subject: string | null, iat: number): string {
    const times = { nbf: iat - VALIDITY_SECONDS, iat, exp: iat + VALIDITY_SECONDS };
    const claims = { aud, ...times, ...(subject === null ? {} : { sub: subject }) };
    const signed = `${this.#header}.${encoded(claims)}`;
    return `${signed}.${sign(null, Buffer.from(signed), this.#key).toString("base64url")}`;
  }
}

function parsed(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new IdentityKeyError(`the PEM block holds no key that can be read; ${HOW_TO}`);
  }
}

/** The 32 bytes at the end of an Ed25519 SubjectPublicKeyInfo (RFC 8410). */
function publicBytes(key: KeyObject): Uint8Array {
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32);
}

function encoded(json: object): string {
  return Buffer.from(JSON.stringify(json)).toString("base64url");
}

/** Bitcoin's alphabet; each zero byte in front is a `1`. */
function base58(bytes: Uint8Array): string {
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = (BASE58[Number(number % 58n)] ?? "") + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return "1".repeat(zeros === -1 ? bytes.length : zeros) + text;
}
