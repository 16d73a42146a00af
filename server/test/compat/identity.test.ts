/** Requests signed by the server, and endpoints that take no others. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { temporaryDirectory } from "../harness.ts";
import { loadSdk, serve, VARIANTS } from "../endpoint.ts";
import { at, Lab, OURS } from "./lab.suite.ts";
import { objectOf, serviceOf, World } from "./program.suite.ts";

const directory = temporaryDirectory();
const keys = generateKeyPairSync("ed25519");
const publicKey = textOf(keys.publicKey.export({ format: "der", type: "spki" }).subarray(-32));
const otherKey = textOf(
  generateKeyPairSync("ed25519").publicKey.export({ format: "der", type: "spki" }).subarray(-32),
);

let signing: Lab;
let silent: Lab;
before(async () => {
  const file = `${directory.path}/key.pem`;
  writeFileSync(file, keys.privateKey.export({ format: "pem", type: "pkcs8" }));
  signing = await Lab.start(["--request-identity-key-file", file, "--log-level", "info"]);
  silent = await Lab.start();
});
after(async () => {
  await signing.close();
  await silent.close();
  directory.remove();
});

for (const { sdk: sdkName, transport, tag, title } of VARIANTS) {
  describe(`identity (${title})`, { concurrency: true, ...OURS }, () => {
    const services = async () => {
      const sdk = await loadSdk(sdkName);
      const world = new World();
      return {
        sdk,
        all: [serviceOf(sdk, world, `${tag}Service`), objectOf(sdk, world, `${tag}Object`)],
      };
    };

    it("the holder of the key is served, also behind a path and for keys of any characters", async () => {
      const { sdk, all } = await services();
      const endpoint = await serve(sdk, all, transport, { identityKeys: [otherKey, publicKey] });
      await signing.register(endpoint);
      assert.deepEqual(await signing.run(`/${tag}Service/run`, ["sleep", 5], ["step", "a", 1]), [
        null,
        1,
      ]);
      const key = encodeURIComponent("a é中");
      assert.deepEqual(
        await signing.run(`/${tag}Object/${key}/run`, ["set", "a", 1], ["get", "a"]),
        [null, 1],
      );
      const behind = { ...endpoint, url: `${endpoint.url}/some/path`, close: async () => {} };
      await signing.register(behind);
      assert.deepEqual(await signing.run(`/${tag}Service/run`, ["step", "b", 2]), [2]);
    });

    it("anybody else is refused at discovery, and told why", async () => {
      const { sdk, all } = await services();
      const strange = await serve(sdk, all, transport, { identityKeys: [otherKey] });
      const own = await serve(sdk, all, transport, { identityKeys: [publicKey] });
      for (const [lab, endpoint] of [
        [signing, strange],
        [silent, own],
      ] as const) {
        const body = { uri: endpoint.url, use_http_11: endpoint.isHttp1 };
        const answer = await lab.tell("POST", "/deployments", body);
        assert(answer.status >= 400);
        assert.equal(at(answer.json, "restate_code"), "META0003");
        assert.match(String(at(answer.json, "message")), /401/);
        assert.match(String(at(answer.json, "message")), /sign|identity|unauthori/i);
        await endpoint.close();
      }
    });
  });
}

describe("identity", { concurrency: true, ...OURS }, () => {
  it("an endpoint that asks for a key later on is told apart from one that is broken", async () => {
    const sdk = await loadSdk("restate");
    const options = { retryPolicy: { initialInterval: 5, maxAttempts: 2 } };
    const all = [serviceOf(sdk, new World(), "Later", options)];
    const open = await serve(sdk, all, "h2");
    await silent.register(open);
    await open.close();
    const closed = await serve(sdk, all, "h2", { port: open.port, identityKeys: [publicKey] });
    const id = await silent.send("/Later/run", ["id"]);
    await silent.until(id, "paused");
    const failure = at(await silent.invocation(id), "last_failure");
    assert.match(String(at(failure, "message")), /401/);
    assert.match(String(at(failure, "message")), /sign|identity|unauthori/i);
    await closed.close();
  });

  it("the public key is in the log at start, the private one nowhere", async () => {
    assert(signing.errors.includes(publicKey), signing.errors);
    const secret = keys.privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    assert(!signing.errors.includes(secret.split("\n")[1] ?? "?"));
    await Promise.resolve();
  });
});

/** As SDKs take it: `publickeyv1_` and base58 of the 32 bytes. */
function textOf(bytes: Uint8Array): string {
  const alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
  let number = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
  let text = "";
  for (; number > 0n; number /= 58n) text = alphabet.charAt(Number(number % 58n)) + text;
  for (const byte of bytes) {
    if (byte !== 0) break;
    text = `1${text}`;
  }
  return `publickeyv1_${text}`;
}
