/** The part of the composition that knows the replica: opens the bucket, binds the directory to it, and starts shipping. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { HealthDetail } from "./admin/server-routes.ts";
import type { Clock } from "./base/clock.ts";
import { afterTimeout } from "./base/timer.ts";
import { errorFields, type Log } from "./base/log.ts";
import type { Config } from "./config.ts";
import type { ReplicaConfig } from "./replica-config.ts";
import { attach, patiently } from "./replica/attach.ts";
import type { BucketError } from "./replica/bucket-error.ts";
import type { Bucket } from "./replica/bucket.ts";
import { BucketWatch } from "./replica/bucket-watch.ts";
import { LeaseWriter } from "./replica/lease-writer.ts";
import { openBucket } from "./replica/open-bucket.ts";
import { probe } from "./replica/probe.ts";
import { type ReplicaStatus, Replicator } from "./replica/replicator.ts";
import { restore } from "./replica/restore.ts";
import { RetryingBucket } from "./replica/retrying-bucket.ts";
import { WalThread } from "./replica/wal-thread.ts";
import { DATABASE_FILE } from "./store/data-directory.ts";
import { inspectRestored } from "./store/restored-database.ts";
import type { SqliteStore } from "./store/sqlite-store.ts";
import type { Telemetry } from "./telemetry/telemetry.ts";

/** From where a lag is worth an eye, in intervals of shipping. */
const BEHIND_INTERVALS = 10;
const BEHIND_MS_MIN = 10_000;

export interface OpenReplica {
  /** Tries again for as long as it takes. */
  readonly bucket: RetryingBucket;
  /** The same one, and tries once. */
  readonly hasty: Bucket;
  /** Null: no standby is to take over by itself. */
  readonly lease: LeaseWriter | null;
  readonly watch: BucketWatch;
}

export interface ReplicaSurroundings {
  readonly log: Log;
  readonly clock: Clock;
  /** Another server writes the history: the process must end. */
  readonly onFenced: (error: Error) => void;
  readonly onFatal: (error: unknown) => void;
}

const PAUSE_MS = 500;
export const pausing =
  (watch: BucketWatch) =>
  (error: BucketError): Promise<void> => {
    watch.failed(error);
    return delay(PAUSE_MS);
  };

const random = (): number => randomBytes(4).readUInt32BE() / 2 ** 32;

/** Resolves when the bucket has answered and honours conditional writes. Throws `BucketError` where somebody has to act. */
export async function openReplica(
  { bucket: config, leaseMs }: ReplicaConfig,
  { log, clock }: Pick<ReplicaSurroundings, "log" | "clock">,
): Promise<OpenReplica> {
  const watch = new BucketWatch(log, () => clock.nowMs());
  const once = await openBucket(config.location, config);
  const retried = (attemptsMax: number | null): RetryingBucket =>
    new RetryingBucket(once, {
      attemptsMax,
      after: afterTimeout,
      random,
      onTrouble: (error) => watch.failed(error),
      onAnswer: () => watch.answered(),
    });
  const [bucket, hasty] = [retried(null), retried(1)];
  const onDefect = (error: unknown): void => log.error("lease-failed", errorFields(error));
  const lease =
    leaseMs === null
      ? null
      : new LeaseWriter({ bucket: hasty, leaseMs, after: afterTimeout, onDefect });
  await patiently(() => probe(bucket, randomBytes(8).toString("hex")), pausing(watch));
  return { bucket, hasty, lease, watch };
}

export function closeReplica({ bucket, lease }: OpenReplica): void {
  lease?.release();
  bucket.close();
}

/** An empty directory becomes what the bucket holds, if it holds anything. */
export async function restoreWhereEmpty(
  { bucket, watch }: OpenReplica,
  { data }: Config,
  { log, clock }: Pick<ReplicaSurroundings, "log" | "clock">,
): Promise<void> {
  if (fs.existsSync(path.join(data, DATABASE_FILE))) return;
  const beganMs = performance.now();
  const restored = await restore({
    bucket,
    directory: data,
    inspect: inspectRestored,
    point: { kind: "latest" },
    succession: { host: os.hostname(), nowMs: () => clock.nowMs(), pause: pausing(watch) },
  });
  if (restored.kind === "empty") return;
  const { kind: _kind, held: _held, ...facts } = restored;
  log.info("restored", { ...facts, tookMs: Math.round(performance.now() - beganMs) });
}

export interface StartedReplicator {
  readonly replicator: Replicator;
  /** Begins the signs of life, without which no standby takes over: one would not hold the work that this server holds. */
  readonly lead: () => void;
}

/** Claims the history for this directory and prepares to ship. Throws `AttachError` where the two do not fit. */
export async function startReplicator(
  { bucket, lease, watch }: OpenReplica,
  config: Config & { readonly replica: ReplicaConfig },
  store: SqliteStore,
  telemetry: Telemetry,
  { log, clock, onFenced, onFatal }: ReplicaSurroundings,
): Promise<StartedReplicator> {
  const { replica, data, durability } = config;
  const nowMs = (): number => clock.nowMs();
  const pages = new WalThread(store);
  const host = os.hostname();
  const { rollBack } = replica;
  const attachment = await attach(
    {
      bucket,
      directory: data,
      databaseFile: store.file,
      host,
      rollBack,
      nowMs,
      pause: pausing(watch),
    },
    (position) => pages.locate(position),
  ).catch(async (error: unknown) => {
    await pages.close();
    throw error;
  });
  const { identity, start } = attachment;
  log.info("replica-attached", {
    bucket: bucket.url,
    epoch: identity.epoch,
    from: typeof start === "string" ? start : `frame ${start.frame}`,
  });
  const onPut = telemetry.watchReplica(() => sourcesOf(replicator.status(), watch, nowMs()));
  const replicator = new Replicator({
    ...replica,
    bucket,
    watch,
    attachment,
    source: store,
    pages,
    blobs: store.blobs,
    directory: data,
    isEager: durability === "bucket",
    retention: { retentionMs: replica.restoreRetentionMs, snapshotsMin: replica.restoreSnapshots },
    after: afterTimeout,
    nowMs,
    monotonicMs: () => performance.now(),
    random,
    log,
    onPut,
    onFenced: (error) => {
      log.error("fenced", errorFields(error));
      onFenced(error);
    },
    onFatal: (error) => {
      log.error("replica-failed", errorFields(error));
      onFatal(error);
    },
  });
  await replicator.recover();
  bucket.insist();
  const lead = (): void => void lease?.hold(identity, () => replicator.status().acceptedSeq);
  return { replicator, lead };
}

function sourcesOf(status: ReplicaStatus, watch: BucketWatch, nowMs: number) {
  const { epoch, acceptedSeq, unshippedBytes, lagMs, lastSnapshot } = status;
  const snapshotAgeMs = lastSnapshot === null ? null : Math.max(0, nowMs - lastSnapshot.atMs);
  return { epoch, acceptedSeq, unshippedBytes, lagMs, snapshotAgeMs, failures: watch.failures };
}

/** For everybody, so without addresses and messages. */
export function healthOf(
  status: ReplicaStatus,
  { segmentIntervalMs }: ReplicaConfig,
): HealthDetail {
  const { trouble, lagMs } = status;
  const isBehind = lagMs > Math.max(BEHIND_MS_MIN, segmentIntervalMs * BEHIND_INTERVALS);
  const troubled = trouble === null ? "shipping" : "unreachable";
  const state = isBehind && trouble === null ? "behind" : troubled;
  return {
    status: state === "shipping" ? "ok" : "degraded",
    replica: {
      state,
      epoch: status.epoch,
      accepted_segment: status.acceptedSeq,
      unshipped_bytes: status.unshippedBytes,
      lag_ms: Math.round(lagMs),
      trouble: trouble?.kind ?? null,
    },
  };
}
