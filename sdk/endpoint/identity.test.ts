import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { encode, keyText, makeToken } from "./identity.suite.ts";
import { IdentityVerifier } from "./identity.ts";
import { WebIdentityVerifier } from "./web-identity.ts";

const NOW_SECONDS = 1_795_419_409;
const NOW_MS = NOW_SECONDS * 1000;

const VERIFIERS = [
  ["node:crypto", IdentityVerifier],
  ["Web Crypto", WebIdentityVerifier],
] as const;

for (const [crypto, Verifier] of VERIFIERS)
  describe(`the identity of a server (${crypto})`, () => {
    const own = generateKeyPairSync("ed25519");
    const foreign = generateKeyPairSync("ed25519");
    const verifier = new Verifier([keyText(foreign.publicKey), keyText(own.publicKey)]);
    const claims = {
      aud: "/invoke/S/h",
      iat: NOW_SECONDS,
      nbf: NOW_SECONDS - 60,
      exp: NOW_SECONDS + 60,
    };
    const accepts = (
      token: string | undefined,
      { path = "/invoke/S/h", scheme = "v1", nowMs = NOW_MS } = {},
    ): Promise<boolean> => Promise.resolve(verifier.accepts({ path, scheme, token }, nowMs));

    it("is proved by any of the keys, for the path below the prefix", async () => {
      assert.ok(await accepts(makeToken(own.privateKey, claims)));
      assert.ok(await accepts(makeToken(foreign.privateKey, claims)));
      assert.ok(await accepts(makeToken(own.privateKey, claims), { path: "/a/b/invoke/S/h" }));
      const discovery = makeToken(own.privateKey, { ...claims, aud: "/discover" });
      assert.ok(await accepts(discovery, { path: "/a/discover" }));
    });

    it("is not proved by another key, path or time", async () => {
      const stranger = generateKeyPairSync("ed25519");
      assert.equal(await accepts(makeToken(stranger.privateKey, claims)), false);
      const token = makeToken(own.privateKey, claims);
      assert.equal(await accepts(token, { path: "/invoke/S/other" }), false);
      assert.equal(await accepts(token, { path: "/discover" }), false);
      assert.equal(await accepts(token, { nowMs: NOW_MS + 60_001 }), false);
      assert.equal(await accepts(token, { nowMs: NOW_MS - 60_001 }), false);
    });

    it("is not proved without a claim, a scheme, or EdDSA", async () => {
      for (const name of ["aud", "iat", "nbf", "exp"]) {
        const token = makeToken(own.privateKey, { ...claims, [name]: undefined });
        assert.equal(await accepts(token), false, name);
      }
      const token = makeToken(own.privateKey, claims);
      assert.equal(await accepts(token, { scheme: "unsigned" }), false);
      assert.equal(await accepts(undefined), false);
      assert.equal(await accepts(makeToken(own.privateKey, claims, { alg: "none" })), false);
    });

    it("is not proved by a token that was changed or is none", async () => {
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
      for (const text of broken) assert.equal(await accepts(text), false, text);
    });

    it("takes keys as the server prints them, and nothing else", () => {
      const printed = "publickeyv1_66uUDZCGN8UrZCo388CYgiaCmvxK15ia4jLeizWd1M87";
      assert.ok(new Verifier([printed]));
      for (const text of ["66uUDZCGN8", "publickeyv1_0OIl", `${printed}${printed}`, ""]) {
        assert.throws(() => new Verifier([text]), TypeError, text);
      }
    });
  });
