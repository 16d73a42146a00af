/** The composition root: the one place that knows every shell. Starts the server in order, stops it in the reverse. */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AdminHandle, createAdmin } from "./admin/admin.ts";
import type { Discover } from "./admin/discovery.ts";
import type { Clock } from "./base/clock.ts";
import { pooledRandom } from "./base/ids.ts";
import { errorFields, type Log } from "./base/log.ts";
import type { Config } from "./config.ts";
import { ConfigError } from "./config-error.ts";
import { demandNoUnfinished } from "./empty-directory.ts";
import { Held } from "./held.ts";
import type { Listener, ListenerOptions } from "./http/listener.ts";
import { Ingress } from "./ingress/ingress.ts";
import { ResultWaiters } from "./ingress/waiters.ts";
import { Attempts } from "./invoker/attempts.ts";
import { deploymentFrom, discover } from "./invoker/discover.ts";
import { EndpointTransport } from "./invoker/endpoint-transport.ts";
import { LambdaInvoker } from "./invoker/lambda-client.ts";
import { RequestIdentity } from "./invoker/request-identity.ts";
import { targetProblem } from "./invoker/target-address.ts";
import { listen, listenAfter } from "./listen.ts";
import { Processor } from "./processor/processor.ts";
import { openQueryEngine, type QueryEngine } from "./query/query.ts";
import {
  closeReplica,
  healthOf,
  type OpenReplica,
  openReplica,
  restoreWhereEmpty,
  startReplicator,
} from "./replica-boot.ts";
import { AttachError } from "./replica/attach.ts";
import type { LeaseWriter } from "./replica/lease-writer.ts";
import { ReplicatedStore } from "./replica/replicated-store.ts";
import type { Replicator } from "./replica/replicator.ts";
import { StandbyAdmin } from "./standby-admin.ts";
import { standBy } from "./standby-boot.ts";
import { holdDirectory } from "./store/data-directory.ts";
import { openSqliteStore, type SqliteStore } from "./store/sqlite-store.ts";
import { createTelemetry, type Telemetry } from "./telemetry/telemetry.ts";
import { WallTimerQueue } from "./timers/timer-queue.ts";
import { VERSION } from "./version.ts";

export interface Server {
  /** Such as `http://127.0.0.1:8080`. */
  readonly ingress: string;
  readonly admin: string;
  /** Drains and closes. What runs goes on after the next start. */
  stop(): Promise<void>;
}

export interface Surroundings {
  readonly log: Log;
  readonly clock: Clock;
  /** The medium failed: the process must end, and the next start recovers. */
  readonly onFatal: () => void;
  /** Another server writes the replica: the process must end, and has nothing to recover. */
  readonly onFenced: () => void;
}

/** Resolves when both listeners accept requests. */
export async function boot(config: Config, surroundings: Surroundings): Promise<Server> {
  const { log } = surroundings;
  if (config.durability === "none") {
    log.warn("durability-none", { meaning: "acknowledged requests are lost with the power" });
  }
  const identity = identityOf(config, log);
  const onError = (error: unknown): void => log.error("listener", errorFields(error));
  const isStandby = config.replica?.standby === true;
  const standbyAdmin = isStandby ? await StandbyAdmin.open(config, log, onError) : null;
  try {
    for (;;) {
      const server = await serve(config, identity, surroundings, standbyAdmin);
      if (server !== null) return server;
      log.warn("claim-lost", { why: "another server was first" });
    }
  } catch (error) {
    await standbyAdmin?.close();
    throw error;
  }
}

/** `standbyAdmin`: stands by first. Null: it has to stand by again. */
async function serve(
  config: Config,
  identity: RequestIdentity | null,
  surroundings: Surroundings,
  standbyAdmin: StandbyAdmin | null,
): Promise<Server | null> {
  const { store, replica } = await openStore(config, surroundings, standbyAdmin);
  try {
    const core = await makeCore(config, store, replica, identity, surroundings);
    return await compose(config, core, identity, surroundings, standbyAdmin);
  } catch (error) {
    // Refused or not, the log stays what it was: the replica may go on from it.
    await store.close({ keepWal: replica !== null });
    if (replica !== null) closeReplica(replica);
    const isLost = error instanceof AttachError && error.code === "moved-on";
    if (standbyAdmin !== null && isLost) return null;
    throw error;
  }
}

/** The directory is held before anything is restored into it. */
async function openStore(
  config: Config,
  surroundings: Surroundings,
  standbyAdmin: StandbyAdmin | null,
): Promise<{ readonly store: SqliteStore; readonly replica: OpenReplica | null }> {
  const { data, blobThresholdBytes } = config;
  const durability = config.durability === "none" ? "none" : "disk";
  const lock = holdDirectory(data);
  let replica: OpenReplica | null = null;
  try {
    if (config.replica === null) demandNoUnfinished(data);
    else {
      replica = await openReplica(config.replica, surroundings);
      if (standbyAdmin === null) await restoreWhereEmpty(replica, config, surroundings);
      else await standBy(replica, config, standbyAdmin, surroundings);
    }
  } catch (error) {
    lock.release();
    if (replica !== null) closeReplica(replica);
    throw error;
  }
  const keepWal = replica !== null;
  return {
    store: openSqliteStore(data, { durability, blobThresholdBytes, lock, keepWal }),
    replica,
  };
}

/** Endpoints are told the public key, so the log says it. */
function identityOf({ requestIdentityKeyFile: file }: Config, log: Log): RequestIdentity | null {
  if (file === null) return null;
  try {
    const identity = RequestIdentity.fromPem(readFileSync(file, "utf8"));
    log.info("requests-signed", { publicKey: identity.publicKey });
    return identity;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`the request identity key ${file} cannot be used: ${why}`);
  }
}

/** Everything between the listeners and the disk. */
interface Core {
  readonly store: SqliteStore;
  readonly processor: Processor;
  readonly attempts: Attempts;
  readonly timers: WallTimerQueue;
  readonly waiters: ResultWaiters;
  readonly telemetry: Telemetry;
  readonly query: QueryEngine;
  readonly held: Held;
  /** Null: the journal is on this disk alone. */
  readonly replicator: Replicator | null;
  readonly lease: LeaseWriter | null;
  readonly lambda: LambdaInvoker;
}

async function startShipping(
  replica: OpenReplica | null,
  config: Config,
  ...rest: [SqliteStore, Telemetry, Surroundings]
): Promise<Awaited<ReturnType<typeof startReplicator>> | null> {
  if (replica === null || config.replica === null) return null;
  return await startReplicator(replica, { ...config, replica: config.replica }, ...rest);
}

async function makeCore(
  config: Config,
  store: SqliteStore,
  replica: OpenReplica | null,
  identity: RequestIdentity | null,
  surroundings: Surroundings,
): Promise<Core> {
  const { log, clock, onFatal } = surroundings;
  const { settings, attemptsMax, otlp: tracing } = config;
  const telemetry = await createTelemetry({
    version: VERSION,
    log,
    clock,
    attempts: {
      attemptsMax,
      inFlight: () => attempts.inFlight,
      waiting: () => attempts.waiting,
    },
    tracing,
  });
  const { observer } = telemetry;
  const started = await startShipping(replica, config, store, telemetry, surroundings);
  const replicator = started?.replicator ?? null;
  const isBucketAwaited = replicator !== null && config.durability === "bucket";
  const processor = new Processor({
    store: isBucketAwaited ? new ReplicatedStore(store, replicator) : store,
    clock,
    settings,
    observer,
    onFatal: (error) => {
      log.error("storage-failed", errorFields(error));
      onFatal();
    },
    onDefect: (error, input) =>
      log.error("input-refused", { input: input.type, ...errorFields(error) }),
  });
  const lambda = new LambdaInvoker({ clock, externalId: config.assumeRoleExternalId });
  const transport = new EndpointTransport(lambda);
  const held = new Held(config.data, () => {
    attempts.letGo();
    started?.lead();
  });
  if (held.report() === null) started?.lead();
  const attempts = new Attempts({
    ...config,
    door: processor,
    transport,
    clock,
    log,
    identity,
    observer,
    isHeld: held.report() !== null,
    protocolVersionMax: settings.protocolVersionMax,
  });
  const timers = new WallTimerQueue({ door: processor, clock });
  const waiters = new ResultWaiters();
  processor.connect({ attempts, timers, waiters });
  const live = () => attempts.all();
  const query = openQueryEngine({ ...config.query, file: store.file, live, version: VERSION });
  const lease = replica?.lease ?? null;
  const shells = { attempts, timers, waiters, telemetry, query };
  return { store, processor, ...shells, held, replicator, lease, lambda };
}

async function compose(
  config: Config,
  core: Core,
  identity: RequestIdentity | null,
  { log, clock }: Surroundings,
  standbyAdmin: StandbyAdmin | null,
): Promise<Server> {
  const { processor: door, attempts, waiters, telemetry, query, held, replicator, lambda } = core;
  const { requestBytesMax, settings, routingHeaders, adminToken: token } = config;
  const { observer } = telemetry;
  const random = pooledRandom();
  const onError = (error: unknown): void => log.error("listener", errorFields(error));

  const { handle } = new Ingress({
    door,
    waiters,
    clock,
    random,
    requestBytesMax,
    observer,
    onError,
  });
  const secured = { tls: config.tls, log };
  const ingressOptions = { source: "ingress", handle, http2: handle, onError } as const;
  const ingress = await listen({ ...config.ingress, ...ingressOptions }, secured);
  const handleAdmin = createAdmin({
    door,
    clock,
    random,
    live: attempts,
    held,
    query: async (sql, format) => {
      const answer = await query.query(sql, format);
      // It may have seen commits that are not durable yet: nothing leaves before they are.
      await door.readDurable(() => null);
      return answer;
    },
    metrics: () => telemetry.metrics(),
    health: () =>
      held.health(
        replicator === null || config.replica === null
          ? { status: "ok" }
          : healthOf(replicator.status(), config.replica),
      ),
    discover: discoverWith(identity, clock, lambda),
    targetProblem,
    defaults: config,
    settings,
    routingHeaders,
    version: VERSION,
    ingressUrl: ingress.url,
    token,
    onError,
  });
  const adminHandler = adminOptions(config, handleAdmin, onError);
  const admin =
    standbyAdmin === null
      ? await listenAfter(ingress, adminHandler, secured)
      : standbyAdmin.become(adminHandler.handle);
  if (held.report() !== null) log.warn("held", { meaning: HELD_MEANING });
  replicator?.start();
  attempts.recover();
  const stop = () => stopAll(core, [ingress, admin], config.shutdownTimeoutMs);
  return { ingress: ingress.url, admin: admin.url, stop };
}

const HELD_MEANING =
  "the directory was restored to an earlier state: no attempt begins before holdfast release";

/** Whatever is left of the time, an attempt gets this long to suspend: otherwise its open step would run again. */
const SUSPEND_MS_MIN = 500;

/** What is left is committed and synced for so long at least, and shipped. */
const SETTLE_MS_MIN = 2000;
const SHIP_MS_MIN = 2000;

/** So long it may take to tell a standby that it need not wait. */
const LEASE_END_MS = 1000;

/** Open calls may end first, then attempts are asked to suspend, then what is known is made durable. */
async function stopAll(
  { store, processor, attempts, timers, telemetry, query, replicator, lease }: Core,
  listeners: readonly Listener[],
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  await Promise.all(listeners.map((listener) => listener.drain(timeoutMs)));
  await attempts.shutdown(Math.max(deadlineMs - performance.now(), SUSPEND_MS_MIN));
  timers.stop();
  await query.close();
  // Under durability `bucket` this may never come while the bucket is away: what is committed is on the disk all the same.
  const leftMs = Math.max(deadlineMs - performance.now(), SETTLE_MS_MIN);
  await Promise.race([processor.settled(), delay(leftMs, undefined, { ref: false })]);
  processor.stop();
  const isShipped = await replicator?.stop(Math.max(deadlineMs - performance.now(), SHIP_MS_MIN));
  if (isShipped === true) await lease?.end(LEASE_END_MS);
  else lease?.release();
  // What is not in the bucket is shipped by the next start, from the log.
  await store.close({ keepWal: isShipped === false });
  if (isShipped === true) replicator?.noteClean();
  await telemetry.shutdown();
}

/** What the admin asks for a registration: the deployment as its endpoint describes it. */
function discoverWith(
  identity: RequestIdentity | null,
  clock: Clock,
  invoker: LambdaInvoker,
): Discover {
  return async ({ lambda, ...request }) => {
    const { uri, additionalHeaders, metadata } = request;
    const facts = { id: "", createdAtMs: 0, uri, additionalHeaders, metadata };
    const target = lambda === null ? request : { ...request, lambda };
    const discovered = await discover(target, { identity, clock, lambda: invoker });
    return deploymentFrom(discovered, facts, lambda ?? undefined);
  };
}

function adminOptions(
  { admin }: Config,
  handle: AdminHandle,
  onError: (error: unknown) => void,
): ListenerOptions {
  const reported = (request: IncomingMessage, response: ServerResponse): void => {
    handle(request, response).catch(onError);
  };
  return { ...admin, source: "admin", handle: reported, onError };
}
