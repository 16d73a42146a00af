/** The endpoint for AWS Lambda, with events made by hand. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { service } from "../define/service.ts";
import {
  END,
  input,
  output,
  proposed,
  runCommand,
  suspended,
  value,
} from "../replay/machine.suite.ts";
import { keyText, signedHeaders } from "./identity.suite.ts";
import {
  createEndpointHandler,
  endpoint,
  type LambdaEvent,
  type LambdaHandler,
  type LambdaResult,
} from "./lambda-endpoint.ts";
import { invocation, MANIFEST_V4, messagesOf, seen, tested, V6 } from "./requests.suite.ts";
import { zstd } from "./zstd.ts";

const handler = createEndpointHandler({ services: [tested] });

/** As the server invokes a function. */
function direct(
  name: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
): LambdaEvent & { httpMethod: string } {
  return {
    path: `/invoke/T/${name}`,
    httpMethod: "POST",
    headers: { "content-type": V6, accept: V6, ...headers },
    body: Buffer.from(body).toString("base64"),
    isBase64Encoded: true,
  };
}

const discovery = (headers: Record<string, string> = {}): LambdaEvent => ({
  path: "/discover",
  headers: { accept: MANIFEST_V4, ...headers },
  body: "",
  isBase64Encoded: true,
});

function bytesOf({ body, isBase64Encoded }: LambdaResult): Buffer {
  assert.equal(isBase64Encoded, true);
  return Buffer.from(body, "base64");
}

async function manifestOf(by: LambdaHandler, event: LambdaEvent): Promise<Record<string, unknown>> {
  return JSON.parse(bytesOf(await by(event)).toString()) as Record<string, unknown>;
}

describe("an endpoint on AWS Lambda", () => {
  it("answers an invocation by the server itself", async () => {
    const result = await handler(direct("echo", invocation(input('"hi"'))));
    assert.deepEqual([result.statusCode, result.headers["content-type"]], [200, V6]);
    assert.match(String(result.headers["x-restate-server"]), /^holdfast-sdk-typescript\//);
    assert.deepEqual(messagesOf(bytesOf(result)), [output(value('"hi"')), END]);
  });

  it("executes a step and suspends on its result", async () => {
    const result = await handler(direct("step", invocation(input())));
    const expected = [runCommand(1, "a"), proposed(1, value("42")), suspended([1])];
    assert.deepEqual(messagesOf(bytesOf(result)), expected);
  });

  it("answers behind a function URL or an HTTP API, under a stage", async () => {
    const event = {
      version: "2.0",
      rawPath: "/prod/invoke/T/echo",
      rawQueryString: "",
      headers: { "content-type": V6 },
      requestContext: { http: { method: "POST", path: "/prod/invoke/T/echo" } },
      body: invocation(input('"hi"')).toString("base64"),
      isBase64Encoded: true,
    };
    const result = await handler(event);
    assert.deepEqual(messagesOf(bytesOf(result)), [output(value('"hi"')), END]);
  });

  it("answers behind a REST API, whose names of headers are as they were sent", async () => {
    const event: LambdaEvent = {
      path: "/discover",
      headers: { Accept: MANIFEST_V4 },
      body: null,
      isBase64Encoded: false,
    };
    assert.equal((await handler(event)).headers["content-type"], MANIFEST_V4);
    assert.equal((await handler({ ...event, headers: null })).statusCode, 415);
  });

  it("says what is wrong with what it does not know", async () => {
    assert.equal((await handler({ path: "/x" })).statusCode, 404);
    assert.equal((await handler(direct("none", invocation(input())))).statusCode, 404);
    await assert.rejects(handler({}), /no path/);
    const result = await handler(direct("echo", Buffer.from("no frames")));
    assert.equal(messagesOf(bytesOf(result)).length, 1);
  });

  it("tells the handler the context of the function", async () => {
    seen.length = 0;
    const event = direct("extra", invocation(input()), { "X-From": "here" });
    await handler(event, { awsRequestId: "r" });
    assert.deepEqual(seen, [{ awsRequestId: "r" }, "here"]);
  });

  it("says request/response on discovery", async () => {
    assert.equal((await manifestOf(handler, discovery()))["protocolMode"], "REQUEST_RESPONSE");
  });

  it("offers compression exactly where Node has it, and the manifest a place for it", async () => {
    const offered = zstd === undefined ? undefined : "zstd";
    assert.equal((await manifestOf(handler, discovery()))["lambdaCompression"], offered);
    const accept = MANIFEST_V4.replace("v4", "v3");
    const older = await manifestOf(handler, discovery({ accept }));
    assert.equal(older["lambdaCompression"], undefined);
  });

  it("reads a compressed request, or says that it cannot", async () => {
    const plain = invocation(input('"hi"'));
    const compressed = zstd?.compress(plain) ?? plain;
    const result = await handler(direct("echo", compressed, { "content-encoding": "zstd" }));
    if (zstd === undefined) {
      assert.equal(result.statusCode, 415);
    } else {
      assert.deepEqual(messagesOf(bytesOf(result)), [output(value('"hi"')), END]);
    }
    const other = await handler(direct("echo", plain, { "content-encoding": "br" }));
    assert.equal(other.statusCode, 415);
  });

  it("compresses a large response for a server that reads it", async () => {
    const large = service({
      name: "T",
      handlers: { large: async (_ctx: Context, size: number) => "x".repeat(size) },
    });
    const by = createEndpointHandler({ services: [large] });
    const invoke = async (
      size: number,
      accepted: string,
    ): Promise<[string | undefined, Buffer]> => {
      const headers = { "accept-encoding": accepted };
      const result = await by(direct("large", invocation(input(`${size}`)), headers));
      return [result.headers["content-encoding"], bytesOf(result)];
    };
    const size = 3_200_000;
    const [encoding, bytes] = await invoke(size, "zstd");
    assert.equal(encoding, zstd === undefined ? undefined : "zstd");
    const [, plain] = await invoke(size, "");
    assert.ok(plain.length > size);
    assert.deepEqual(zstd === undefined ? bytes : zstd.decompress(bytes), plain);
    assert.equal((await invoke(1000, "zstd"))[0], undefined);
    assert.equal((await invoke(size, "gzip"))[0], undefined);
  });

  it("serves only signed requests when it has keys", async () => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const guarded = endpoint().bind(tested).withIdentityV1(keyText(publicKey)).handler();
    assert.equal((await guarded(discovery())).statusCode, 401);
    const signed = discovery(signedHeaders(privateKey, "/discover"));
    assert.equal((await guarded(signed)).statusCode, 200);
  });
});
