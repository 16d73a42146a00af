/** The composition root: the one place that knows every shell. Starts the server in order, stops it in the reverse. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { type AdminHandle, createAdmin } from "./admin/admin.ts";
import type { Discover } from "./admin/registrar.ts";
import type { Clock } from "./base/clock.ts";
import { pooledRandom } from "./base/ids.ts";
import { errorFields, type Log } from "./base/log.ts";
import { type Address, type Config, ConfigError } from "./config.ts";
import { Listener, type ListenerOptions } from "./http/listener.ts";
import { Ingress } from "./ingress/ingress.ts";
import { ResultWaiters } from "./ingress/waiters.ts";
import { Attempts } from "./invoker/attempts.ts";
import { deploymentFrom, discover } from "./invoker/discover.ts";
import { HttpTransport } from "./invoker/http-transport.ts";
import { targetProblem } from "./invoker/target-address.ts";
import { Processor } from "./processor/processor.ts";
import { openSqliteStore, type SqliteStore } from "./store/sqlite-store.ts";
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
}

/** Resolves when both listeners accept requests. */
export async function boot(config: Config, { log, clock, onFatal }: Surroundings): Promise<Server> {
  if (config.durability === "none") {
    log.warn("durability-none", { meaning: "acknowledged requests are lost with the power" });
  }
  const store = openSqliteStore(config.data, { durability: config.durability });
  try {
    return await compose(config, store, { log, clock, onFatal });
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Everything between the listeners and the disk. */
interface Core {
  readonly processor: Processor;
  readonly attempts: Attempts;
  readonly timers: WallTimerQueue;
  readonly waiters: ResultWaiters;
}

function makeCore(config: Config, store: SqliteStore, { log, clock, onFatal }: Surroundings): Core {
  const processor = new Processor({
    store,
    clock,
    onFatal: (error) => {
      log.error("storage-failed", errorFields(error));
      onFatal();
    },
    onDefect: (error, input) =>
      log.error("input-refused", { input: input.type, ...errorFields(error) }),
  });
  const transport = new HttpTransport();
  const attempts = new Attempts({ ...config, door: processor, transport, clock, log });
  const timers = new WallTimerQueue({ door: processor, clock });
  const waiters = new ResultWaiters();
  processor.connect({ attempts, timers, waiters });
  return { processor, attempts, timers, waiters };
}

async function compose(
  config: Config,
  store: SqliteStore,
  surroundings: Surroundings,
): Promise<Server> {
  const core = makeCore(config, store, surroundings);
  const { processor: door, attempts, waiters } = core;
  const { log, clock } = surroundings;
  const { requestBytesMax } = config;
  const random = pooledRandom();
  const onError = (error: unknown): void => log.error("listener", errorFields(error));

  const { handle } = new Ingress({ door, waiters, clock, random, requestBytesMax, onError });
  const ingress = await listen({ ...config.ingress, source: "ingress", handle, onError });
  const handleAdmin = createAdmin({
    door,
    clock,
    random,
    discover: discoverDeployment,
    targetProblem,
    defaults: config,
    version: VERSION,
    ingressUrl: ingress.url,
    token: config.adminToken,
    onError,
  });
  const admin = await listenAfter(ingress, adminOptions(config, handleAdmin, onError));
  attempts.recover();
  const stop = () => stopAll(core, store, [ingress, admin], config.shutdownTimeoutMs);
  return { ingress: ingress.url, admin: admin.url, stop };
}

/** Whatever is left of the time, an attempt gets this long to suspend: otherwise its open step would run again. */
const SUSPEND_MS_MIN = 500;

/** Open calls may end first, then attempts are asked to suspend, then what is known is made durable. */
async function stopAll(
  { processor, attempts, timers }: Core,
  store: SqliteStore,
  listeners: readonly Listener[],
  timeoutMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  await Promise.all(listeners.map((listener) => listener.drain(timeoutMs)));
  await attempts.shutdown(Math.max(deadlineMs - performance.now(), SUSPEND_MS_MIN));
  timers.stop();
  await processor.settled();
  processor.stop();
  await store.close();
}

/** What the admin asks for a registration: the deployment as its endpoint describes it. */
const discoverDeployment: Discover = async (request) => {
  const { uri, additionalHeaders, metadata } = request;
  const facts = { id: "", createdAtMs: 0, uri, additionalHeaders, metadata };
  return deploymentFrom(await discover(request), facts);
};

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

/** Both or none: a listener that cannot listen closes the one that does. */
async function listenAfter(first: Listener, options: ListenerOptions): Promise<Listener> {
  try {
    return await listen(options);
  } catch (error) {
    await first.drain(0);
    throw error;
  }
}

async function listen(options: ListenerOptions): Promise<Listener> {
  try {
    return await Listener.listen(options);
  } catch (error) {
    throw new ConfigError(addressProblem(options, error));
  }
}

function addressProblem(
  { host, port, source }: Address & { source: string },
  error: unknown,
): string {
  const code = error instanceof Error && "code" in error ? error.code : "";
  const address = `${host}:${port}`;
  const what = `the ${source} cannot listen on ${address}`;
  if (code === "EADDRINUSE")
    return `${what}: the address is in use (${code}); choose another with --${source}`;
  if (code === "EACCES")
    return `${what}: not permitted (${code}); ports below 1024 need privileges`;
  return `${what}: ${error instanceof Error ? error.message : String(error)}`;
}
