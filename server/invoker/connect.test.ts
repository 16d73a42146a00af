import assert from "node:assert/strict";
import type { LookupAddress } from "node:dns";
import { describe, it } from "node:test";
import { describeError, guardedLookup } from "./connect.ts";

function look(hostname: string, all: boolean): Promise<string | LookupAddress[]> {
  return new Promise((resolve, reject) => {
    guardedLookup(hostname, { all }, (error, address) => {
      if (error === null) resolve(address);
      else reject(error);
    });
  });
}

describe("a host name", () => {
  it("is resolved to one address or to all", async () => {
    const one = await look("localhost", false);
    assert(one === "127.0.0.1" || one === "::1");
    const all = await look("localhost", true);
    assert(Array.isArray(all) && all.every(({ family }) => family === 4 || family === 6));
  });

  it("that leads to a metadata service is refused", async () => {
    await assert.rejects(look("169.254.169.254", false), /which is not allowed/);
    await assert.rejects(look("fe80::1", true), /which is not allowed/);
  });
});

describe("an error", () => {
  it("is told in words, with what the system said", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
      code: "ECONNREFUSED",
    });
    assert.equal(
      describeError(refused),
      "nothing listens there; is the service running? (connect ECONNREFUSED 127.0.0.1:1)",
    );
    assert.equal(
      describeError(new AggregateError([new Error("first"), refused])),
      describeError(refused),
    );
    assert.equal(describeError(new Error("plain")), "plain");
    assert.equal(describeError(new TypeError("")), "TypeError");
    assert.equal(describeError("text"), "text");
  });
});
