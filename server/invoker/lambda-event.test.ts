import assert from "node:assert/strict";
import { describe, it } from "node:test";
import zlib from "node:zlib";
import * as fc from "fast-check";
import {
  decodeResult,
  encodeEvent,
  type LambdaRequest,
  LambdaResponseError,
} from "./lambda-event.ts";

const hasZstd = "zstdCompressSync" in zlib;
const request = (body: Uint8Array): LambdaRequest => ({
  method: "POST",
  path: "/invoke/Greeter/greet",
  headers: { "content-type": "application/vnd.restate.invocation.v6" },
  body,
});
const read = (event: Uint8Array) =>
  JSON.parse(Buffer.from(event).toString()) as Record<string, unknown> & {
    headers: Record<string, string>;
    body: string;
  };
const result = (fields: object): Uint8Array =>
  Buffer.from(JSON.stringify({ statusCode: 200, ...fields }));

describe("the event of a request", () => {
  it("is the request with its body in base64", () => {
    const { body, headers, ...event } = read(encodeEvent(request(Buffer.from("ä")), false));
    assert.deepEqual(event, {
      path: "/invoke/Greeter/greet",
      httpMethod: "POST",
      isBase64Encoded: true,
    });
    assert.deepEqual(headers, { "content-type": "application/vnd.restate.invocation.v6" });
    assert.equal(Buffer.from(body, "base64").toString(), "ä");
  });

  it("asks for zstd, and has it where the body is large, if both sides know it", () => {
    const large = new Uint8Array(4 * 1024 * 1024);
    const small = read(encodeEvent(request(Uint8Array.of(1)), true));
    assert.equal(small.headers["accept-encoding"], hasZstd ? "zstd" : undefined);
    assert.equal(small.headers["content-encoding"], undefined);
    const event = read(encodeEvent(request(large), true));
    assert.equal(event.headers["content-encoding"], hasZstd ? "zstd" : undefined);
    assert.equal(event.body.length < 10_000, hasZstd);
    assert.equal(read(encodeEvent(request(large), false)).headers["accept-encoding"], undefined);
  });
});

describe("the result of a function", () => {
  it("is a response", () => {
    const headers = { "Content-Type": "a/b", "x-number": 1 };
    const body = Buffer.from("ä").toString("base64");
    assert.deepEqual(decodeResult(result({ headers, body, isBase64Encoded: true })), {
      status: 200,
      headers: { "content-type": "a/b" },
      body: Buffer.from("ä"),
    });
    assert.deepEqual(decodeResult(result({ statusCode: 404, body: "ä", headers: null })), {
      status: 404,
      headers: {},
      body: Buffer.from("ä"),
    });
    assert.equal(decodeResult(result({ body: null })).body.length, 0);
  });

  it("is refused in words when it is anything else", () => {
    for (const payload of ["", "null", "1", "[]", "{", '{"statusCode":"200"}', "\xff"]) {
      assert.throws(() => decodeResult(Buffer.from(payload, "latin1")), LambdaResponseError);
    }
    for (const fields of [
      { body: 1 },
      { body: "%%", isBase64Encoded: true },
      { body: "", headers: { "content-encoding": "gzip" } },
      { body: "YQ==", isBase64Encoded: true, headers: { "Content-Encoding": "ZSTD" } },
    ]) {
      assert.throws(
        () => decodeResult(result(fields)),
        LambdaResponseError,
        JSON.stringify(fields),
      );
    }
  });

  it("never fails in another way, whatever it is", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => Buffer.from(json)),
        ),
        (bytes) => {
          try {
            decodeResult(bytes);
          } catch (error) {
            assert.ok(error instanceof LambdaResponseError);
          }
        },
      ),
    );
  });
});
