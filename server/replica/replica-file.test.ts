import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  cleanState,
  isStillClean,
  newId,
  readReplicaFile,
  type ReplicaFile,
  ReplicaFileError,
  writeReplicaFile,
} from "./replica-file.ts";
import { tempDirectories } from "./wal.suite.ts";

const directory = tempDirectories();
const where = directory();
const file = path.join(where, "replica.json");

const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record<T>(model, { noNullPrototype: true });
const ids = fc.uint8Array({ minLength: 16, maxLength: 16 });
const counts = fc.nat(Number.MAX_SAFE_INTEGER);
const values: fc.Arbitrary<ReplicaFile> = record({
  replicaId: ids,
  writerId: ids,
  epoch: counts,
  shippedSeq: counts,
  restart: fc.option(record({ salt1: counts, salt2: counts, frame: counts })),
  clean: fc.option(record({ seq: counts, size: counts, modifiedMs: counts })),
  rolledBack: fc.boolean(),
});

describe("replica.json", () => {
  it("is read as it was written, and is nobody else's", () => {
    fc.assert(
      fc.property(values, (value) => {
        writeReplicaFile(where, value);
        assert.deepEqual(readReplicaFile(where), value);
      }),
      { numRuns: 20 },
    );
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(fs.readdirSync(where), ["replica.json"]);
  });

  it("may be missing", () => {
    assert.equal(readReplicaFile(directory()), null);
  });

  it("replaces the one before whole: what a death left half written is not read", () => {
    const value = fc.sample(values, 1)[0] ?? assert.fail();
    writeReplicaFile(where, value);
    fs.writeFileSync(`${file}.next`, '{"format":1,');
    assert.deepEqual(readReplicaFile(where), value);
    writeReplicaFile(where, { ...value, epoch: 9 });
    assert.equal(readReplicaFile(where)?.epoch, 9);
  });

  it("that cannot be used is refused with the file, the reason and what to do", () => {
    const good = {
      format: 1,
      replica: "a".repeat(32),
      writer: "b".repeat(32),
      epoch: 1,
      shipped: 1,
      restart: null,
      clean: null,
      rolledBack: false,
    };
    const cases: readonly [unknown, RegExp][] = [
      ["", /JSON/],
      ["{", /JSON/],
      [[], /format undefined is not known/],
      [null, /an object is missing/],
      [{ ...good, format: 2 }, /format 2 is not known/],
      [{ ...good, replica: "A".repeat(32) }, /an id is missing/],
      [{ ...good, writer: "b".repeat(31) }, /an id is missing/],
      [{ ...good, epoch: -1 }, /a number is missing/],
      [{ ...good, shipped: 1.5 }, /a number is missing/],
      [{ ...good, restart: { salt1: 1, salt2: 2 } }, /a number is missing/],
      [{ ...good, clean: "yes" }, /an object is missing/],
      [{ ...good, clean: { seq: 1, size: null, modifiedMs: 1 } }, /a number is missing/],
    ];
    for (const [value, why] of cases) {
      fs.writeFileSync(file, typeof value === "string" ? value : JSON.stringify(value));
      assert.throws(
        () => readReplicaFile(where),
        (error) => {
          assert.ok(error instanceof ReplicaFileError);
          assert.match(error.message, why);
          assert.ok(error.message.includes(file) && error.message.includes("restore"));
          return true;
        },
        JSON.stringify(value),
      );
    }
    fs.writeFileSync(file, JSON.stringify(good));
    assert.equal(readReplicaFile(where)?.shippedSeq, 1);
  });
});

describe("a database that was noted as clean", () => {
  it("is so until somebody writes it, were it a byte", () => {
    const database = path.join(where, "some.db");
    fs.writeFileSync(database, "abc");
    fs.utimesSync(database, 1000, 1000);
    const noted = cleanState(database, 5);
    assert.deepEqual(noted, { seq: 5, size: 3, modifiedMs: 1_000_000 });
    assert.equal(isStillClean(database, noted), true);
    fs.appendFileSync(database, "d");
    fs.utimesSync(database, 1000, 1000);
    assert.equal(isStillClean(database, noted), false);
    fs.writeFileSync(database, "abd");
    assert.equal(isStillClean(database, noted), false);
  });
});

describe("an id", () => {
  it("is another each time", () => {
    assert.equal(newId().length, 16);
    assert.notDeepEqual(newId(), newId());
  });
});
