/** Commands on a replica without a server: `holdfast restore`, `holdfast replica verify`, `holdfast replica list`. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Command, Option } from "commander";
import { systemClock } from "./base/clock.ts";
import { useBucket, withBucketOptions } from "./command-bucket.ts";
import { demandEmpty } from "./empty-directory.ts";
import { type Advance, ProgressLine } from "./progress-line.ts";
import type { BucketFlags } from "./replica-options.ts";
import { listDocument, listText, restoredText, verifiedText } from "./replica-reports.ts";
import type { Bucket } from "./replica/bucket.ts";
import { listReplica } from "./replica/list.ts";
import { restore } from "./replica/restore.ts";
import { verify } from "./replica/verify.ts";
import { type Moment, parseMoment, parseSegmentNumber, pastPoint } from "./restore-point-values.ts";
import { holdDirectory } from "./store/data-directory.ts";
import { ranSince } from "./store/restore-report-query.ts";
import { inspectRestored } from "./store/restored-database.ts";

const EXIT_DAMAGED = 1;
const EXIT_INTERRUPTED = 130;

interface RestoreFlags extends BucketFlags {
  readonly data: string;
  readonly at?: Moment;
  readonly segment?: number;
}

export function restoreCommand(): Command {
  return withBucketOptions(
    new Command("restore")
      .description(
        "Make a data directory out of the bucket, verified: the latest state, or an earlier one. " +
          "`serve --bucket` does the former by itself where --data is empty.",
      )
      .addOption(
        new Option("--data <directory>", "the directory to make; empty, or not there")
          .env("HOLDFAST_DATA")
          .default("./data"),
      )
      .addOption(
        new Option(
          "--at <time>",
          "the state at this time: RFC 3339 with its zone, or how long ago, such as 10m",
        ).argParser(parseMoment),
      )
      .addOption(
        new Option("--segment <number>", "the state after this segment").argParser(
          parseSegmentNumber,
        ),
      ),
  )
    .addHelpText("after", RESTORE_HELP)
    .action(runRestore);
}

async function runRestore(flags: RestoreFlags): Promise<void> {
  const { data } = flags;
  const past = pastPoint(flags.at, flags.segment, systemClock.nowMs());
  const beganMs = performance.now();
  // Before anything is put there.
  demandEmpty(data);
  await withProgress(({ show: onProgress, out, err }) =>
    useBucket(flags, err, async (bucket) => {
      const lock = holdDirectory(data);
      try {
        demandEmpty(data);
        const common = { bucket, directory: data, inspect: inspectRestored, onProgress };
        const restored =
          past === null
            ? await restore({ ...common, point: { kind: "latest" } })
            : await restore({ ...common, point: past, compare: ranSince });
        if (restored.kind === "empty") throw nothingIn(bucket);
        out(restoredText(data, restored, performance.now() - beganMs));
      } finally {
        lock.release();
      }
    }),
  );
}

export function replicaCommand(): Command {
  const verifyCommand = withBucketOptions(
    new Command("verify").description(
      "Read the whole replica back: every checksum of segments, snapshots and large payloads, and that the history leads " +
        "from each snapshot to the next, page by page.",
    ),
  )
    .addHelpText("after", VERIFY_HELP)
    .action(runVerify);
  const list = withBucketOptions(
    new Command("list").description(
      "Show what can be restored: snapshots and the segments behind them, who wrote, and the size of it all.",
    ),
  )
    .addOption(new Option("--json", "as one JSON document").default(false))
    .addHelpText("after", LIST_HELP)
    .action(runList);
  return new Command("replica")
    .description("Look at the replica in the bucket.")
    .addCommand(list)
    .addCommand(verifyCommand);
}

async function runVerify(flags: BucketFlags): Promise<void> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "holdfast-verify-"));
  const remove = (): void => fs.rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => process.exit(EXIT_INTERRUPTED));
  try {
    await withProgress(({ show: onProgress, out, err }) =>
      useBucket(flags, err, async (bucket) => {
        const onDamage = (damage: string): void => out(`damaged  ${damage}\n`);
        const inspect = inspectRestored;
        const verified = await verify({ bucket, directory, inspect, onDamage, onProgress });
        if (verified.damages === 0 && verified.newest === null) throw nothingIn(bucket);
        out(verifiedText(verified));
        if (verified.damages > 0) process.exitCode = EXIT_DAMAGED;
      }),
    );
  } finally {
    remove();
  }
}

/** Sound and empty is what a prefix is that was mistyped. */
function nothingIn({ url }: Bucket): Error {
  return new Error(`${url} holds no state of a replica: is the prefix right?`);
}

async function runList(flags: BucketFlags & { readonly json: boolean }): Promise<void> {
  await useBucket(flags, say, async (bucket) => {
    const list = await listReplica(bucket);
    if (list.segments.count + list.snapshots.count === 0) throw nothingIn(bucket);
    const text = flags.json ? `${JSON.stringify(listDocument(list), null, 2)}\n` : listText(list);
    process.stdout.write(text);
  });
}

interface Terminal {
  readonly show: (advance: Advance) => void;
  /** Whole lines, which do not disturb the progress. */
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

async function withProgress(run: (terminal: Terminal) => Promise<void>): Promise<void> {
  const { stderr, stdout } = process;
  const progress = new ProgressLine({
    isTerminal: stderr.isTTY,
    // 0: a terminal that does not know.
    columns: stderr.columns || 80,
    write: say,
    nowMs: () => performance.now(),
  });
  const beside = (stream: NodeJS.WriteStream) => (text: string) => {
    progress.end();
    stream.write(text);
  };
  try {
    await run({ show: progress.show, out: beside(stdout), err: beside(stderr) });
  } finally {
    progress.end();
  }
}

function say(text: string): void {
  process.stderr.write(text);
}

const RESTORE_HELP = `
A directory that was restored to an earlier state is held: a server on it serves, but starts no attempt, until it is told
\`holdfast release\`. The report of what ran after that state is printed, stands in held.json, and is told by GET /held. With the
same --bucket the server starts only with --roll-back, which makes the earlier state the newest.

Exit codes: 0 restored, 1 the bucket or what is in it failed, 2 bad command line.

Examples:
  holdfast restore --bucket s3://journal/production --data ./restored
  holdfast restore --bucket s3://journal/production --data ./restored --at 2026-11-26T09:00:00Z
  holdfast restore --bucket file:///backup/holdfast --data ./restored --at 10m`;

const VERIFY_HELP = `
Downloads all of the replica and needs room for one database in the directory for temporary files (TMPDIR). One line on stdout for
each damage, each with the object it is in. A server may write meanwhile.

Exit codes: 0 sound, 1 damaged or not readable, 2 bad command line.

Example:
  holdfast replica verify --bucket s3://journal/production`;

const LIST_HELP = `
Every segment between two restore points is one, too: \`holdfast restore --segment N\`. From lists alone; nothing is verified.

Exit codes: 0 listed, 1 the bucket failed, 2 bad command line.

Example:
  holdfast replica list --bucket s3://journal/production --json`;
