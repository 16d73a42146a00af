import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import { IdentityVerifier } from "./identity.ts";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const NOW_SECONDS = 1_795_419_409;
const NOW_MS = NOW_SECONDS * 1000;

function keyText(key: KeyObject): string {
  const raw = key.export({ format: "der", type: "spki" }).subarray(-32);
  let number = BigInt(`0x${raw.toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = BASE58.charAt(Number(number % 58n)) + text;
  for (const byte of raw) {
    if (byte !== 0) break;
    text = `1${text}`;
  }
  return `publickeyv1_${text}`;
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function makeToken(
  key: KeyObject,
  claims: object,
  header: object = { typ: "JWT", alg: "EdDSA" },
): string {
  const signed = `${encode(header)}.${encode(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key).toString("base64url")}`;
}

describe("the identity of a server", () => {
  const own = generateKeyPairSync("ed25519");
  const foreign = generateKeyPairSync("ed25519");
  const verifier = new IdentityVerifier([keyText(foreign.publicKey), keyText(own.publicKey)]);
  const claims = {
    aud: "/invoke/S/h",
    iat: NOW_SECONDS,
    nbf: NOW_SECONDS - 60,
    exp: NOW_SECONDS + 60,
  };
  const accepts = (
    token: string | undefined,
    { path = "/invoke/S/h", scheme = "v1", nowMs = NOW_MS } = {},
  ): boolean => verifier.accepts({ path, scheme, token }, nowMs);

  it("is proved by any of the keys, for the path below the prefix", () => {
    assert.ok(accepts(makeToken(own.privateKey, claims)));
    assert.ok(accepts(makeToken(foreign.privateKey, claims)));
    assert.ok(accepts(makeToken(own.privateKey, claims), { path: "/a/b/invoke/S/h" }));
    const discovery = makeToken(own.privateKey, { ...claims, aud: "/discover" });
    assert.ok(accepts(discovery, { path: "/a/discover" }));
  });

  it("is not proved by another key, path or time", () => {
    const stranger = generateKeyPairSync("ed25519");
    assert.equal(accepts(makeToken(stranger.privateKey, claims)), false);
    const token = makeToken(own.privateKey, claims);
    assert.equal(accepts(token, { path: "/invoke/S/other" }), false);
    assert.equal(accepts(token, { path: "/discover" }), false);
    assert.equal(accepts(token, { nowMs: NOW_MS + 60_001 }), false);
    assert.equal(accepts(token, { nowMs: NOW_MS - 60_001 }), false);
  });

  it("is not proved without a claim, a scheme, or EdDSA", () => {
    for (const name of ["aud", "iat", "nbf", "exp"]) {
      const token = makeToken(own.privateKey, { ...claims, [name]: undefined });
      assert.equal(accepts(token), false, name);
    }
    const token = makeToken(own.privateKey, claims);
    assert.equal(accepts(token, { scheme: "unsigned" }), false);
    assert.equal(accepts(undefined), false);
    assert.equal(accepts(makeToken(own.privateKey, claims, { alg: "none" })), false);
  });

  it("is not proved by a token that was changed or is none", () => {
    const token = makeToken(own.privateKey, claims);
    const [header = "", , signature = ""] = token.split(".");
    const later = encode({ ...claims, exp: NOW_SECONDS + 1e6 });
    const broken = [
      `${header}.${later}.${signature}`,
      `${header}.${later}`,
      "",
      "...",
      "a.b.c",
      `${token}.x`,
    ];
    for (const text of broken) assert.equal(accepts(text), false, text);
  });

  it("takes keys as the server prints them, and nothing else", () => {
    const printed = "publickeyv1_66uUDZCGN8UrZCo388CYgiaCmvxK15ia4jLeizWd1M87";
    assert.ok(new IdentityVerifier([printed]));
    for (const text of ["66uUDZCGN8", "publickeyv1_0OIl", `${printed}${printed}`, ""]) {
      assert.throws(() => new IdentityVerifier([text]), TypeError, text);
    }
  });
});
