import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Sweep } from "./sweep.ts";

/** Timers that the test fires. */
class Timers {
  readonly armed: { delayMs: number; fn: () => void }[] = [];

  readonly after = (delayMs: number, fn: () => void): (() => void) => {
    const timer = { delayMs, fn };
    this.armed.push(timer);
    return () => void this.armed.splice(this.armed.indexOf(timer), 1);
  };

  get delays(): number[] {
    return this.armed.map(({ delayMs }) => delayMs);
  }

  fire(): void {
    this.armed.shift()?.fn();
  }
}

describe("the sweep", () => {
  it("looks every eighth of the shortest timeout, within bounds", () => {
    for (const [timeoutMs, delayMs] of [
      [800, 100],
      [1, 20],
      [0, 20],
      [600_000, 1000],
      [Infinity, 1000],
    ] as const) {
      const timers = new Timers();
      new Sweep(() => Infinity, timers.after).cover(timeoutMs);
      assert.deepEqual(timers.delays, [delayMs]);
    }
  });

  it("has one timer, the one that is needed most", () => {
    const timers = new Timers();
    const sweep = new Sweep(() => 4000, timers.after);
    sweep.cover(4000);
    sweep.cover(8000);
    assert.deepEqual(timers.delays, [500]);
    sweep.cover(800);
    assert.deepEqual(timers.delays, [100]);
    timers.fire();
    assert.deepEqual(timers.delays, [500]);
    sweep.stop();
    assert.deepEqual(timers.delays, []);
  });

  it("rests when nothing is left to look at", () => {
    const timers = new Timers();
    const sweep = new Sweep(() => Infinity, timers.after);
    sweep.cover(800);
    timers.fire();
    assert.deepEqual(timers.delays, []);
    sweep.cover(1600);
    assert.deepEqual(timers.delays, [200]);
  });
});
