import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stateVersion } from "./state-version.ts";

const entry = (key: string, value: string) => ({
  key: Buffer.from(key),
  value: Buffer.from(value),
});

describe("the version of a state", () => {
  it("is what clients of the reference send", () => {
    assert.equal(stateVersion([]), "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU");
    assert.equal(
      stateVersion([entry("count", "5")]),
      "S6MyUcVGhqv_Nm54F5guL_XKfJMeFCOXIi7QEc5GZZA",
    );
    const three = [entry("str", '"x"'), entry("obj", '{"x":[1,2]}'), entry("count", "7")];
    assert.equal(stateVersion(three), "7rYRm7ZnZoRuxxpf-gRxwbSaSGBNgZ-Jgr35VAFqsgc");
  });
});
