import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BucketError, type BucketFailure } from "./bucket-error.ts";
import { s3Failure, statusOf } from "./s3-failure.ts";

/** As the SDK throws it. */
function answered(status: number, name: string, message = "UnknownError"): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } });
}

const unanswered = (code: string, message = code): Error =>
  Object.assign(new Error(message), { code, $metadata: {} });

const told = (error: unknown, secrets: readonly string[] = []): BucketError =>
  s3Failure(error, "s3://journal/: PUT segments/1", secrets);

describe("a failure of the store", () => {
  const kinds: readonly (readonly [Error, BucketFailure])[] = [
    [answered(500, "InternalError"), "unavailable"],
    [answered(502, "502"), "unavailable"],
    [answered(503, "ServiceUnavailable"), "unavailable"],
    [answered(503, "SlowDown"), "throttled"],
    [answered(429, "429"), "throttled"],
    [answered(401, "Unauthorized"), "denied"],
    [answered(403, "AccessDenied"), "denied"],
    [answered(403, "SignatureDoesNotMatch"), "denied"],
    [answered(400, "ExpiredToken"), "denied"],
    [Object.assign(new Error("none"), { name: "CredentialsProviderError" }), "denied"],
    [answered(404, "NoSuchBucket"), "missing"],
    [answered(404, "NotFound"), "refused"],
    [answered(301, "PermanentRedirect"), "refused"],
    [answered(400, "InvalidRequest"), "refused"],
    [answered(501, "NotImplemented"), "unsupported"],
    [answered(409, "ConditionalRequestConflict"), "unavailable"],
    [answered(409, "BucketNotEmpty"), "refused"],
    [answered(400, "RequestTimeout"), "unavailable"],
    [answered(403, "RequestTimeTooSkewed"), "unavailable"],
    [answered(400, "BadDigest"), "unavailable"],
    [answered(200, "SyntaxError"), "unavailable"],
    [unanswered("ECONNREFUSED"), "unavailable"],
    [unanswered("ECONNRESET"), "unavailable"],
    [unanswered("ENOTFOUND"), "unavailable"],
    [unanswered("DEPTH_ZERO_SELF_SIGNED_CERT"), "refused"],
    [unanswered("CERT_HAS_EXPIRED"), "refused"],
    [Object.assign(new Error("silent"), { name: "TimeoutError" }), "unavailable"],
  ];
  for (const [error, kind] of kinds) {
    const name = "code" in error ? String(error.code) : error.name;
    it(`is ${kind} with ${statusOf(error) ?? "no answer,"} ${name}`, () => {
      assert.equal(told(error).kind, kind);
    });
  }

  it("says what was asked, what was answered, and what to do", () => {
    assert.equal(
      told(answered(404, "NoSuchBucket")).message,
      "s3://journal/: PUT segments/1 failed: 404 NoSuchBucket: create the bucket, or correct its name, region and endpoint",
    );
    assert.match(told(answered(403, "AccessDenied", "no")).message, /no: .* s3:ListBucket/);
    assert.match(told(answered(301, "PermanentRedirect")).message, /--bucket-region/);
    assert.match(told(unanswered("ENOTFOUND")).message, /--bucket-path-style/);
    assert.match(told(unanswered("CERT_HAS_EXPIRED")).message, /NODE_EXTRA_CA_CERTS/);
  });

  it("says something of every address of a host that was tried in vain", () => {
    const each = new Error("connect ECONNREFUSED ::1:1");
    const error = Object.assign(new AggregateError([each]), { code: "ECONNREFUSED" });
    assert.match(told(error).message, /failed: ECONNREFUSED$/);
  });

  it("never repeats the credentials, whatever the store says", () => {
    const error = answered(400, "Odd", "got key=AKIAEXAMPLE secret=s/e+c token=tok");
    const secrets = ["AKIAEXAMPLE", "s/e+c", "tok", ""];
    const { message, cause, stack = "" } = told(error, secrets);
    for (const secret of secrets.slice(0, 3)) {
      assert.ok(!message.includes(secret), message);
      assert.ok(!stack.includes(secret), stack);
    }
    assert.equal(cause, undefined);
  });

  it("stays what it is when it was told already", () => {
    const error = new BucketError("denied", "x");
    assert.equal(told(error), error);
  });
});
