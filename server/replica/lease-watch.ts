/**
 * When a writer is taken for dead: its lease had no new beat for as long as the lease says, counted on the standby's own clock, and only
 * between two reads that the bucket answered. Clocks of machines are never compared.
 */
import type { Lease } from "./lease.ts";

/**
 * - unknown: the bucket has not said yet
 * - none: the writer has no lease, so nobody takes over by itself
 * - live, ended, lapsed: what the writer's lease says
 */
export type LeaseState = "unknown" | "none" | "live" | "ended" | "lapsed";

export class LeaseWatch {
  #lease: Lease | null = null;
  #state: LeaseState = "unknown";
  /** Counted so far without a beat. */
  #silentMs = 0;
  /** When the last read was answered; null: the bucket could not be read since. */
  #readMs: number | null = null;

  get state(): LeaseState {
    return this.#state;
  }

  get lease(): Lease | null {
    return this.#lease;
  }

  get silentMs(): number {
    return Math.round(this.#silentMs);
  }

  /** Until it may lapse; null where it cannot. */
  get leftMs(): number | null {
    if (this.#state !== "live" || this.#lease === null) return null;
    return Math.max(0, this.#lease.leaseMs - this.#silentMs);
  }

  /** The bucket's answer to a read that began and ended then, by a clock that only goes forward. Null: there is no lease. */
  saw(lease: Lease | null, beganMs: number, endedMs: number): void {
    const before = this.#lease;
    const sinceMs = this.#readMs === null ? 0 : beganMs - this.#readMs;
    this.#lease = lease;
    this.#readMs = endedMs;
    if (lease === null) {
      this.#silentMs = 0;
      this.#state = "none";
    } else if (before === null || before.beat !== lease.beat) {
      this.#silentMs = 0;
      this.#state = lease.ended ? "ended" : "live";
    } else if (!lease.ended) {
      // A standby that slept learns of one silence, not of many: its writer may have slept with it.
      this.#silentMs += Math.min(Math.max(0, sinceMs), lease.leaseMs / 2);
      if (this.#silentMs >= lease.leaseMs) this.#state = "lapsed";
    }
  }

  /** The bucket could not be read: maybe the writer could not write it. Counting begins anew. */
  missed(): void {
    this.#readMs = null;
    this.#silentMs = 0;
    if (this.#state === "lapsed") this.#state = "live";
  }

  /** The writer lives: the history went on. */
  alive(): void {
    this.#silentMs = 0;
    if (this.#state === "lapsed") this.#state = "live";
  }

  /** Another writer: nothing is known of it. */
  changed(): void {
    this.#lease = null;
    this.#state = "unknown";
    this.#silentMs = 0;
    this.#readMs = null;
  }
}
