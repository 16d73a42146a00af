import assert from "node:assert/strict";
import path from "node:path";
import { describe, it } from "node:test";
import Database from "better-sqlite3";
import { tempDirectories } from "./temp.suite.ts";
import { WalGuard, type WalProgress } from "./wal-guard.ts";

const directory = tempDirectories();

/** A writer, somebody who checkpoints, and the guard. */
class World {
  readonly db = new Database(path.join(directory(), "some.db"));
  readonly #checkpointer: Database.Database;
  readonly guard: WalGuard;

  constructor() {
    this.db.exec("PRAGMA journal_mode = WAL");
    this.db.exec("PRAGMA wal_autocheckpoint = 0");
    this.db.exec("CREATE TABLE t (x)");
    this.#checkpointer = new Database(this.db.name, { timeout: 0 });
    this.guard = new WalGuard(this.db.name, () => this.progress());
  }

  progress(): WalProgress {
    const row: unknown = this.db.prepare("PRAGMA wal_checkpoint(NOOP)").raw().get();
    assert.ok(Array.isArray(row));
    return { frames: Number(row[1]), checkpointed: Number(row[2]) };
  }

  commit(): void {
    this.db.exec("INSERT INTO t VALUES (1)");
  }

  checkpoint(): WalProgress {
    this.#checkpointer.exec("PRAGMA wal_checkpoint(RESTART)");
    return this.progress();
  }

  close(): void {
    this.guard.close();
    this.#checkpointer.close();
    this.db.close();
  }
}

describe("the guard of a write-ahead log", () => {
  it("lets all of it be copied, and keeps it from starting over", () => {
    const world = new World();
    for (let round = 0; round < 20; round += 1) {
      assert.equal(world.guard.move(), true);
      const { frames, checkpointed } = world.checkpoint();
      assert.equal(checkpointed, frames);
      world.commit();
      assert.ok(world.progress().frames > frames, "the log goes on");
    }
    world.close();
  });

  it("stays where it is while nothing is left to be copied", () => {
    const world = new World();
    world.guard.move();
    world.checkpoint();
    assert.equal(world.guard.move(), true);
    assert.equal(world.guard.move(), true);
    const { frames } = world.progress();
    world.commit();
    assert.ok(world.progress().frames > frames);
    world.close();
  });

  it("lets copies go no further than where it stands", () => {
    const world = new World();
    world.guard.move();
    const { frames } = world.progress();
    world.commit();
    assert.equal(world.checkpoint().checkpointed, frames);
    world.close();
  });

  it("stands nowhere when it comes too late, and says so", () => {
    const world = new World();
    world.checkpoint();
    assert.equal(world.guard.move(), false);
    world.commit();
    assert.equal(world.progress().frames, 1, "the log started over");
    assert.equal(world.guard.move(), true);
    world.close();
  });

  it("lets go", () => {
    const world = new World();
    world.guard.move();
    world.checkpoint();
    world.guard.release();
    world.commit();
    assert.equal(world.progress().frames, 1);
    world.close();
  });
});
