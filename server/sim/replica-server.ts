/** One process that writes a replica: the real parts as `replica-boot.ts` puts them together, on a simulated disk, clock and bucket. */
import { silentLog } from "../base/log.ts";
import type { Store } from "../processor/ports.ts";
import { attach } from "../replica/attach.ts";
import type { BlobSource } from "../replica/blob-source.ts";
import type { Bucket } from "../replica/bucket.ts";
import { BucketWatch } from "../replica/bucket-watch.ts";
import type { FencedError } from "../replica/fenced-error.ts";
import { ReplicatedStore } from "../replica/replicated-store.ts";
import { Replicator, type ReplicatorOptions } from "../replica/replicator.ts";
import { restore } from "../replica/restore.ts";
import { RetryingBucket } from "../replica/retrying-bucket.ts";
import type { Commits } from "./commits.ts";
import type { Life } from "./life.ts";
import { LoggedStore } from "./logged-store.ts";
import type { SimDisk } from "./sim-disk.ts";
import { SimLog } from "./sim-log.ts";
import type { World } from "./world.ts";

const PAUSE_MS = 500;

export type ReplicaSettings = Pick<
  ReplicatorOptions,
  | "isEager"
  | "segmentIntervalMs"
  | "segmentBytes"
  | "snapshotIntervalMs"
  | "snapshotSegments"
  | "unshippedBytesMax"
  | "retention"
> & {
  /** From so many frames on the log is to start over. */
  readonly logFramesMax: number;
};

export interface ReplicaServerOptions {
  readonly world: World;
  readonly life: Life;
  readonly disk: SimDisk;
  readonly bucket: Bucket;
  readonly commits: Commits;
  readonly settings: ReplicaSettings;
  /** The clocks of machines differ by so much. */
  readonly skewMs: number;
  /** An empty directory has become what the bucket holds. */
  readonly onRestored: (commits: readonly number[]) => void;
  /** Events. */
  readonly onLog: (event: string) => void;
  readonly onFenced: (error: FencedError) => void;
  readonly onFatal: (error: unknown) => void;
}

export interface ReplicaServer {
  readonly epoch: number;
  /** Its barriers pass when the history has what was committed, where the settings are eager. */
  readonly store: Store;
  /** False: not all was shipped in time. */
  stop(timeoutMs: number): Promise<boolean>;
}

/** Large payloads are not simulated. */
const NO_BLOBS: BlobSource = {
  takeNewBlobs: () => [],
  allBlobs: () => [],
  knowsBlob: () => false,
  blobFile: () => "",
  unreferencedBlobs: () => [],
  forgetBlobs: () => {},
};

/** Rejects where directory and bucket do not fit. Never resolves when the process dies meanwhile. */
export async function startReplicaServer(options: ReplicaServerOptions): Promise<ReplicaServer> {
  const { world, life, disk, commits, settings, skewMs } = options;
  const nowMs = (): number => world.nowMs() + skewMs;
  const random = (): number => world.random();
  const after = life.afterWhole;
  const watch = new BucketWatch(silentLog, nowMs);
  const bucket = new RetryingBucket(options.bucket, { attemptsMax: null, after, random });
  const pause = (): Promise<void> => new Promise((resolve) => void after(PAUSE_MS, resolve));
  const common = { bucket, directory: disk.directory, host: life.name, nowMs, pause };

  if (disk.isEmpty) {
    const { host } = common;
    const restored = await restore({
      ...common,
      inspect: () => [],
      point: { kind: "latest" },
      succession: { host, nowMs, pause },
    });
    if (restored.kind === "restored") disk.load(world.below(2 ** 31));
    options.onRestored(disk.commits);
  }
  const log = new SimLog(world, life, disk, commits);
  const attachOptions = { ...common, databaseFile: disk.databaseFile, rollBack: false };
  const attachment = await attach(attachOptions, (position) => log.locate(position));
  const { epoch } = attachment.identity;
  world.trace(`${life.name}: attached, epoch ${epoch}, from ${startOf(attachment.start)}`);
  const replicator = new Replicator({
    ...settings,
    bucket,
    watch,
    attachment,
    source: log,
    pages: log,
    blobs: NO_BLOBS,
    directory: disk.directory,
    after,
    nowMs,
    monotonicMs: () => world.nowMs(),
    random,
    log: {
      ...silentLog,
      info: options.onLog,
      warn: options.onLog,
    },
    onPut: () => {},
    onFenced: options.onFenced,
    onFatal: options.onFatal,
  });
  await replicator.recover();
  const logged = new LoggedStore({ world, life, disk, commits, log, ...settings });
  replicator.start();
  return {
    epoch,
    store: settings.isEager ? new ReplicatedStore(logged, replicator) : logged,
    stop: async (timeoutMs) => {
      const isShipped = await replicator.stop(timeoutMs);
      if (!isShipped) return false;
      disk.closeLog(world.nowMs(), world.below(2 ** 31));
      replicator.noteClean();
      return true;
    },
  };
}

const startOf = (start: string | { readonly frame: number }): string =>
  typeof start === "string" ? start : `frame ${start.frame}`;
