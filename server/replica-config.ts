/** The settings of the replica as one checked value. */
import { ConfigError } from "./config-error.ts";
import { type BucketLocation, parseBucketUrl } from "./replica/open-bucket.ts";
import type { BucketFlags } from "./replica-options.ts";

export interface BucketConfig {
  readonly location: BucketLocation;
  readonly endpoint: string | null;
  readonly region: string | null;
  readonly pathStyle: boolean;
}

export interface ReplicaConfig {
  readonly bucket: BucketConfig;
  readonly segmentIntervalMs: number;
  readonly segmentBytes: number;
  readonly snapshotIntervalMs: number;
  readonly snapshotSegments: number;
  readonly restoreRetentionMs: number;
  readonly restoreSnapshots: number;
  readonly unshippedBytesMax: number;
  readonly rollBack: boolean;
  /** Follow the history, and take over when the writer's lease lapses. */
  readonly standby: boolean;
  /** After so long without a beat a standby takes over; null: none does. */
  readonly leaseMs: number | null;
}

/** As commander names them. */
export interface ReplicaFlags extends BucketFlags {
  readonly durability: "disk" | "bucket" | "none";
  readonly segmentInterval: number;
  readonly segmentSize: number;
  readonly snapshotInterval: number;
  readonly snapshotSegments: number;
  readonly restoreRetention: number;
  readonly restoreSnapshots: number;
  readonly maxUnshipped: number;
  readonly rollBack: boolean;
  readonly standby: boolean;
  readonly lease?: number;
}

const LEASE_MS = 10_000;

/** Throws `ConfigError`. */
export function replicaFrom(flags: ReplicaFlags): ReplicaConfig | null {
  const { durability, rollBack, standby, lease } = flags;
  if (flags.bucket === undefined || flags.bucket === "") {
    if (durability === "bucket") throw new ConfigError("--durability bucket needs --bucket");
    if (rollBack) throw new ConfigError("--roll-back needs --bucket: there is no replica");
    if (standby) throw new ConfigError("--standby needs --bucket: there is no replica to follow");
    if (lease !== undefined) throw new ConfigError("--lease needs --bucket: it is kept there");
    return null;
  }
  if (durability === "none") {
    throw new ConfigError(
      "--durability none cannot be replicated: leave out --bucket, or use disk or bucket",
    );
  }
  if (standby && rollBack) {
    throw new ConfigError(
      "--standby and --roll-back exclude each other: a standby never gives up what came later",
    );
  }
  return {
    bucket: bucketFrom({ ...flags, bucket: flags.bucket }),
    segmentIntervalMs: flags.segmentInterval,
    segmentBytes: flags.segmentSize,
    snapshotIntervalMs: flags.snapshotInterval,
    snapshotSegments: flags.snapshotSegments,
    restoreRetentionMs: flags.restoreRetention,
    restoreSnapshots: flags.restoreSnapshots,
    unshippedBytesMax: flags.maxUnshipped,
    rollBack,
    standby,
    leaseMs: lease ?? (standby ? LEASE_MS : null),
  };
}

/** Throws `ConfigError` where the address is none. */
export function bucketFrom(flags: BucketFlags & { readonly bucket: string }): BucketConfig {
  const { bucketEndpoint, bucketRegion, bucketPathStyle } = flags;
  try {
    return {
      location: parseBucketUrl(flags.bucket),
      endpoint: bucketEndpoint ?? null,
      region: bucketRegion ?? null,
      pathStyle: bucketPathStyle,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`--bucket cannot be used: ${why}`);
  }
}
