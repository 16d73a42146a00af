/** When a snapshot and the base that names it are stored: only behind a history that is accepted. */
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { Appender } from "./appender.ts";
import { claim } from "./claim.ts";
import { DELTA, POSITION } from "./format.suite.ts";
import { directories } from "./made-history.suite.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { segmentKey, snapshotKey } from "./names.ts";
import type { SnapshotRequest } from "./snapshot-file.ts";
import { Snapshotter } from "./snapshotter.ts";
import type { Source } from "./source.ts";

const NOW_MS = 1_760_000_000_000;
const HASH = new Uint8Array(32).fill(9);
const directory = directories();

const source: Source = {
  file: "unused",
  databaseFd: -1,
  head: () => ({ commits: 5, frames: 0, salt1: 0 }),
  barrier: (done) => done(null),
  onCommit: () => {},
  replicate: () => {},
};

const pages = {
  pin: () => Promise.resolve({ frame: 0, salt1: 0 }),
  release: () => Promise.resolve(),
  write: ({ file }: SnapshotRequest) => {
    fs.writeFileSync(file, "the whole");
    return Promise.resolve({ hash: HASH, size: 9, databasePages: 1, position: POSITION });
  },
};

describe("a base", () => {
  it("is not stored, and neither is its snapshot, before all that comes before it is accepted", async () => {
    const bucket = new MemoryBucket(() => NOW_MS);
    const identity = { replicaId: new Uint8Array(16), writerId: new Uint8Array(16), host: "a" };
    const claimed = await claim(bucket, { tail: null, identity, nowMs: NOW_MS });
    assert(claimed.kind === "claimed");
    const { head, hash } = claimed.segment;
    let letGo: () => void = () => {};
    const gate = new Promise<void>((resolve) => (letGo = resolve));
    const putNew = bucket.putNew.bind(bucket);
    bucket.putNew = async (key, bytes) => {
      // The store takes its time for what is under way.
      if (key === segmentKey(17)) await gate;
      return await putNew(key, bytes);
    };
    const appender = new Appender({
      bucket,
      identity: head,
      end: { seq: 17, hash, timeMs: NOW_MS },
      after: () => () => {},
      nowMs: () => NOW_MS,
      random: () => 0,
      onAccepted: () => {},
      onFenced: (error) => assert.fail(error),
    });
    const where = directory();
    const snapshotter = new Snapshotter({
      bucket,
      source,
      pages,
      appender,
      blobs: { uploadAll: () => Promise.resolve() },
      replicaId: identity.replicaId,
      epoch: 1,
      directory: where,
      nowMs: () => NOW_MS,
    });

    assert.equal(appender.append(DELTA), 17);
    const base = snapshotter.makeBase();
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(await bucket.get(snapshotKey(18, 1)), null);
    assert.equal(await bucket.get(segmentKey(18)), null);
    letGo();
    assert.deepEqual(await base, { position: POSITION, commits: 5, seq: 18 });
    await appender.whenAccepted(18);
    assert.equal(Buffer.from((await bucket.get(snapshotKey(18, 1))) ?? []).toString(), "the whole");
    assert(!fs.existsSync(path.join(where, "snapshot.tmp")));
  });
});
