import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { temporaryDirectory } from "../../server/test/harness.ts";
import { Directory } from "./directory.ts";

describe("the company's directory", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let directory: Directory;

  beforeEach(() => {
    folder = temporaryDirectory();
    directory = new Directory(`${folder.path}/directory.jsonl`);
  });

  afterEach(() => {
    folder.remove();
  });

  it("answers a step that runs twice as the first time, and counts it", () => {
    assert.deepEqual(directory.createAccount("Ada", "k-1"), { name: "ada", isNew: true });
    assert.deepEqual(directory.createAccount("Ada", "k-1"), { name: "ada", isNew: true });
    assert.deepEqual(directory.createAccount("Ada", "k-2"), { name: "ada", isNew: false });
    assert.deepEqual(directory.accounts(), ["ada"]);
    assert.deepEqual(
      directory.changes().map(({ isRepeated }) => isRepeated ?? false),
      [false, true],
    );
  });

  it("takes back what it did, once", () => {
    directory.joinGroup("ada", "warehouse", "k-1");
    directory.takeSeat("ada", "warehouse", "k-2");
    for (let time = 0; time < 2; time += 1) {
      directory.leaveGroup("ada", "warehouse");
      directory.freeSeat("ada", "warehouse");
      directory.removeAccount("ada");
    }
    assert.deepEqual(directory.members("warehouse"), []);
    assert.deepEqual(directory.seated("warehouse"), []);
    assert.equal(directory.changes().length, 4);
  });

  it("has no seats where there are none, and knows its systems", () => {
    assert.throws(() => directory.takeSeat("ada", "payroll", "k"), /no seat left in payroll/);
    assert.throws(() => directory.stagesFor("moon"), /no system moon/);
  });

  it("delivers a mail once", () => {
    directory.mail("ana", { about: "a", link: "sign_1" }, "k");
    directory.mail("ana", { about: "a", link: "sign_1" }, "k");
    assert.deepEqual(directory.mailsTo("ana"), [{ about: "a", link: "sign_1" }]);
    assert.deepEqual(directory.mailsTo("ben"), []);
  });
});
