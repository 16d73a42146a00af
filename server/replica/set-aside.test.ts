import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { beforeEach, describe, it } from "node:test";
import { newId, writeReplicaFile } from "./replica-file.ts";
import { setAside } from "./set-aside.ts";
import { tempDirectories } from "./wal.suite.ts";

const FILES = ["held.json", "holdfast.db", "holdfast.db-shm", "holdfast.db-wal"];

describe("a directory that is set aside", () => {
  const directory = tempDirectories();
  let where: string;

  beforeEach(() => (where = directory()));

  function fill(mark: string, epoch: number): void {
    for (const name of FILES) fs.writeFileSync(path.join(where, name), `${mark} ${name}`);
    fs.mkdirSync(path.join(where, "blobs", "ab"), { recursive: true });
    fs.writeFileSync(path.join(where, "blobs", "ab", "abc"), mark);
    const ids = { replicaId: newId(), writerId: newId() };
    const position = { shippedSeq: 1, restart: null, clean: null, rolledBack: false };
    writeReplicaFile(where, { ...ids, epoch, ...position });
  }

  const assertHolds = (folder: string, mark: string): void => {
    for (const name of FILES)
      assert.equal(fs.readFileSync(path.join(folder, name), "utf8"), `${mark} ${name}`);
    assert.equal(fs.readFileSync(path.join(folder, "blobs", "ab", "abc"), "utf8"), mark);
    assert.ok(fs.existsSync(path.join(folder, "replica.json")));
  };

  it("is whole in a folder of its own, and leaves the rest where it was", () => {
    fill("a", 7);
    fs.writeFileSync(path.join(where, "holdfast.lock"), "");
    const folder = setAside(where);
    assert.equal(folder, path.join(where, "superseded-7"));
    assertHolds(folder, "a");
    assert.deepEqual(fs.readdirSync(where).toSorted(), ["holdfast.lock", "superseded-7"]);
  });

  it("takes no place of another", () => {
    for (const mark of ["a", "b", "c"]) {
      fill(mark, 7);
      assertHolds(setAside(where), mark);
    }
    assertHolds(path.join(where, "superseded-7"), "a");
    assertHolds(path.join(where, "superseded-7-2"), "b");
    assertHolds(path.join(where, "superseded-7-3"), "c");
  });

  it("is whole after a break at any moment, and never a log without its database", (test) => {
    for (let breakAt = 0; breakAt < 8; breakAt += 1) {
      where = directory();
      fill("a", 7);
      let left = breakAt;
      const { renameSync, rmSync } = fs;
      const counted = (run: () => void): void => {
        left -= 1;
        if (left < 0) throw new Error("power loss");
        run();
      };
      test.mock.method(fs, "renameSync", (from: string, to: string) =>
        counted(() => renameSync(from, to)),
      );
      test.mock.method(fs, "rmSync", (file: string) => counted(() => rmSync(file)));
      const broken = attempt(() => setAside(where));
      test.mock.restoreAll();
      assert.equal(broken, breakAt < 6, `at ${breakAt}`);
      const isThere = (name: string): boolean => fs.existsSync(path.join(where, name));
      if (!isThere("holdfast.db")) assert.ok(!isThere("holdfast.db-wal"));
      else assert.ok(isThere("replica.json"));
      if (isThere("holdfast.db")) setAside(where);
      assertHolds(path.join(where, "superseded-7"), "a");
    }
  });
});

/** Whether it was broken off. */
function attempt(run: () => void): boolean {
  try {
    run();
    return false;
  } catch (error) {
    assert.match(String(error), /power loss/);
    return true;
  }
}
