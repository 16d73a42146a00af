/** The bucket of a command that runs once: passing failures are tried again for half a minute, and said. */
import type { Command } from "commander";
import { ConfigError } from "./config-error.ts";
import { bucketFrom } from "./replica-config.ts";
import { type BucketFlags, bucketOptions } from "./replica-options.ts";
import type { Bucket } from "./replica/bucket.ts";
import { openBucket } from "./replica/open-bucket.ts";
import { RetryingBucket } from "./replica/retrying-bucket.ts";

/** With growing delays: half a minute. */
const ATTEMPTS_MAX = 10;

export function withBucketOptions(command: Command): Command {
  for (const each of bucketOptions()) command.addOption(each);
  return command;
}

/** Throws `ConfigError` where the flags do not say which. */
export async function useBucket<T>(
  flags: BucketFlags,
  say: (text: string) => void,
  use: (bucket: Bucket) => Promise<T>,
): Promise<T> {
  const { bucket: url } = flags;
  if (url === undefined || url === "")
    throw new ConfigError("--bucket (HOLDFAST_BUCKET) is missing: where is the replica?");
  const { location, ...access } = bucketFrom({ ...flags, bucket: url });
  const bucket = new RetryingBucket(await openBucket(location, access), {
    attemptsMax: ATTEMPTS_MAX,
    after: (ms, fn) => {
      const timer = setTimeout(fn, ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    onTrouble: ({ message, isTransient }) => {
      // What does not pass ends the command, and is said then.
      if (isTransient) say(`holdfast: ${message}; trying again\n`);
    },
  });
  try {
    return await use(bucket);
  } finally {
    bucket.close();
  }
}
