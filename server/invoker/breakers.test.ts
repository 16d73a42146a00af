import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { silentLog } from "../base/log.ts";
import { Breakers } from "./breakers.ts";
import type { WaitingStart } from "./waiting-starts.ts";

/** A breaker over a clock that the test moves, and a runner that begins what is let go. */
class World {
  nowMs = 0;
  readonly released: WaitingStart[] = [];
  dropped = 0;
  #timers: { dueMs: number; fn: () => void }[] = [];
  /** What becomes of a start that is let go. */
  onRelease: (start: WaitingStart) => void = () => {};
  readonly breakers = new Breakers({
    after: (delayMs, fn) => {
      const timer = { dueMs: this.nowMs + delayMs, fn };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((each) => each !== timer);
      };
    },
    log: silentLog,
    onRelease: (start) => {
      this.released.push(start);
      this.onRelease(start);
    },
    onDropped: () => {
      this.dropped += 1;
    },
  });

  get timers(): number {
    return this.#timers.length;
  }

  pass(delayMs: number): void {
    this.nowMs += delayMs;
    const due = this.#timers.filter(({ dueMs }) => dueMs <= this.nowMs);
    this.#timers = this.#timers.filter(({ dueMs }) => dueMs > this.nowMs);
    for (const { fn } of due) fn();
  }

  /** So many attempts get no response. */
  fail(deploymentId: string, count: number): void {
    for (let index = 0; index < count; index += 1) this.breakers.unreachable(deploymentId, {});
  }

  hold(...seqs: number[]): void {
    for (const seq of seqs) this.breakers.hold("a", { seq, epoch: 0, knownEntries: 1 });
  }

  get seqs(): number[] {
    return this.released.map(({ seq }) => seq);
  }
}

describe("a deployment that cannot be reached", () => {
  it("is left alone only after ten failures in a row, and the others never", () => {
    const world = new World();
    world.fail("a", 9);
    assert(world.breakers.admits("a"));
    world.breakers.answered("a");
    world.fail("a", 9);
    assert(world.breakers.admits("a"));
    world.fail("a", 1);
    assert(!world.breakers.admits("a"));
    assert(world.breakers.admits("b"));
  });

  it("is tried by one attempt at a time, ever more rarely", () => {
    const world = new World();
    const probes: { seq: number; atMs: number }[] = [];
    world.onRelease = ({ seq }) => {
      assert(world.breakers.admits("a"));
      const attempt = {};
      world.breakers.began("a", attempt);
      assert(!world.breakers.admits("a"));
      probes.push({ seq, atMs: world.nowMs });
      world.breakers.unreachable("a", attempt);
      world.breakers.released("a", attempt);
    };
    world.fail("a", 500);
    world.hold(1, 2, 3, 4, 5, 6, 7);
    for (let step = 0; step < 200; step += 1) world.pass(50);
    assert.deepEqual(
      probes.map(({ seq }) => seq),
      [1, 2, 3, 4, 5, 6, 7],
    );
    const waits = probes.map(({ atMs }, index) => atMs - (probes[index - 1]?.atMs ?? 0));
    assert.deepEqual(waits, [100, 200, 400, 800, 1600, 2000, 2000]);
  });

  it("gets all of them back once it answers", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(1, 2, 3);
    assert.equal(world.breakers.held, 3);
    world.onRelease = () => world.breakers.began("a", {});
    world.pass(100);
    assert.deepEqual(world.seqs, [1]);
    world.breakers.answered("a");
    assert.deepEqual(world.seqs, [1, 2, 3]);
    assert.deepEqual([world.breakers.held, world.timers, world.dropped], [0, 0, 0]);
    assert(world.breakers.admits("a"));
  });

  it("is tried again when its probe was taken back or has moved on", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(1, 2, 3);
    const probe = {};
    world.onRelease = ({ seq }) => {
      // Nothing comes of the first.
      if (seq > 1) world.breakers.began("a", probe);
    };
    world.pass(100);
    assert.deepEqual(world.seqs, [1, 2]);
    world.pass(10_000);
    assert.deepEqual(world.seqs, [1, 2], "one at a time");
    world.breakers.released("a", probe);
    world.pass(100);
    assert.deepEqual(world.seqs, [1, 2, 3]);
  });

  it("lets all go at once that run elsewhere now", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(1, 2, 3);
    world.pass(100);
    assert.deepEqual([world.seqs, world.breakers.held], [[1, 2, 3], 0]);
  });

  it("is not put off by the end of attempts that were under way", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(1);
    world.pass(60);
    world.fail("a", 100);
    world.breakers.released("a", {});
    world.pass(40);
    assert.deepEqual(world.seqs, [1]);
  });

  it("keeps the newest start of an invocation, with what has become durable", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(1);
    world.breakers.hold("a", { seq: 1, epoch: 2, knownEntries: 4 });
    world.breakers.raise(1, 0, 9);
    assert.equal(world.breakers.held, 1);
    world.breakers.raise(1, 2, 6);
    world.breakers.raise(1, 2, 5);
    world.breakers.answered("a");
    assert.deepEqual(world.released, [{ seq: 1, epoch: 2, knownEntries: 6 }]);
  });

  it("keeps no more than a bound, and asks for the rest when it answers", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(...Array.from({ length: 1500 }, (_, index) => index));
    assert.equal(world.breakers.held, 1000);
    world.breakers.answered("a");
    assert.deepEqual([world.released.length, world.dropped], [1000, 1]);
  });

  it("asks for those it could not keep also when nothing is left that it kept", () => {
    const world = new World();
    world.fail("a", 10);
    world.hold(...Array.from({ length: 1001 }, (_, index) => index));
    world.pass(100);
    assert.deepEqual([world.released.length, world.dropped, world.breakers.held], [1000, 1, 0]);
  });

  it("leaves no timer behind when it is stopped", () => {
    const world = new World();
    world.fail("a", 10);
    world.fail("b", 10);
    world.hold(1);
    world.breakers.stop();
    assert.deepEqual([world.timers, world.breakers.held], [0, 0]);
  });
});
