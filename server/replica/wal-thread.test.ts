import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import type Database from "better-sqlite3";
import type { WalPosition } from "./segment.ts";
import { readSnapshot } from "./snapshot-codec.ts";
import type { SnapshotRequest, WrittenSnapshot } from "./snapshot-file.ts";
import { WalThread } from "./wal-thread.ts";
import {
  assertCut,
  Image,
  openWal,
  progressOf,
  randomTransaction,
  recovered,
  salt1Of,
  tempDirectories,
  upTo,
} from "./wal.suite.ts";

const directory = tempDirectories();

/** A database in use, and the threads that read it. */
class World {
  readonly directory = directory();
  readonly db: Database.Database;
  readonly thread: WalThread;
  readonly #checkpointer: Database.Database;
  readonly #fd: number;
  #state = 1;

  constructor() {
    this.db = openWal(path.join(this.directory, "some.db"));
    this.db.exec("CREATE TABLE t (id INTEGER PRIMARY KEY, body BLOB)");
    this.#checkpointer = openWal(this.db.name);
    this.#fd = fs.openSync(this.db.name, "r");
    this.thread = new WalThread({ file: this.db.name, databaseFd: this.#fd });
  }

  readonly below = (end: number): number => {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) >>> 0;
    return (this.#state >>> 8) % end;
  };

  commit(times = 1): void {
    for (; times > 0; times -= 1) randomTransaction(this.db, this.below);
  }

  checkpoint(): void {
    this.#checkpointer.exec("PRAGMA wal_checkpoint(PASSIVE)");
  }

  now(): Buffer {
    return recovered(this.db.name, this.directory);
  }

  request(name = "snapshot"): SnapshotRequest {
    const file = path.join(this.directory, name);
    const [replicaId, segmentHash] = [new Uint8Array(16).fill(1), new Uint8Array(32).fill(2)];
    return { file, seq: 3, epoch: 4, replicaId, segmentHash, timeMs: 5 };
  }

  /** What a snapshot holds; its own words about itself must be right. */
  async read(written: WrittenSnapshot): Promise<Image> {
    const image = path.join(this.directory, "image.db");
    const chunks = fs.createReadStream(this.request().file);
    const bytes = Buffer.alloc(written.databasePages * 4096);
    const read = await readSnapshot(chunks, (first, pages) => bytes.set(pages, (first - 1) * 4096));
    const { file: _, ...head } = this.request();
    assert.deepEqual({ ...read.head }, { ...head, databasePages: written.databasePages });
    assert.deepEqual(
      [read.size, Buffer.from(read.hash)],
      [written.size, Buffer.from(written.hash)],
    );
    return new Image(image, bytes);
  }

  async close(): Promise<void> {
    await this.thread.close();
    this.#checkpointer.close();
    this.db.close();
    fs.closeSync(this.#fd);
  }
}

describe("the threads of a replica", () => {
  it("cut the log and find positions in it", async () => {
    const world = new World();
    const image = new Image(path.join(world.directory, "image.db"), fs.readFileSync(world.db.name));
    world.commit(5);
    const first = await world.thread.cut(upTo(world.db, "start"));
    assertCut(first);
    image.apply(first);
    image.assertEquals(world.now());
    assert.equal(await world.thread.locate(first.position), "here");
    world.commit(20);
    const second = await world.thread.cut(upTo(world.db, first.position));
    assertCut(second);
    image.apply(second);
    image.assertEquals(world.now());
    image.close();
    await world.close();
  });

  it("answer calls in their order, also many at once", async () => {
    const world = new World();
    world.commit(3);
    const whole = upTo(world.db, "start");
    const calls = Array.from({ length: 20 }, () => world.thread.cut(whole));
    for (const result of await Promise.all(calls)) {
      assertCut(result);
      assert.equal(result.position.frame, whole.toFrame);
    }
    await world.close();
  });

  it("reject what fails, and go on", async () => {
    const world = new World();
    await assert.rejects(world.thread.write(world.request()), /no state is pinned/);
    const within = { ...upTo(world.db, "start"), toFrame: 1 };
    await assert.rejects(world.thread.cut(within), /ends no transaction/);
    assert.equal(await world.thread.locate(nowhere), "other");
    await world.thread.pin();
    await assert.rejects(world.thread.pin(), /pinned already/);
    const nowhereFile = path.join(world.directory, "missing", "snapshot");
    await assert.rejects(
      world.thread.write({ ...world.request(), file: nowhereFile }),
      (error: unknown) => error instanceof Error && "code" in error && error.code === "ENOENT",
    );
    await world.thread.release();
    await world.thread.release();
    const missing = new WalThread({
      file: path.join(world.directory, "missing.db"),
      databaseFd: 0,
    });
    await assert.rejects(missing.pin(), /unable to open|does not exist/);
    assert.deepEqual(await missing.locate(nowhere), "ended");
    await missing.close();
    await world.close();
  });

  it("are refused once closed, and do not keep a process alive that forgot them", async () => {
    const world = new World();
    const ports = () => process.getActiveResourcesInfo().filter((each) => each === "MessagePort");
    const before = ports();
    await world.thread.cut(upTo(world.db, "start"));
    assert.deepEqual(ports(), before);
    await world.close();
    await assert.rejects(world.thread.locate(nowhere), /closed/);
    await world.thread.release();
    await world.thread.close();
  });
});

const nowhere: WalPosition = { salt1: 1, salt2: 2, frame: 3, checksum1: 4, checksum2: 5 };

describe("a pinned state", () => {
  it("is written as it was, while commits and checkpoints go on", async () => {
    for (let round = 0; round < 6; round += 1) {
      const world = new World();
      world.commit(30);
      if (round % 2 === 1) world.checkpoint();
      world.commit(round * 5);
      const { frame, salt1 } = await world.thread.pin();
      assert.deepEqual({ frame, salt1 }, endOf(world));
      const expected = world.now();
      const isDone = { value: false };
      const writing = world.thread.write(world.request()).finally(() => (isDone.value = true));
      for (let commits = 0; !isDone.value || commits < 20; commits += 1) {
        world.commit();
        world.checkpoint();
        await new Promise((resolve) => setImmediate(resolve));
      }
      const written = await writing;
      assert.equal(written.position.frame, frame);
      const image = await world.read(written);
      image.assertEquals(expected);
      const again = await world.thread.write(world.request());
      assert.deepEqual(again, written, "the same, whenever it is written");
      await world.thread.release();

      // Cuts go on from where the snapshot ends.
      const rest = await world.thread.cut(upTo(world.db, written.position));
      assertCut(rest);
      image.apply(rest);
      image.assertEquals(world.now());
      image.close();
      await world.close();
    }
  });

  it("that is all in the database is written as it was, though the log starts over", async () => {
    const world = new World();
    world.commit(30);
    world.checkpoint();
    const { frame, salt1 } = await world.thread.pin();
    assert.ok(frame > 0);
    const expected = world.now();
    world.commit(10);
    assert.equal(salt1Of(world.db.name), salt1 + 1, "it has started over");
    world.checkpoint();
    const written = await world.thread.write(world.request());
    const image = await world.read(written);
    image.assertEquals(expected);
    await world.thread.release();
    const next = { ...upTo(world.db, written.position), restarted: true };
    const rest = await world.thread.cut(next);
    assertCut(rest);
    image.apply(rest);
    image.assertEquals(world.now());
    image.close();
    await world.close();
  });

  it("keeps the log from starting over until it is released, unless all of it is in the database", async () => {
    const world = new World();
    world.commit(10);
    const { salt1 } = await world.thread.pin();
    for (let times = 0; times < 20; times += 1) {
      world.checkpoint();
      world.commit();
    }
    assert.equal(salt1Of(world.db.name), salt1);
    await world.thread.release();
    world.checkpoint();
    world.commit(3);
    assert.equal(salt1Of(world.db.name), salt1 + 1);
    await world.close();
  });

  it("of a database without a log is what is in the database", async () => {
    const world = new World();
    world.commit(10);
    world.db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    assert.equal(fs.statSync(`${world.db.name}-wal`).size, 0);
    const { frame } = await world.thread.pin();
    assert.equal(frame, 0);
    const expected = fs.readFileSync(world.db.name);
    world.commit(10);
    const image = await world.read(await world.thread.write(world.request()));
    image.assertEquals(expected);
    image.close();
    await world.close();
  });

  it("is given up when the threads are closed, and leaves no file", async () => {
    const world = new World();
    world.db.exec("INSERT INTO t (id, body) VALUES (-1, randomblob(60000000))");
    await world.thread.pin();
    const writing = assert.rejects(world.thread.write(world.request()), /closed/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await world.thread.close();
    await writing;
    assert.equal(fs.existsSync(world.request().file), false);
    world.checkpoint();
    assert.equal(progressOf(world.db).frames, progressOf(world.db).checkpointed, "nobody reads");
    await world.close();
  });
});

function endOf(world: World): { frame: number; salt1: number } {
  return { frame: progressOf(world.db).frames, salt1: salt1Of(world.db.name) };
}
