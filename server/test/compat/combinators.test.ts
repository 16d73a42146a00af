/** Combinators over the protocol version that SDKs of others get by default: V6, where what is awaited is a list. */
import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { combinatorTests } from "./combinators.suite.ts";
import { VARIANTS } from "../endpoint.ts";
import { at, Lab } from "./lab.suite.ts";

let lab: Lab;
before(async () => {
  lab = await Lab.start();
});
after(async () => await lab.close());

for (const variant of VARIANTS) combinatorTests(() => lab, variant);

it("SDKs of others are spoken to in V6, ours in V7", async () => {
  const rows = await lab.sql(
    "SELECT target_service_name AS service, pinned_service_protocol_version AS version FROM sys_invocation WHERE pinned_service_protocol_version IS NOT NULL GROUP BY target_service_name, pinned_service_protocol_version",
  );
  assert(rows.length > 0);
  for (const row of rows) {
    const isOurs = String(at(row, "service")).startsWith("holdfast");
    assert.equal(at(row, "version"), isOurs ? 7 : 6, JSON.stringify(row));
  }
});
