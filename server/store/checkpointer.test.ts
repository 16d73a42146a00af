import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { StorageError } from "../base/storage-error.ts";
import type { BarrierDone } from "./barrier.ts";
import type { PassResult } from "./checkpoint-worker.ts";
import { Checkpointer } from "./checkpointer.ts";
import { DATABASE_FILE } from "./data-directory.ts";
import { newInvocation, NOW_MS, PAUSED } from "./fixtures.suite.ts";
import { openDatabase } from "./open.ts";
import { SqliteStore } from "./sqlite-store.ts";
import { tempDirectories } from "./temp.suite.ts";

const FRAMES_MAX = 1000;

/** A checkpointer over a log that the test writes and passes that end when the test says so. */
class World {
  frames = 0;
  checkpointed = 0;
  asked: ((error: Error | null, result: PassResult) => void)[] = [];
  syncs: BarrierDone[] = [];
  failures: StorageError[] = [];
  closed = 0;
  readonly checkpointer: Checkpointer;

  constructor(awaitsCopier = false) {
    this.checkpointer = new Checkpointer({
      passes: {
        run: (done) => this.asked.push(done),
        close: async () => {
          this.closed += 1;
        },
      },
      frames: () => this.frames,
      framesMax: FRAMES_MAX,
      syncDatabase: (done) => this.syncs.push(done),
      onFailure: (error) => this.failures.push(error),
      awaitsCopier,
    });
  }

  /** So many commits that it looks at the log. */
  commits(frames: number): void {
    this.frames = frames;
    for (let commit = 0; commit < 8; commit++) this.checkpointer.committed();
  }

  /** The pass asked for ends, having copied what is there now or so much. */
  pass(checkpointed = this.frames, error: Error | null = null): void {
    this.asked.shift()?.(error, { frames: this.frames, checkpointed });
  }

  sync(): void {
    this.syncs.shift()?.(null);
  }

  get held(): boolean {
    return this.checkpointer.gate !== null;
  }
}

describe("the checkpointer", () => {
  it("leaves a short log alone", () => {
    const world = new World();
    world.commits(FRAMES_MAX - 1);
    assert.equal(world.asked.length, 0);
  });

  it("copies while commits go on, and holds them for the little that is left", async () => {
    const world = new World();
    world.commits(FRAMES_MAX);
    assert.equal(world.asked.length, 1);
    assert.equal(world.held, false);
    world.commits(FRAMES_MAX + 100);
    assert.equal(world.asked.length, 1, "one pass at a time");
    world.pass(FRAMES_MAX);
    assert.equal(world.held, false, "the database is synced before");
    world.sync();
    const { gate } = world.checkpointer;
    assert.ok(gate !== null);
    world.pass();
    await gate;
    assert.equal(world.held, false);
  });

  it("passes again while much is left, but not for ever", () => {
    const world = new World();
    world.commits(FRAMES_MAX);
    let passes = 0;
    while (!world.held) {
      passes += 1;
      world.frames += 600;
      world.pass(world.frames - 600);
      world.sync();
    }
    assert.equal(passes, 4);
  });

  it("waits for another length of log where a reader keeps it from starting over", () => {
    const world = new World();
    const checkpoint = () => {
      world.pass(10);
      for (let index = 0; index < 10; index++) {
        world.sync();
        world.pass(10);
      }
      assert.equal(world.held, false);
      assert.equal(world.asked.length, 0);
    };
    world.commits(FRAMES_MAX);
    checkpoint();
    world.commits(2 * FRAMES_MAX - 1);
    assert.equal(world.asked.length, 0);
    world.commits(2 * FRAMES_MAX);
    assert.equal(world.asked.length, 1);
    checkpoint();
    // The log has started over: the first length counts again.
    world.commits(10);
    world.commits(FRAMES_MAX);
    assert.equal(world.asked.length, 1);
  });

  it("opens the gate and says so when a pass fails", async () => {
    const world = new World();
    world.commits(FRAMES_MAX);
    world.pass();
    world.sync();
    const { gate } = world.checkpointer;
    const full = Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" });
    world.pass(0, full);
    await gate;
    assert.equal(world.held, false);
    assert.match(world.failures[0]?.message ?? "", /checkpoint failed.*SQLITE_FULL/);
  });

  it("takes it lightly when another program checkpoints", () => {
    const world = new World();
    world.commits(FRAMES_MAX);
    world.pass(0, Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY" }));
    assert.equal(world.held, false);
    assert.deepEqual(world.failures, []);
  });

  it("closes after the pass under way, and begins no other", async () => {
    const world = new World();
    world.commits(FRAMES_MAX);
    const closing = world.checkpointer.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(world.closed, 0);
    world.pass();
    await closing;
    assert.equal(world.closed, 1);
    world.commits(9 * FRAMES_MAX);
    assert.equal(world.asked.length, 0);
  });
});

describe("the checkpointer of a log that is copied", () => {
  class CopiedWorld extends World {
    guards = 0;
    questions: ((ok: boolean) => void)[] = [];
    startedOver = 0;
    failure: Error | null = null;

    constructor() {
      super(true);
      this.checkpointer.copyTo({
        guard: () => {
          if (this.failure !== null) throw this.failure;
          this.guards += 1;
        },
        mayStartOver: (done) => this.questions.push(done),
        startOver: () => {
          if (this.failure !== null) throw this.failure;
          this.startedOver += 1;
        },
      });
    }

    /** To where it asks whether the log may start over. */
    untilAsked(frames = FRAMES_MAX): void {
      this.commits(frames);
      this.pass();
      this.sync();
      this.pass();
      assert.equal(this.questions.length, 1);
    }

    answer(ok: boolean): void {
      this.questions.shift()?.(ok);
    }
  }

  it("waits for the copier before its first pass", () => {
    const world = new World(true);
    world.commits(9 * FRAMES_MAX);
    assert.equal(world.asked.length, 0);
  });

  it("guards the log from the first moment on, and before every pass", () => {
    const world = new CopiedWorld();
    assert.equal(world.guards, 1);
    world.commits(FRAMES_MAX);
    assert.deepEqual([world.guards, world.asked.length], [2, 1]);
    world.pass();
    world.sync();
    assert.deepEqual([world.guards, world.asked.length, world.held], [3, 1, true]);
  });

  it("asks when all of it is in the database, holding commits, and starts it over at once", async () => {
    const world = new CopiedWorld();
    world.untilAsked();
    const { gate } = world.checkpointer;
    assert.ok(gate !== null);
    assert.equal(world.startedOver, 0);
    world.answer(true);
    assert.deepEqual([world.startedOver, world.held], [1, false]);
    await gate;
  });

  it("goes on with the log where it may not, and asks again another length later", () => {
    const world = new CopiedWorld();
    world.untilAsked();
    world.answer(false);
    assert.deepEqual([world.startedOver, world.held], [0, false]);
    world.commits(2 * FRAMES_MAX - 1);
    assert.equal(world.asked.length, 0);
    world.untilAsked(2 * FRAMES_MAX);
  });

  it("does not ask while a foreign reader is in the way", () => {
    const world = new CopiedWorld();
    world.commits(FRAMES_MAX);
    world.pass();
    world.sync();
    world.pass(FRAMES_MAX - 1);
    assert.deepEqual([world.questions.length, world.held], [0, false]);
  });

  it("says what went wrong with the guard or the start, and opens the gate", () => {
    for (const begin of [() => new CopiedWorld(), startingOver]) {
      const world = begin();
      world.failure = new Error("disk I/O error");
      if (world.questions.length > 0) world.answer(true);
      else world.commits(FRAMES_MAX);
      assert.equal(world.held, false);
      assert.match(world.failures[0]?.message ?? "", /checkpoint failed: disk I\/O error/);
    }

    function startingOver(): CopiedWorld {
      const world = new CopiedWorld();
      world.untilAsked();
      return world;
    }
  });

  it("closes only when it has been answered, and starts nothing over then", async () => {
    const world = new CopiedWorld();
    world.untilAsked();
    const closing = world.checkpointer.close();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(world.closed, 0);
    world.answer(true);
    await closing;
    assert.deepEqual([world.closed, world.startedOver], [1, 0]);
  });
});

describe("the checkpoints of a store", () => {
  const directory = tempDirectories();
  const WAL_BYTES_MAX = 256 * 1024;

  it("keep the log short while a writer goes on that honours the gate", async () => {
    const where = directory();
    const file = path.join(where, DATABASE_FILE);
    const database = openDatabase(where, "disk");
    const store = new SqliteStore(database, { durability: "disk", walBytesMax: WAL_BYTES_MAX });
    const body = new Uint8Array(2000);
    let restarts = 0;
    for (let number = 0; number < 3000; number++) {
      const { commitGate } = store;
      const before = commitGate === null ? null : saltOf(`${file}-wal`);
      await commitGate;
      store.transact((tx) => {
        const made = tx.insertInvocation(newInvocation(number, { state: PAUSED }));
        tx.append(made, MessageType.InputCommand, body, NOW_MS);
      });
      if (before !== null) {
        assert.notEqual(saltOf(`${file}-wal`), before, "the log starts over behind the gate");
        restarts += 1;
      }
      if (number % 16 === 0) await new Promise<void>((resolve) => store.barrier(() => resolve()));
    }
    assert.ok(restarts >= 2, `${restarts} restarts`);
    assert.ok(fs.statSync(file).size > (3000 * body.length) / 4, "it is in the database");
    await store.close();
    assert.equal(fs.existsSync(`${file}-wal`), false, "the last connection leaves no log behind");

    const db = new Database(file, { readonly: true });
    assert.equal(db.prepare("SELECT count(*) FROM journal").pluck().get(), 3000);
    assert.equal(db.pragma("integrity_check", { simple: true }), "ok");
    db.close();
  });

  it("that cannot be made stop the store", async () => {
    const where = directory();
    const database = openDatabase(where, "none");
    const broken = new SqliteStore(database, {
      durability: "none",
      walBytesMax: 4120,
      passes: {
        run: (done) => {
          setImmediate(() => done(new Error("the checkpoint thread ended"), NOTHING));
        },
        close: async () => undefined,
      },
    });
    for (let number = 0; number < 8; number++) {
      broken.transact((tx) => tx.insertInvocation(newInvocation(number)));
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.throws(() => broken.read(() => undefined), /checkpoint failed/);
    await broken.close();
  });
});

/** Differs each time the log starts over. */
function saltOf(walFile: string): string {
  return fs.readFileSync(walFile).toString("hex", 16, 24);
}

const NOTHING: PassResult = { frames: 0, checkpointed: 0 };
