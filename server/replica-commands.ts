/** `holdfast restore`: a data directory out of the bucket, without a server. */
import fs from "node:fs";
import path from "node:path";
import { Command, Option } from "commander";
import { afterTimeout } from "./base/timer.ts";
import { ConfigError } from "./config-error.ts";
import { bucketFrom } from "./replica-config.ts";
import { bucketOptions, type BucketFlags } from "./replica-options.ts";
import { openBucket } from "./replica/open-bucket.ts";
import { restore } from "./replica/restore.ts";
import { RetryingBucket } from "./replica/retrying-bucket.ts";
import { DATABASE_FILE, holdDirectory } from "./store/data-directory.ts";
import { inspectRestored } from "./store/restored-database.ts";

/** With growing delays: about a minute. */
const ATTEMPTS_MAX = 10;
const PROGRESS_MS = 1000;
const MIB = 1024 * 1024;

interface RestoreFlags extends BucketFlags {
  readonly data: string;
}

export function restoreCommand(): Command {
  const command = new Command("restore")
    .description(
      "Make a data directory out of the bucket: the newest state, verified. `serve --bucket` does it by itself where --data is empty.",
    )
    .addOption(
      new Option("--data <directory>", "the directory to make; empty, or not there")
        .env("HOLDFAST_DATA")
        .default("./data"),
    )
    .addHelpText("after", HELP_AFTER);
  for (const each of bucketOptions()) command.addOption(each);
  return command.action((flags: RestoreFlags) => run(flags));
}

async function run(flags: RestoreFlags): Promise<void> {
  const { bucket: url, data } = flags;
  if (url === undefined) throw new ConfigError("--bucket is missing: where is the replica?");
  const { location, ...access } = bucketFrom({ ...flags, bucket: url });
  const lock = holdDirectory(data);
  const bucket = new RetryingBucket(await openBucket(location, access), {
    attemptsMax: ATTEMPTS_MAX,
    after: afterTimeout,
    random: Math.random,
    onTrouble: (error) => process.stderr.write(`holdfast: ${error.message}\n`),
  });
  try {
    if (fs.existsSync(path.join(data, DATABASE_FILE))) {
      throw new ConfigError(`${data} holds a journal already: give --data another directory`);
    }
    const beganMs = performance.now();
    const onProgress = progress(beganMs);
    const restored = await restore({
      bucket,
      directory: data,
      inspect: inspectRestored,
      onProgress,
    });
    if (restored.kind === "empty") throw new Error(`${bucket.url} holds nothing to restore`);
    const { seq, timeMs, segments, blobs, bytes } = restored;
    const at = new Date(timeMs).toISOString();
    process.stdout.write(
      `${data} is the state after segment ${seq} of ${at}: a snapshot, ${segments} segments and ${blobs} large payloads, ` +
        `${mib(bytes)} in ${seconds(beganMs)} s\n`,
    );
  } finally {
    bucket.close();
    lock.release();
  }
}

/** A line a second: bytes so far, and how fast. */
function progress(beganMs: number): (bytes: number, what: string) => void {
  let saidMs = beganMs;
  return (bytes, what) => {
    const nowMs = performance.now();
    if (nowMs - saidMs < PROGRESS_MS) return;
    saidMs = nowMs;
    const rate = mib((bytes * 1000) / (nowMs - beganMs));
    process.stderr.write(`${mib(bytes)}, ${rate}/s: ${what}\n`);
  };
}

const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;
const seconds = (beganMs: number): string => ((performance.now() - beganMs) / 1000).toFixed(1);

const HELP_AFTER = `
Exit codes: 0 restored, 1 the bucket or what is in it failed, 2 bad command line.

Examples:
  holdfast restore --bucket s3://journal/production --data ./restored
  holdfast restore --bucket file:///backup/holdfast --data ./restored`;
