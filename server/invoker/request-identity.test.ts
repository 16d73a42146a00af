import assert from "node:assert/strict";
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  verify,
} from "node:crypto";
import { describe, it } from "node:test";
import { IdentityVerifier } from "../../sdk/endpoint/identity.ts";
import { IdentityKeyError, RequestIdentity } from "./request-identity.ts";

const NOW_MS = 1_795_419_409_250;

function pemOf(key: KeyObject, type: "pkcs8" | "spki"): string {
  return key.export({ type, format: "pem" }).toString();
}

function newPem(): string {
  return pemOf(generateKeyPairSync("ed25519").privateKey, "pkcs8");
}

/** RFC 8410, 10.3: a private key and, in 10.1, its public key. */
const RFC_PEM =
  "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const RFC_PUBLIC_HEX = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

interface Token {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
  readonly signed: string;
  readonly signature: Buffer;
}

function tokenOf(headers: Record<string, string>): Token {
  const token = headers["x-restate-jwt-v1"] ?? "";
  const [header = "", claims = "", signature = "", ...rest] = token.split(".");
  assert.equal(rest.length, 0);
  return {
    header: fieldsOf(header),
    claims: fieldsOf(claims),
    signed: `${header}.${claims}`,
    signature: Buffer.from(signature, "base64url"),
  };
}

function fieldsOf(part: string): Record<string, unknown> {
  const fields: unknown = JSON.parse(Buffer.from(part, "base64url").toString());
  assert(typeof fields === "object" && fields !== null);
  return { ...fields };
}

/** The number a Base58 text stands for, as 32 bytes in hex. */
function hexOfBase58(text: string): string {
  const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  let number = 0n;
  for (const char of text) number = number * 58n + BigInt(alphabet.indexOf(char));
  return number.toString(16).padStart(64, "0");
}

describe("a request identity", () => {
  it("tells its public key as endpoints expect it", () => {
    const { publicKey } = RequestIdentity.fromPem(RFC_PEM);
    assert.match(publicKey, /^publickeyv1_[1-9A-HJ-NP-Za-km-z]{43,44}$/);
    assert.equal(hexOfBase58(publicKey.slice("publickeyv1_".length)), RFC_PUBLIC_HEX);
  });

  it("signs the path, valid for a minute before and after", () => {
    const identity = RequestIdentity.fromPem(RFC_PEM);
    const headers = identity.headers("/invoke/Greeter/greet", null, NOW_MS);
    assert.deepEqual(Object.keys(headers), ["x-restate-signature-scheme", "x-restate-jwt-v1"]);
    assert.equal(headers["x-restate-signature-scheme"], "v1");
    const { header, claims, signed, signature } = tokenOf(headers);
    assert.deepEqual(header, { typ: "JWT", alg: "EdDSA", kid: identity.publicKey });
    assert.deepEqual(claims, {
      aud: "/invoke/Greeter/greet",
      nbf: 1_795_419_349,
      iat: 1_795_419_409,
      exp: 1_795_419_469,
    });
    const key = createPublicKey(createPrivateKey(RFC_PEM));
    assert(verify(null, Buffer.from(signed), key, signature));
  });

  it("names the key of a target as it is", () => {
    const identity = RequestIdentity.fromPem(RFC_PEM);
    const { claims } = tokenOf(identity.headers("/invoke/Counter/add", "a bé", NOW_MS));
    assert.equal(claims["sub"], "a bé");
  });

  it("is accepted by our SDK for its path and its time alone", () => {
    const identity = RequestIdentity.fromPem(newPem());
    const verifier = new IdentityVerifier([identity.publicKey]);
    const headers = identity.headers("/invoke/Counter/add", "k", NOW_MS);
    const scheme = headers["x-restate-signature-scheme"];
    const token = headers["x-restate-jwt-v1"];
    const accepts = (path: string, nowMs: number) =>
      verifier.accepts({ path, scheme, token }, nowMs);
    assert(accepts("/invoke/Counter/add", NOW_MS));
    assert(accepts("/some/prefix/invoke/Counter/add", NOW_MS));
    assert(!accepts("/invoke/Counter/get", NOW_MS));
    assert(!accepts("/invoke/Counter/add", NOW_MS + 62_000));
    assert(!accepts("/invoke/Counter/add", NOW_MS - 62_000));
    const other = new IdentityVerifier([RequestIdentity.fromPem(newPem()).publicKey]);
    assert(!other.accepts({ path: "/invoke/Counter/add", scheme, token }, NOW_MS));
  });

  it("shares a token within a second and never longer, nor with another path or key", () => {
    const identity = RequestIdentity.fromPem(newPem());
    const token = (path: string, key: string | null, nowMs: number) =>
      identity.headers(path, key, nowMs)["x-restate-jwt-v1"] ?? "";
    const first = token("/invoke/A/b", "k", NOW_MS);
    assert.equal(token("/invoke/A/b", "k", NOW_MS + 500), first);
    const others = [
      token("/invoke/A/b", "k", NOW_MS + 1000),
      token("/invoke/A/b", null, NOW_MS),
      token("/invoke/A/b", "", NOW_MS),
      token("/invoke/A/b", "l", NOW_MS),
      token("/invoke/A/c", "k", NOW_MS),
    ];
    assert.equal(new Set([first, ...others]).size, 6);
    const claims = tokenOf({ "x-restate-jwt-v1": others[0] ?? "" }).claims;
    assert.equal(claims["iat"], 1_795_419_410);
  });

  it("signs for any number of keys within a second", () => {
    const identity = RequestIdentity.fromPem(newPem());
    for (let index = 0; index < 2100; index += 1) {
      const { claims } = tokenOf(identity.headers("/invoke/A/b", `k${index}`, NOW_MS));
      assert.equal(claims["sub"], `k${index}`);
    }
  });
});

describe("a request identity is not made of", () => {
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const { publicKey } = generateKeyPairSync("ed25519");
  const encrypted = generateKeyPairSync("ed25519").privateKey.export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "x",
  });
  const wrong: [string, string, RegExp][] = [
    ["nothing", "", /exactly one PEM block, not 0/],
    ["text", "secret", /exactly one PEM block, not 0/],
    ["two keys", newPem() + newPem(), /exactly one PEM block, not 2/],
    ["a public key", pemOf(publicKey, "spki"), /is a PUBLIC KEY/],
    ["an encrypted key", String(encrypted), /is a ENCRYPTED PRIVATE KEY/],
    ["another kind of key", pemOf(rsa, "pkcs8"), /is of type rsa/],
    [
      "a block of nonsense",
      "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
      /holds no key that can be read/,
    ],
  ];
  for (const [what, pem, message] of wrong) {
    it(what, () => {
      assert.throws(
        () => RequestIdentity.fromPem(pem),
        (error) => {
          assert(error instanceof IdentityKeyError);
          assert.match(error.message, message);
          assert.match(error.message, /openssl genpkey -algorithm ed25519/);
          assert.doesNotMatch(error.message, /secret|c2VjcmV0/);
          return true;
        },
      );
    });
  }
});
