import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { systemClock } from "../base/clock.ts";
import { PIECE_MS_MAX, WallTimerQueue } from "./timer-queue.ts";

/** A world whose time passes when told, with the event loop's timers in it. */
class World {
  nowMs = 1_000_000;
  /** What the event loop's clock shows: it does not see the wall clock being set. */
  loopMs = 0;
  readonly fired: number[] = [];
  readonly delays: number[] = [];
  #timers: { readonly atLoopMs: number; readonly fn: () => void }[] = [];

  readonly queue = new WallTimerQueue({
    door: {
      submit: (input) => {
        assert.deepEqual(input, { type: "timers-due" });
        this.fired.push(this.nowMs);
      },
    },
    clock: { nowMs: () => this.nowMs },
    after: (delayMs, fn) => {
      this.delays.push(delayMs);
      const timer = { atLoopMs: this.loopMs + delayMs, fn };
      this.#timers.push(timer);
      return () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      };
    },
  });

  get pending(): number {
    return this.#timers.length;
  }

  arm(dueMs: number): void {
    this.queue.arm({ type: "arm-timer", dueMs });
  }

  /** Lets time pass up to the next timer, or by so much when there is none before. */
  pass(ms: number): void {
    const untilLoopMs = this.loopMs + ms;
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atLoopMs - b.atLoopMs)[0];
      const reached = Math.min(next?.atLoopMs ?? untilLoopMs, untilLoopMs);
      this.nowMs += reached - this.loopMs;
      this.loopMs = reached;
      if (next === undefined || next.atLoopMs > untilLoopMs) return;
      this.#timers = this.#timers.filter((other) => other !== next);
      next.fn();
    }
  }
}

test("a due time is reported when it comes, once", () => {
  const world = new World();
  world.arm(world.nowMs + 500);
  world.pass(499);
  assert.deepEqual(world.fired, []);
  world.pass(10_000);
  assert.deepEqual(world.fired, [1_000_500]);
  assert.equal(world.pending, 0);
});

test("a due time that has passed is reported at once", () => {
  const world = new World();
  world.arm(world.nowMs);
  world.arm(world.nowMs - 1000);
  assert.equal(world.fired.length, 2);
});

test("only the earliest counts: the machine names the next when that is over", () => {
  const world = new World();
  for (const afterMs of [700, 300, 500]) world.arm(1_000_000 + afterMs);
  assert.equal(world.pending, 1);
  world.pass(10_000);
  assert.deepEqual(world.fired, [1_000_300]);
  world.arm(world.nowMs + 100);
  world.pass(100);
  assert.equal(world.fired.length, 2);
});

test("a delay beyond the reach of the event loop's timers is waited for in pieces", () => {
  const world = new World();
  const dueMs = world.nowMs + 3 * 2 ** 31;
  world.arm(dueMs);
  world.pass(3 * 2 ** 31 - 1);
  assert.deepEqual(world.fired, []);
  world.pass(1);
  assert.deepEqual(world.fired, [dueMs]);
  assert.ok(world.delays.every((delayMs) => delayMs > 0 && delayMs <= PIECE_MS_MAX));
});

test("a timer of the event loop that is early is waited for again", () => {
  const world = new World();
  world.arm(world.nowMs + 100);
  world.nowMs -= 1;
  world.pass(100);
  assert.deepEqual(world.fired, []);
  world.pass(1);
  assert.deepEqual(world.fired, [1_000_100]);
});

test("a wall clock that is set forward is noticed soon, one set back delays", () => {
  const world = new World();
  const dueMs = world.nowMs + 3_600_000;
  world.arm(dueMs);
  world.nowMs += 3_600_000;
  world.pass(PIECE_MS_MAX);
  assert.equal(world.fired.length, 1);

  world.arm(world.nowMs + 1000);
  world.nowMs -= 50_000;
  world.pass(50_999);
  assert.equal(world.fired.length, 1);
  world.pass(1);
  assert.equal(world.fired.length, 2);
});

test("a stopped queue reports nothing and holds no timer", () => {
  const world = new World();
  world.arm(world.nowMs + 100);
  world.queue.stop();
  assert.equal(world.pending, 0);
  world.arm(world.nowMs - 1);
  world.pass(1000);
  assert.deepEqual(world.fired, []);
});

test("whatever is armed, reports are never early and the earliest due time is never missed", () => {
  const step = fc.record({
    armAfterMs: fc.integer({ min: -100, max: 200_000 }),
    passMs: fc.nat(150_000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const world = new World();
      let due: number[] = [];
      for (const { armAfterMs, passMs } of steps) {
        const before = world.fired.length;
        const dueMs = world.nowMs + armAfterMs;
        due.push(dueMs);
        world.arm(dueMs);
        world.pass(passMs);
        const earliestMs = Math.min(...due);
        const fired = world.fired.slice(before);
        assert.equal(fired.length > 0, earliestMs <= world.nowMs);
        assert.ok(fired.every((atMs) => atMs >= earliestMs));
        // As the machine does: what is due is taken, the next one is named.
        if (fired.length > 0) due = due.filter((each) => each > world.nowMs);
        if (fired.length > 0 && due.length > 0) world.arm(Math.min(...due));
      }
    }),
  );
});

test("on the real event loop a due time is reported on time", async () => {
  const started = systemClock.nowMs();
  const firedMs = await new Promise<number>((resolve) => {
    const door = { submit: (): void => resolve(systemClock.nowMs()) };
    new WallTimerQueue({ door, clock: systemClock }).arm({
      type: "arm-timer",
      dueMs: started + 40,
    });
    // The queue's own timer does not keep the process alive.
    setTimeout(() => resolve(Number.POSITIVE_INFINITY), 10_000).unref();
    setTimeout(() => {}, 1000);
  });
  assert.ok(firedMs >= started + 40 && firedMs < started + 5000, `${firedMs - started}`);
});
