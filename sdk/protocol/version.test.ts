import assert from "node:assert/strict";
import { test } from "node:test";
import {
  acceptedManifestVersion,
  invocationContentType,
  MANIFEST_ACCEPT,
  manifestContentType,
  MAX_PROTOCOL_VERSION,
  negotiateProtocolVersion,
  parseInvocationContentType,
  parseManifestContentType,
  READ_MANIFEST_VERSIONS,
  serverMaxFor,
} from "./version.ts";

test("the content type of an invocation names its version and is matched exactly", () => {
  assert.equal(invocationContentType(6), "application/vnd.restate.invocation.v6");
  for (const version of [5, 6, 7] as const) {
    assert.equal(parseInvocationContentType(invocationContentType(version)), version);
  }
  for (const value of [
    undefined,
    "",
    "application/json",
    "application/vnd.restate.invocation.v4",
    "application/vnd.restate.invocation.v8",
    "application/vnd.restate.invocation.v55",
    "application/vnd.restate.invocation.v6; charset=utf-8",
    " application/vnd.restate.invocation.v6",
    "constructor",
  ]) {
    assert.equal(parseInvocationContentType(value), undefined, value);
  }
});

test("the version of an invocation is the highest both sides know", () => {
  for (const [min, max, serverMax, expected] of [
    [5, 7, 6, 6],
    [5, 7, 7, 7],
    [5, 5, 7, 5],
    [5, 6, MAX_PROTOCOL_VERSION, 6],
    [5, 9, MAX_PROTOCOL_VERSION, 7],
    [7, 7, MAX_PROTOCOL_VERSION, 7],
    [1, 5, 6, 5],
    [1, 2_147_483_647, 6, 6],
    [6, 6, 5, undefined],
    [7, 7, 6, undefined],
    [1, 4, 6, undefined],
    [8, 9, 7, undefined],
    [6, 5, 7, undefined],
  ] as const) {
    assert.equal(
      negotiateProtocolVersion(min, max, serverMax),
      expected,
      `${min}..${max}, ${serverMax}`,
    );
  }
});

test("our own SDK is spoken to in the highest version, others in what the operator allows", () => {
  for (const othersMax of [5, 6, 7] as const) {
    assert.equal(serverMaxFor("holdfast-sdk/0.3.0", othersMax), 7);
    for (const other of [null, "", "restate-sdk-typescript/1.17.2", "my-holdfast-sdk/1"]) {
      assert.equal(serverMaxFor(other, othersMax), othersMax, `${other}`);
    }
  }
});

test("the server accepts the manifest versions it reads, lowest first", () => {
  assert.equal(
    MANIFEST_ACCEPT,
    "application/vnd.restate.endpointmanifest.v1+json, " +
      "application/vnd.restate.endpointmanifest.v2+json, " +
      "application/vnd.restate.endpointmanifest.v3+json, " +
      "application/vnd.restate.endpointmanifest.v4+json",
  );
  for (const version of READ_MANIFEST_VERSIONS) {
    assert.equal(parseManifestContentType(manifestContentType(version)), version);
  }
  for (const value of [
    undefined,
    "application/json",
    "application/vnd.restate.endpointmanifest.v0+json",
    "application/vnd.restate.endpointmanifest.v5+json",
    "application/vnd.restate.endpointmanifest.v4+json; charset=utf-8",
  ]) {
    assert.equal(parseManifestContentType(value), undefined, value);
  }
});

test("an endpoint answers with the highest manifest version that is accepted", () => {
  assert.equal(acceptedManifestVersion(MANIFEST_ACCEPT), 4);
  assert.equal(acceptedManifestVersion(manifestContentType(3)), 3);
  assert.equal(acceptedManifestVersion(`${manifestContentType(2)},${manifestContentType(3)}`), 3);
  assert.equal(
    acceptedManifestVersion("application/vnd.restate.endpointmanifest.v1+json"),
    undefined,
  );
  assert.equal(acceptedManifestVersion("application/json"), undefined);
  assert.equal(acceptedManifestVersion(undefined), undefined);
});
