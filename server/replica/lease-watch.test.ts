import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { type Lease, leaseOf } from "./lease.ts";
import { LeaseWatch } from "./lease-watch.ts";

const LEASE_MS = 9000;
const POLL_MS = 1000;

describe("a watched lease", () => {
  let watch: LeaseWatch;
  let nowMs: number;
  let lease: Lease;

  beforeEach(() => {
    watch = new LeaseWatch();
    nowMs = 1_000_000;
    const writer = { epoch: 1, writerId: new Uint8Array(16), host: "a" };
    lease = leaseOf(writer, { leaseMs: LEASE_MS, beat: 1, segment: 1, ended: false });
  });

  const beat = (): void => void (lease = { ...lease, beat: lease.beat + 1 });
  const read = (tookMs = 0): void => {
    watch.saw(lease, nowMs, nowMs + tookMs);
    nowMs += tookMs;
  };
  /** Reads again and again; returns after how long it had lapsed, or null. */
  const readFor = (durationMs: number, pollMs = POLL_MS, tookMs = 0): number | null => {
    const beganMs = nowMs;
    while (nowMs - beganMs < durationMs) {
      nowMs += pollMs;
      read(tookMs);
      if (watch.state === "lapsed") return nowMs - beganMs;
    }
    return null;
  };

  it("lapses when there is no beat for as long as it says, and not before", () => {
    read();
    assert.equal(watch.state, "live");
    assert.equal(watch.leftMs, LEASE_MS);
    assert.equal(readFor(LEASE_MS - POLL_MS), null);
    assert.equal(watch.leftMs, POLL_MS);
    assert.equal(readFor(60_000), POLL_MS);
    assert.equal(watch.silentMs, LEASE_MS);
    assert.equal(watch.leftMs, null);
  });

  it("lives with beats that are slow", () => {
    read();
    for (let count = 0; count < 10; count += 1) {
      assert.equal(readFor(LEASE_MS - POLL_MS), null);
      beat();
      assert.equal(readFor(POLL_MS), null);
    }
  });

  it("takes any other beat for a sign of life: a writer that began anew counts from the start", () => {
    lease = { ...lease, beat: 100 };
    read();
    readFor(LEASE_MS - POLL_MS);
    lease = { ...lease, beat: 1 };
    read();
    assert.equal(watch.silentMs, 0);
  });

  it("does not count while the bucket cannot be read, nor what came before", () => {
    read();
    assert.equal(readFor(LEASE_MS - POLL_MS), null);
    for (let count = 0; count < 100; count += 1) {
      nowMs += POLL_MS;
      watch.missed();
    }
    assert.equal(watch.state, "live");
    read();
    assert.equal(watch.silentMs, 0);
    // The writer has a whole lease to come back.
    assert.equal(readFor(60_000), LEASE_MS);
  });

  it("does not count the time that reads take", () => {
    read();
    assert.equal(readFor(LEASE_MS, POLL_MS, 2 * POLL_MS), null);
    assert.equal(watch.silentMs, LEASE_MS / 3);
  });

  it("counts little of what a standby slept through: its writer may have slept, too", () => {
    read();
    nowMs += 24 * 60 * 60 * 1000;
    read();
    assert.equal(watch.state, "live");
    assert.equal(watch.silentMs, LEASE_MS / 2);
  });

  it("counts nothing when the clock seems to go back", () => {
    read();
    readFor(POLL_MS * 2);
    watch.saw(lease, nowMs - 50_000, nowMs - 50_000);
    assert.equal(watch.silentMs, POLL_MS * 2);
  });

  it("is over at once when its writer has ended it", () => {
    read();
    lease = { ...lease, beat: 2, ended: true };
    read();
    assert.equal(watch.state, "ended");
    watch.missed();
    assert.equal(watch.state, "ended");
    watch.alive();
    assert.equal(watch.state, "ended");
  });

  it("begins anew with what the history says: it goes on, or another writes it", () => {
    read();
    assert.notEqual(readFor(60_000), null);
    watch.alive();
    assert.equal(watch.state, "live");
    assert.equal(readFor(60_000), LEASE_MS);
    watch.changed();
    assert.equal(watch.state, "unknown");
    assert.equal(watch.lease, null);
    // The same number of the beat, by another.
    lease = { ...lease, epoch: 2 };
    read();
    assert.equal(watch.silentMs, 0);
    assert.equal(watch.state, "live");
  });

  it("that is not there never lapses", () => {
    for (let count = 0; count < 100; count += 1) {
      nowMs += POLL_MS;
      watch.saw(null, nowMs, nowMs);
      assert.equal(watch.state, "none");
    }
    assert.equal(watch.leftMs, null);
    read();
    assert.equal(watch.state, "live");
    assert.equal(watch.silentMs, 0);
  });

  it("takes over the length that the writer says", () => {
    read();
    readFor(LEASE_MS - POLL_MS);
    beat();
    lease = { ...lease, leaseMs: 2 * LEASE_MS };
    read();
    assert.equal(readFor(60_000), 2 * LEASE_MS);
  });
});
