/** The settings of the replica: those that say where it is, which every command that reads it has, and those of the server. */
import { Option } from "commander";
import { MIB, parseCount, parseHttpUrl, parseInterval, parseSize } from "./config-values.ts";

function option(flags: string, env: string, description: string): Option {
  return new Option(flags, description).env(`HOLDFAST_${env}`);
}

/** Where the replica is. Credentials come from where the AWS SDK finds them: environment, profile, instance. */
export const bucketOptions = (): readonly Option[] => [
  option(
    "--bucket <url>",
    "BUCKET",
    "where the replica is: s3://name/prefix, or file:///directory for development",
  ),
  option(
    "--bucket-endpoint <url>",
    "BUCKET_ENDPOINT",
    "an S3-compatible store other than AWS",
  ).argParser(parseHttpUrl),
  option("--bucket-region <name>", "BUCKET_REGION", "region of the bucket, where AWS needs one"),
  option(
    "--bucket-path-style",
    "BUCKET_PATH_STYLE",
    "address the bucket as a path of the endpoint, not as a host name",
  ).default(false),
];

/** As commander names them. */
export interface BucketFlags {
  readonly bucket?: string;
  readonly bucketEndpoint?: string;
  readonly bucketRegion?: string;
  readonly bucketPathStyle: boolean;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

export const REPLICA_OPTIONS: readonly Option[] = [
  ...bucketOptions(),
  option(
    "--segment-interval <duration>",
    "SEGMENT_INTERVAL",
    "how often changes are shipped to the bucket; what may be lost with the machine under durability disk",
  )
    .argParser(parseInterval)
    .default(1000, "1s"),
  option(
    "--segment-size <size>",
    "SEGMENT_SIZE",
    "changes are shipped before the interval is over once there are so many",
  )
    .argParser(parseSize)
    .default(8 * MIB, "8MiB"),
  option("--snapshot-interval <duration>", "SNAPSHOT_INTERVAL", "how often the whole is stored")
    .argParser(parseInterval)
    .default(HOUR_MS, "1h"),
  option(
    "--snapshot-segments <count>",
    "SNAPSHOT_SEGMENTS",
    "the whole is stored, too, after so many segments",
  )
    .argParser(parseCount)
    .default(3000),
  option("--restore-retention <duration>", "RESTORE_RETENTION", "how far back a restore can go")
    .argParser(parseInterval)
    .default(DAY_MS, "1d"),
  option(
    "--restore-snapshots <count>",
    "RESTORE_SNAPSHOTS",
    "snapshots that are kept at least, whatever their age",
  )
    .argParser(parseCount)
    .default(3),
  option(
    "--max-unshipped <size>",
    "MAX_UNSHIPPED",
    "how far the bucket may fall behind before the log is cut (disk) or commits wait (bucket)",
  )
    .argParser(parseSize)
    .default(1024 * MIB, "1GiB"),
  option(
    "--roll-back",
    "ROLL_BACK",
    "make this directory the newest state of the replica, although another came after it",
  ).default(false),
  option(
    "--standby",
    "STANDBY",
    "follow the replica while another server writes it, and take over when its lease lapses",
  ).default(false),
  option(
    "--lease <duration>",
    "LEASE",
    "a standby takes over after so long without a sign of life; 10s with --standby, else none does",
  ).argParser(parseInterval),
];
