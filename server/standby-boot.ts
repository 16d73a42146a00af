/** The part of the composition that stands by, until the data directory is that of the writer. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { HealthDetail } from "./admin/server-routes.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { type OpenReplica, pausing, type ReplicaSurroundings } from "./replica-boot.ts";
import { hasMovedOn } from "./replica/attach.ts";
import type { Trouble } from "./replica/bucket-watch.ts";
import { setAside } from "./replica/set-aside.ts";
import { Standby, type StandbyStatus } from "./replica/standby.ts";
import type { StandbyAdmin } from "./standby-admin.ts";
import { DATABASE_FILE } from "./store/data-directory.ts";
import { inspectRestored, payloadsOf } from "./store/restored-database.ts";

/**
 * Returns when the directory, which is held, may claim the history: nobody else has written it since, or it was made of the replica.
 * Throws `AttachError` where the two never fitted.
 */
export async function standBy(
  { bucket, hasty, watch, lease }: OpenReplica,
  { data, replica }: Config,
  admin: StandbyAdmin,
  { log, clock }: Pick<ReplicaSurroundings, "log" | "clock">,
): Promise<void> {
  if (replica === null || lease === null) throw new ConfigError("a standby needs --bucket");
  if (fs.existsSync(path.join(data, DATABASE_FILE))) {
    if (!(await hasMovedOn({ bucket, directory: data }))) return;
    log.warn("set-aside", { folder: setAside(data), why: "the history has moved on without it" });
  }
  const standby = new Standby({
    bucket,
    hasty,
    directory: data,
    inspect: inspectRestored,
    payloadsOf,
    host: os.hostname(),
    lease,
    pollMs: replica.segmentIntervalMs,
    pause: pausing(watch),
    sleep: (ms) => delay(ms),
    nowMs: () => clock.nowMs(),
    monotonicMs: () => performance.now(),
    log,
  });
  admin.show(() => healthOf(standby.status(), watch.trouble));
  await standby.run();
}

/** For everybody, so without addresses and messages. */
function healthOf(status: StandbyStatus, trouble: Trouble | null): HealthDetail {
  const { state, segment, epoch, lagSegments, lease } = status;
  const isReady = state !== "waiting" && trouble === null && lease.state !== "none";
  return {
    status: isReady ? "ok" : "degraded",
    role: "standby",
    replica: {
      state,
      epoch,
      segment,
      lag_segments: lagSegments,
      lease: { state: lease.state, lease_ms: lease.leaseMs, silent_ms: lease.silentMs },
      trouble: trouble?.kind ?? null,
    },
  };
}
