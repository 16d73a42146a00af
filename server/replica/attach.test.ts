import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import { attach, AttachError, type AttachOptions } from "./attach.ts";
import { BucketError } from "./bucket-error.ts";
import { readSegment } from "./chain.ts";
import { sameBytes } from "./format.ts";
import { POSITION } from "./format.suite.ts";
import { directories, MadeHistory } from "./made-history.suite.ts";
import { segmentKey, SEGMENTS } from "./names.ts";
import type { Located } from "./pages-of-wal.ts";
import { cleanState, readReplicaFile, type ReplicaFile, writeReplicaFile } from "./replica-file.ts";
import { WINDOW } from "./segment-codec.ts";

const directory = directories();
const id = (seed: number): Uint8Array => new Uint8Array(16).fill(seed);
const OWN = "mine";

/** A directory beside a history whose writers are called by their first letter. */
class World {
  readonly history = new MadeHistory();
  readonly where = directory();
  readonly databaseFile = path.join(this.where, "holdfast.db");
  located: Located = "other";
  pauses = 0;

  constructor() {
    fs.writeFileSync(this.databaseFile, "a database");
  }

  /** The directory takes part in the history, as the server with this name. */
  writes(more: Partial<ReplicaFile> = {}): void {
    writeReplicaFile(this.where, {
      replicaId: id(1),
      writerId: id(OWN.charCodeAt(0)),
      epoch: 1,
      shippedSeq: 1,
      restart: null,
      clean: null,
      rolledBack: false,
      ...more,
    });
  }

  attach(more: Partial<AttachOptions> = {}) {
    return attach(
      {
        bucket: this.history.bucket,
        directory: this.where,
        databaseFile: this.databaseFile,
        host: OWN,
        rollBack: false,
        nowMs: () => this.history.nowMs,
        pause: async () => void (this.pauses += 1),
        ...more,
      },
      async () => this.located,
    );
  }

  get file(): ReplicaFile {
    return readReplicaFile(this.where) ?? assert.fail("there is no file");
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.history.bucket.list("")) keys.push(key);
    return keys;
  }

  /** With nothing written anywhere. */
  async refuses(code: AttachError["code"], says: RegExp): Promise<void> {
    const [keys, names] = [await this.keys(), fs.readdirSync(this.where)];
    const file = readReplicaFile(this.where);
    await assert.rejects(this.attach(), (error) => {
      assert.ok(error instanceof AttachError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, says);
      return true;
    });
    assert.deepEqual(await this.keys(), keys);
    assert.deepEqual(fs.readdirSync(this.where), names);
    assert.deepEqual(readReplicaFile(this.where), file);
  }
}

/** The directory's own history: a claim, a base, a delta. */
async function ownHistory(more: Partial<ReplicaFile> = {}): Promise<World> {
  const world = new World();
  await world.history.claim(OWN);
  const base = await world.history.base(2, "begun");
  await world.history.delta([1], "more");
  world.writes({ shippedSeq: base, ...more });
  return world;
}

describe("a directory", () => {
  it("that was never replicated begins a history in an empty bucket, with a base", async () => {
    const world = new World();
    const { identity, end, start } = await world.attach();
    assert.equal(start, "base");
    assert.equal(identity.epoch, 1);
    assert.equal(end.seq, 1 + WINDOW);
    const claimed = await readSegment(world.history.bucket, 1);
    assert.deepEqual(claimed?.hash, end.hash);
    assert.equal(claimed?.content.kind, "claim");
    const { replicaId, writerId, epoch, shippedSeq } = world.file;
    assert.ok(sameBytes(replicaId, identity.replicaId) && sameBytes(writerId, identity.writerId));
    assert.equal(epoch, 1);
    assert.equal(shippedSeq, 1);
    // It was killed before the base: once more, under the next epoch.
    const again = await world.attach();
    assert.equal(again.start, "base");
    assert.equal(again.identity.epoch, 2);
    assert.ok(sameBytes(again.identity.writerId, identity.writerId));
  });

  it("goes on from where its log is", async () => {
    const world = await ownHistory();
    world.located = "here";
    const { identity, end, start } = await world.attach();
    assert.deepEqual(start, POSITION);
    assert.equal(identity.epoch, 2);
    assert.equal(end.seq, 19 + WINDOW);
    assert.equal(world.file.shippedSeq, 18);
    assert.equal(world.file.epoch, 2);
  });

  it("goes on from a log that ended wholly shipped, if that was noted of this one", async () => {
    const { salt1, salt2, frame } = POSITION;
    const noted = { salt1, salt2, frame };
    const startOf = async (located: Located, restart: ReplicaFile["restart"]) => {
      const world = await ownHistory({ restart });
      world.located = located;
      return (await world.attach()).start;
    };
    assert.deepEqual(await startOf("ended", noted), POSITION);
    assert.equal(await startOf("ended", null), "base");
    assert.equal(await startOf("ended", { ...noted, frame: frame - 1 }), "base");
    assert.equal(await startOf("ended", { ...noted, salt2: 1 }), "base");
    assert.equal(await startOf("other", noted), "base");
  });

  it("goes on from its database alone where that is unchanged since it was noted, and nothing came after", async () => {
    const clean = await ownHistory();
    clean.writes({ clean: cleanState(clean.databaseFile, 18), shippedSeq: 18 });
    assert.equal((await clean.attach()).start, "start");
    const changed = await ownHistory();
    changed.writes({ clean: cleanState(changed.databaseFile, 18), shippedSeq: 18 });
    fs.appendFileSync(changed.databaseFile, "!");
    assert.equal((await changed.attach()).start, "base");
    const older = await ownHistory();
    older.writes({ clean: cleanState(older.databaseFile, 17), shippedSeq: 17 });
    assert.equal((await older.attach()).start, "base");
  });

  it("that died between its claim and noting it goes on", async () => {
    const world = await ownHistory();
    world.located = "here";
    await world.history.claim(OWN);
    await world.history.claim(OWN);
    const { identity, start } = await world.attach();
    assert.equal(identity.epoch, 4);
    assert.deepEqual(start, POSITION);
  });
});

describe("a directory is refused, with what to do and without a trace,", () => {
  it("where another server has written since", async () => {
    const world = await ownHistory();
    await world.history.claim("other");
    await world.refuses(
      "moved-on",
      /other has written it since 2026-.*epoch 2, segment 19.*--roll-back/,
    );
    await world.history.delta([2], "other's");
    await world.refuses("moved-on", /epoch 2/);
  });

  it("where retention has deleted all it knows", async () => {
    const world = await ownHistory();
    await world.history.remove(17);
    await world.refuses("moved-on", /deleted there already/);
  });

  it("where it belongs to another replica, or to none", async () => {
    const world = await ownHistory({ replicaId: id(2) });
    await world.refuses("other-replica", /belongs to another replica/);
    fs.rmSync(path.join(world.where, "replica.json"));
    await world.refuses("not-replicated", /start with an empty --data/);
  });

  it("where the history is gone", async () => {
    const world = new World();
    world.writes();
    await world.refuses("history-missing", /is the prefix right\?/);
  });

  it("where it was restored to an earlier moment", async () => {
    const world = await ownHistory({ rolledBack: true });
    await world.refuses("moved-on", /start once with --roll-back/);
  });

  it("where somebody else was first while it was about to claim", async () => {
    const world = await ownHistory();
    const { bucket } = world.history;
    const putNew = bucket.putNew.bind(bucket);
    bucket.putNew = async (key, bytes) => {
      bucket.putNew = putNew;
      await world.history.claim("other");
      return await putNew(key, bytes);
    };
    await assert.rejects(world.attach(), /other has written it since/);
    assert.equal(world.file.epoch, 1);
  });
});

describe("with --roll-back a directory", () => {
  it("becomes the newest state, whatever came after it", async () => {
    const world = await ownHistory({ rolledBack: true });
    await world.history.claim("other");
    const last = await world.history.delta([2], "other's");
    world.located = "here";
    const { identity, end, start } = await world.attach({ rollBack: true });
    assert.equal(start, "base");
    assert.equal(identity.epoch, 3);
    assert.equal(end.seq, last + 1 + WINDOW);
    assert.equal(world.file.rolledBack, false);
  });

  it("is refused where it belongs to another replica", async () => {
    const world = await ownHistory({ replicaId: id(2), rolledBack: true });
    await assert.rejects(world.attach({ rollBack: true }), AttachError);
  });
});

describe("a history of claims alone", () => {
  it("is anybody's: whoever made them died before there was a state", async () => {
    const world = new World();
    await world.history.claim("other");
    await world.history.claim("third");
    const { identity, end, start } = await world.attach();
    assert.equal(start, "base");
    assert.equal(identity.epoch, 3);
    assert.equal(end.seq, 1 + 3 * WINDOW);
    assert.deepEqual(identity.replicaId, id(1));
  });

  it("is none where retention has deleted what lay between", async () => {
    const world = new World();
    await world.history.claim("other");
    await world.history.base(1, "begun");
    await world.history.delta([1], "more");
    await world.history.remove(17);
    await world.refuses("not-replicated", /of another directory/);
  });
});

describe("a bucket that fails", () => {
  it("is asked again where that may pass, and a claim that had arrived is known again", async () => {
    const world = await ownHistory();
    const { bucket } = world.history;
    const putNew = bucket.putNew.bind(bucket);
    let tries = 0;
    bucket.putNew = async (key, bytes) => {
      tries += 1;
      if (tries === 3) await putNew(key, bytes);
      if (tries <= 3) throw new BucketError("unavailable", "planted");
      return await putNew(key, bytes);
    };
    assert.equal((await world.attach()).identity.epoch, 2);
    assert.equal(world.pauses, 3);
    const segments: string[] = [];
    for await (const { key } of bucket.list(SEGMENTS)) segments.push(key);
    assert.deepEqual(segments, [1, 17, 18, 19].map(segmentKey));
  });

  it("ends the start where somebody has to act", async () => {
    const world = await ownHistory();
    world.history.bucket.putNew = () => Promise.reject(new BucketError("denied", "planted"));
    await assert.rejects(world.attach(), BucketError);
    assert.equal(world.file.epoch, 1);
  });
});
