import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { temporaryDirectory } from "../../server/test/harness.ts";
import { SupportDesk } from "./support-desk.ts";

describe("the support desk", () => {
  it("pays once for a step that is executed twice, and counts it", () => {
    const folder = temporaryDirectory();
    const file = `${folder.path}/desk.jsonl`;
    const first = new SupportDesk(file).refund("1042", "key-of-a-step-1");
    const again = new SupportDesk(file).refund("1042", "key-of-a-step-1");
    assert.equal(again, first);
    assert.notEqual(new SupportDesk(file).refund("1042", "key-of-a-step-2"), first);
    assert.deepEqual(
      new SupportDesk(file).entries().map(({ key }) => key),
      ["key-of-a-step-1", "key-of-a-step-1", "key-of-a-step-2"],
    );
    folder.remove();
  });

  it("knows its orders", () => {
    const desk = new SupportDesk("nowhere");
    assert.match(desk.describe("1042"), /a lamp/);
    assert.equal(desk.describe("9"), "no such order");
    assert.deepEqual(desk.entries(), []);
  });
});
