/** How far the bucket is behind, what was shipped, and what went wrong on the way. */
import { Gauge, Histogram, type Registry } from "prom-client";
import { secondsOf } from "./seconds.ts";
import { registerSum, registerSums, type Sum } from "./sums.ts";

/** Asked at each scrape. */
export interface ReplicaSources {
  readonly epoch: number;
  readonly acceptedSeq: number;
  readonly unshippedBytes: number;
  /** How long the oldest commit that is not in the bucket has waited; 0: all are. */
  readonly lagMs: number;
  /** Of the last snapshot of this process; null: none yet. */
  readonly snapshotAgeMs: number | null;
  /** Failures of the bucket by kind. */
  readonly failures: ReadonlyMap<string, number>;
}

/** A PUT to object storage takes milliseconds to seconds. */
const PUT_BUCKETS_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

export class ReplicaMetrics {
  readonly #segments: Sum;
  readonly #bytes: Sum;
  readonly #puts: Histogram;

  constructor(registry: Registry, read: () => ReplicaSources) {
    this.#segments = registerSum(registry, {
      name: "holdfast_replica_segments_total",
      help: "Segments that the bucket accepted.",
    });
    this.#bytes = registerSum(registry, {
      name: "holdfast_replica_segment_bytes_total",
      help: "Their bytes.",
    });
    this.#puts = new Histogram({
      name: "holdfast_replica_segment_put_seconds",
      help: "From the first try of a segment until it was accepted.",
      buckets: PUT_BUCKETS_SECONDS,
      registers: [registry],
    });
    const errors = {
      name: "holdfast_replica_bucket_errors_total",
      help: "Failed operations of the bucket by kind; most are tried again.",
      labelNames: ["kind"],
    };
    registerSums(registry, errors, () =>
      [...read().failures].map(([kind, value]) => ({ labels: { kind }, value })),
    );
    registerGauges(registry, read);
  }

  put(durationMs: number, bytes: number): void {
    this.#segments.value += 1;
    this.#bytes.value += bytes;
    this.#puts.observe(secondsOf(durationMs));
  }
}

function registerGauges(registry: Registry, read: () => ReplicaSources): void {
  const gauge = (name: string, help: string, value: (sources: ReplicaSources) => number): void => {
    const made: Gauge = new Gauge({
      name: `holdfast_replica_${name}`,
      help,
      registers: [registry],
      collect: () => made.set(value(read())),
    });
  };
  gauge("epoch", "Of this writer.", ({ epoch }) => epoch);
  gauge("accepted_segment", "Number of the newest accepted segment.", (now) => now.acceptedSeq);
  gauge("unshipped_bytes", "Of the log, not accepted yet.", (now) => now.unshippedBytes);
  gauge("lag_seconds", "How long the oldest commit that is not in the bucket has waited.", (now) =>
    secondsOf(now.lagMs),
  );
  gauge("snapshot_age_seconds", "Since the last snapshot; -1: none by this process.", (now) =>
    now.snapshotAgeMs === null ? -1 : secondsOf(now.snapshotAgeMs),
  );
}
