import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StorageError } from "../base/storage-error.ts";
import { Barrier, type BarrierDone } from "./barrier.ts";

/** A barrier over a sync that ends when the test says so. */
class World {
  readonly syncs: BarrierDone[] = [];
  readonly failures: StorageError[] = [];
  readonly calls: string[] = [];
  readonly barrier = new Barrier(
    (done) => this.syncs.push(done),
    (error) => this.failures.push(error),
  );

  wait(label: string): void {
    this.barrier.wait((error) => this.calls.push(error === null ? label : `${label}: failed`));
  }

  commit(label: string): void {
    this.barrier.committed();
    this.wait(label);
  }

  /** Ends the sync number `index`; each once. */
  end(index: number, error: Error | null = null): void {
    this.syncs[index]?.(error);
  }
}

const microtasks = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("the barrier", () => {
  it("knows whether all that was committed is durable", () => {
    const world = new World();
    assert(world.barrier.isDurable);
    world.commit("a");
    world.barrier.committed();
    assert(!world.barrier.isDurable);
    world.end(0);
    assert(!world.barrier.isDurable, "the second commit came after the sync began");
    world.wait("b");
    world.end(1);
    assert(world.barrier.isDurable);
  });

  it("does not sync when there is nothing to sync, and still calls back later", async () => {
    const world = new World();
    world.wait("a");
    world.wait("b");
    assert.deepEqual(world.calls, []);
    await microtasks();
    assert.deepEqual(world.calls, ["a", "b"]);
    assert.equal(world.syncs.length, 0);
  });

  it("begins a sync at once, and lets those who come meanwhile share the next", () => {
    const world = new World();
    world.commit("a");
    assert.equal(world.syncs.length, 1);
    for (let index = 0; index < 100; index++) world.commit(`b${index}`);
    assert.equal(world.syncs.length, 1);
    world.end(0);
    assert.deepEqual(world.calls, ["a"]);
    assert.equal(world.syncs.length, 2);
    world.end(1);
    assert.equal(world.calls.length, 101);
    assert.equal(world.syncs.length, 2);
  });

  it("lets one who committed nothing since join the sync under way", () => {
    const world = new World();
    world.commit("a");
    world.wait("reader");
    world.end(0);
    assert.deepEqual(world.calls, ["a", "reader"]);
    assert.equal(world.syncs.length, 1);
  });

  it("covers a commit that asked for no barrier", () => {
    const world = new World();
    world.barrier.committed();
    world.wait("later");
    assert.equal(world.syncs.length, 1);
    world.end(0);
    assert.deepEqual(world.calls, ["later"]);
  });

  it("answers in order, also those who ask from within an answer", async () => {
    const world = new World();
    world.barrier.committed();
    world.barrier.wait(() => {
      world.calls.push("first");
      world.wait("from within");
    });
    world.wait("second");
    world.end(0);
    await microtasks();
    assert.deepEqual(world.calls, ["first", "second", "from within"]);
    world.commit("after");
    world.end(1);
    assert.equal(world.calls.at(-1), "after");
  });

  it("fails all who wait and all who come later after one failed sync, and never tries again", async () => {
    const world = new World();
    world.commit("a");
    world.commit("b");
    world.end(0, new Error("EIO: i/o error, fdatasync"));
    await microtasks();
    assert.deepEqual(world.calls, ["a: failed", "b: failed"]);
    world.commit("c");
    await microtasks();
    assert.deepEqual(world.calls.slice(2), ["c: failed"]);
    assert.equal(world.syncs.length, 1);
    assert.equal(world.failures.length, 1);
    assert.match(world.failures[0]?.message ?? "", /EIO/);
  });

  it("fails when told that the medium failed, after the sync under way", async () => {
    const world = new World();
    world.commit("a");
    world.barrier.fail(new StorageError("disk full"));
    assert.deepEqual(world.calls, []);
    world.end(0);
    await microtasks();
    assert.deepEqual(world.calls, ["a: failed"]);
  });

  it("keeps no one waiting for the defect of another", async () => {
    const world = new World();
    const defects: unknown[] = [];
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.once("uncaughtException", (error) => defects.push(error.message));
    world.barrier.committed();
    world.barrier.wait(() => {
      throw new Error("a defect");
    });
    world.wait("other");
    world.end(0);
    await microtasks();
    for (const listener of before) process.on("uncaughtException", listener);
    assert.deepEqual(world.calls, ["other"]);
    assert.deepEqual(defects, ["a defect"]);
  });
});
